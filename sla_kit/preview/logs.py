"""What panels of logs show, asked of an Elasticsearch as Grafana asks it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import requests
import stamina

from sla_kit.backtest.asking import Answer
from sla_kit.bearer import Bearer
from sla_kit.errors import SlaKitError, SourceError
from sla_kit.preview.answers import Answered
from sla_kit.preview.filling import Range, filled
from sla_kit.preview.log_queries import LogSeries, lines_of, search_body, series_of
from sla_kit.sources.settings import Address, Settings, Variables
from sla_kit.timeline import Grid

_PREFIX = "SLA_KIT_ELASTICSEARCH_"
#: Where logs are unless the address says it, as Elastic's own shippers name their data streams.
_INDICES = "logs-*"
_ATTEMPTS, _PATIENCE_SECONDS = 4, 30.0


class _AgainError(SourceError):
    """An answer worth asking for again."""


class LogServer:
    """An Elasticsearch at an address such as ``https://host:9200/logs-*``, whose path names the indices.

    Who asks stands in ``SLA_KIT_ELASTICSEARCH_API_KEY``, ``_TOKEN`` or ``_USERNAME`` and ``_PASSWORD``, or in files
    that the same with ``_FILE`` name; ``_HEADERS``, ``_CA_FILE``, ``_CLIENT_CERT``, ``_CLIENT_KEY`` and ``_TIMEOUT``
    are known, too. Raises `SourceError` for settings that can't be used.
    """

    def __init__(self, address: str, environment: Mapping[str, str] = os.environ) -> None:
        scheme, separator, rest = address.strip().removeprefix("elasticsearch+").partition("://")
        host, _, indices = rest.partition("?")[0].partition("/")
        settings = Settings.from_environment(environment, prefix=_PREFIX)
        variables = Variables.of(environment, _PREFIX)
        key = variables.secret("API_KEY")
        if key and (settings.token or settings.username):
            raise variables.wrong("a token or a user name is set as well", "API_KEY", "unset one of them")
        try:
            parsed = Address.parse(f"{scheme}{separator}{host}")
        except SourceError:
            raise SourceError(
                "this is no address of an Elasticsearch", place="--logs", remedy="write https://host:9200/logs-*"
            ) from None
        self.name = parsed.name
        self._url = f"{parsed.url}/{indices.strip('/') or _INDICES}/_search"
        self._timeout = (min(10.0, settings.timeout_seconds), settings.timeout_seconds)
        self._secrets = [each for each in (*settings.secrets(), parsed.password, key) if len(each) > 2]
        self._session = requests.Session()
        self._session.verify = settings.ca_file or True
        self._session.headers.update(dict(settings.headers))
        if settings.client_cert:
            self._session.cert = (settings.client_cert, settings.client_key or settings.client_cert)
        if parsed.username or settings.username:
            user, password = parsed.username or settings.username, parsed.password or settings.password
            self._session.auth = (user, password)
        elif key or settings.token:
            self._session.auth = Bearer(key, "ApiKey") if key else Bearer(settings.token)

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one search. Raises `SourceError`."""
        for attempt in stamina.retry_context(
            on=_AgainError, attempts=_ATTEMPTS, timeout=_PATIENCE_SECONDS, wait_initial=0.25, wait_max=5.0
        ):
            with attempt:
                return self._search(body)
        raise AssertionError("stamina ends by a result or an exception")

    def answered(self, target: Mapping[str, Any], shown: Range, values: Mapping[str, str]) -> Answered:
        """What one target of a panel gives. Raises `SourceError` for a server that does not answer; what the server
        refuses is said in the answer."""
        ref, asked = str(target.get("refId", "")), filled(str(target.get("query") or "*"), values)
        legend = filled(str(target.get("alias") or ""), values)
        instant = not any(each.get("type") == "date_histogram" for each in target.get("bucketAggs") or ())
        try:
            answer = self.search(search_body(target, shown, values))
        except _AgainError:
            raise
        except SlaKitError as error:
            return Answered(ref, asked, legend, instant, None, error.message)
        if not target.get("bucketAggs"):
            return Answered(ref, asked, legend, True, None, lines=tuple(lines_of(answer)))
        found = _answer(series_of(target, answer, shown), shown, instant)
        counted = "Unique Count" if target["metrics"][0]["type"] == "cardinality" else "Count"
        return Answered(ref, asked, legend, instant, found, counted=counted)

    def _search(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self._session.post(
                self._url,
                params={"ignore_unavailable": "true"},
                data=msgspec.json.encode(body),
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise SourceError(
                f"no trusted connection: {self._clean(error)}",
                place=self.name,
                remedy=f"name the server's authority in {_PREFIX}CA_FILE",
            ) from None
        except requests.exceptions.RequestException as error:
            raise _AgainError(
                f"the connection was lost or refused: {type(error).__name__}",
                place=self.name,
                remedy="check that Elasticsearch runs there and can be reached from here, or leave --logs out",
            ) from None
        if answer.status_code in (429, 502, 503, 504):
            raise _AgainError(
                f"the server is overloaded or failing (status {answer.status_code})",
                place=self.name,
                remedy="look at its log, and try again later",
            )
        if answer.status_code in (401, 403):
            raise SourceError(
                f"the server does not let us read logs (status {answer.status_code})",
                place=self.name,
                remedy=f"set {_PREFIX}TOKEN, or {_PREFIX}USERNAME and _PASSWORD (or the same with _FILE)",
            )
        try:
            found = msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise SourceError(
                f"the server answered what is no JSON (status {answer.status_code})",
                place=self.name,
                remedy="give the address of an Elasticsearch, such as https://host:9200/logs-*",
            ) from None
        if answer.status_code != 200:
            raise SourceError(
                f"Elasticsearch refuses this: {self._clean(_reason(found))[:300]}",
                place=self.name,
                remedy="check the Lucene query, and the fields' types in the index",
            )
        return found

    def _clean(self, said: object) -> str:
        cleaned = str(said)
        for secret in sorted(self._secrets, key=len, reverse=True):
            cleaned = cleaned.replace(secret, "***")
        return cleaned


def _reason(refusal: Mapping[str, Any]) -> str:
    """Why a search was refused: the innermost cause, which names the field or word."""
    error = refusal.get("error")
    if not isinstance(error, dict):
        return str(error or "without a reason")
    causes = error.get("root_cause") or [error]
    return str(causes[0].get("reason") or error.get("reason") or error.get("type") or "without a reason")


def _answer(found: Iterable[LogSeries], shown: Range, instant: bool) -> Answer:
    """Series of log entries as those of metrics: a bucket stands where it begins, as Grafana draws it."""
    listed = list(found)
    if instant:
        grid = Grid(shown.end - 1, 1, 1)
        values = np.array([[each.counts[-1]] for each in listed], dtype=np.float64).reshape(len(listed), 1)
        return Answer(grid, tuple(each.labels for each in listed), values, np.ones(values.shape, dtype=np.bool_))
    apart = [float(np.diff(each.times).min()) for each in listed if each.times.size > 1]
    step = max(1, round(min(apart))) if apart else shown.step
    first = shown.start // step * step
    grid = Grid(first - step, step, shown.end // step - first // step + 1)
    values = np.full((len(listed), grid.count), np.nan)
    for row, each in enumerate(listed):
        places = np.round((each.times - first) / step).astype(int)
        inside = (places >= 0) & (places < grid.count)
        values[row, places[inside]] = each.counts[inside]
    return Answer(grid, tuple(each.labels for each in listed), values, ~np.isnan(values))
