"""Questions to a cluster: asked again where that helps, refused answers explained, secrets kept."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NoReturn

import elasticsearch
import msgspec
import stamina
from elasticsearch import ApiError, Elasticsearch, JsonSerializer, TransportError

from sla_kit.elastic.failures import PASSING
from sla_kit.elastic.settings import ClusterAddress, ClusterSettings
from sla_kit.errors import SourceError
from sla_kit.redacting import redacted, remember_secret
from sla_kit.retrying import Passing, retry_after, worth_repeating

_ATTEMPTS = 6
#: Of a cluster that has answered before: it may be on its way back.
_ATTEMPTS_KNOWN = 10
_PATIENCE_SECONDS = 180.0


class ClusterError(SourceError):
    """A cluster did not answer, or refused. ``status`` is that of the answer (0 where there was none), ``reason`` the
    type of error that Elasticsearch names (``index_not_found_exception``), empty where it names none."""

    def __init__(
        self, message: str, *, place: str, remedy: str = "", kind: str = "", status: int = 0, reason: str = ""
    ) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.kind = kind
        self.status = status
        self.reason = reason


class _AgainError(ClusterError, Passing):
    """An answer worth asking for again."""


class Cluster:
    """A cluster, by a client that is given or made from an address; may be used by several threads at once."""

    def __init__(
        self, address: str | Elasticsearch, settings: ClusterSettings | None = None, *, attempts: int | None = None
    ) -> None:
        settings = settings or ClusterSettings()
        if isinstance(address, str):
            place = ClusterAddress.parse(address)
            for secret in (*settings.secrets(), *((place.password,) if place.password else ())):
                remember_secret(secret)
            self.name, self.client = place.name, _client(place, settings)
            self.timeout_seconds = settings.timeout_seconds
        else:
            nodes = address.transport.node_pool.all()
            self.name = ", ".join(node.base_url for node in nodes)
            self.client = address
            self.timeout_seconds = min((node.config.request_timeout or 3600.0 for node in nodes), default=10.0)
        self.requests = 0
        self._attempts = attempts
        self._heard = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Cluster({self.name!r})"

    def close(self) -> None:
        """Closes the connections."""
        self.client.close()

    def ask(self, what: str, question: Callable[[Elasticsearch], Any], *, attempts: int | None = None) -> Any:
        """What ``question(client)`` answers, asked again (``attempts`` times at most) where its failure may pass.
        ``what`` is being done, for messages ("search logs-*"). Raises `ClusterError`."""
        most = attempts or self._attempts or (_ATTEMPTS_KNOWN if self._heard else _ATTEMPTS)
        for attempt in stamina.retry_context(
            on=worth_repeating, attempts=most, timeout=_PATIENCE_SECONDS, wait_initial=0.2, wait_max=10.0
        ):
            with attempt:
                with self._lock:
                    self.requests += 1
                try:
                    answer = question(self.client)
                except elasticsearch.UnsupportedProductError:
                    raise self._no_cluster("answers, but is no Elasticsearch") from None
                except ApiError as error:
                    raise self._refused(what, error) from None
                except TransportError as error:
                    raise self._unheard(what, error) from None
                return self._taken(what, getattr(answer, "body", answer))
        raise AssertionError("stamina raises where no attempt succeeds")

    def _taken(self, what: str, body: Any) -> Any:
        """What is answered with success, if it is an object, or the yes or no of a question for one."""
        if not isinstance(body, dict | bool):
            raise self._no_cluster("has no Elasticsearch's answer here")
        # A proxy may hand on an error under another status.
        error = body.get("error") if isinstance(body, dict) and "status" in body else None
        if error:
            text = redacted(" ".join(str(_innermost(error) or "it says no more").split()))[:300]
            raise ClusterError(f"can't {what}: {text}", place=self.name, remedy="see the cluster's health")
        self._heard = True
        return body

    def _refused(self, what: str, error: ApiError) -> ClusterError:
        status = error.meta.status
        if 300 <= status < 400:
            return self._no_cluster(
                f"sends elsewhere (status {status}): a login page, or https instead of http", status
            )
        body = error.body if isinstance(error.body, dict) else {}
        said = body.get("error")
        cause = said if isinstance(said, dict) else {}
        causes = [each for each in cause.get("root_cause") or [] if isinstance(each, dict)] or [{}]
        reason = str(causes[0].get("type") or cause.get("type") or "")
        text = str(_innermost(causes[0]) or cause.get("reason") or said or "it says no more")
        text = redacted(" ".join(text.split()))[:300]  # shortened last: half a secret is not known as one
        if status in PASSING:
            again = _AgainError(
                f"can't {what} now (status {status}): {text}",
                place=self.name,
                remedy="see the cluster's health",
                kind="connect",
                status=status,
                reason=reason,
            )
            again.wait_seconds = retry_after(error.meta.headers.get("retry-after") or "")
            return again
        kind, remedy = "query", "check index and query"
        if status in (401, 403):
            kind, remedy = "auth", "check the credentials in SLA_KIT_ELASTICSEARCH_… and what they may read"
        elif reason == "media_type_header_exception":
            remedy = f"the server is older than the client {version('elasticsearch')}: pip install 'elasticsearch<9'"
        elif not isinstance(error.body, dict):
            return self._no_cluster(f"has no Elasticsearch's answer here (status {status})", status)
        return ClusterError(
            f"can't {what} (status {status}): {text}",
            place=self.name,
            remedy=remedy,
            kind=kind,
            status=status,
            reason=reason,
        )

    def _no_cluster(self, what: str, status: int = 0) -> ClusterError:
        return ClusterError(
            f"the server {what}",
            place=self.name,
            remedy="give the address under which the cluster answers, with its path prefix and https where it has it",
            kind="connect",
            status=status,
        )

    def _unheard(self, what: str, error: TransportError) -> ClusterError:
        late = isinstance(error, elasticsearch.ConnectionTimeout)
        if isinstance(error, elasticsearch.SerializationError):
            return _AgainError(
                f"can't {what}: the answer can't be read as JSON",
                place=self.name,
                remedy="a proxy may have cut it short; check what stands before the cluster",
                kind="connect",
            )
        text = redacted(" ".join(str(error.message).split()))[:300]
        certificate = isinstance(error, elasticsearch.SSLError)
        form = ClusterError if certificate else _AgainError
        return form(
            f"can't {what}: {'no answer in time' if late else text}",
            place=self.name,
            remedy="raise SLA_KIT_ELASTICSEARCH_TIMEOUT, or ask for less"
            if late
            else "check _CA_FILE or _FINGERPRINT"
            if certificate
            else "check the address, and that the cluster runs",
            kind="timeout" if late else "connect",
        )


def _innermost(cause: Any) -> str:
    """What an error says of its last known cause."""
    said = ""
    while isinstance(cause, dict):
        said = str(cause.get("reason") or said)
        cause = cause.get("caused_by")
    return said


class StrictJson(JsonSerializer):
    """Reads answers as JSON has it: no number is NaN or infinite, and nothing is deeper than can be read."""

    def json_loads(self, data: bytes) -> Any:
        try:
            return msgspec.json.decode(data)  # a third of the time
        except msgspec.DecodeError:  # also of half a surrogate, which a document may hold
            return json.loads(data, parse_constant=_no_number)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _client(place: ClusterAddress, settings: ClusterSettings) -> Elasticsearch:
    options: dict[str, Any] = {
        "request_timeout": settings.timeout_seconds,
        "max_retries": 0,  # asking again is done here
        "retry_on_timeout": False,
        "serializers": {"application/json": StrictJson()},
    }
    if place.cloud_id:
        options["cloud_id"] = place.cloud_id
    else:
        options["hosts"] = [place.url]
    if place.username:
        options["basic_auth"] = (place.username, place.password)
    elif settings.username:
        options["basic_auth"] = (settings.username, settings.password)
    elif settings.api_key:
        options["api_key"] = settings.api_key
    elif settings.token:
        options["bearer_auth"] = settings.token
    if settings.ca_file:
        options["ca_certs"] = settings.ca_file
    if settings.fingerprint:
        options["ssl_assert_fingerprint"] = settings.fingerprint
    if settings.client_cert:
        options["client_cert"] = settings.client_cert
    if settings.client_key:
        options["client_key"] = settings.client_key
    if settings.headers:
        options["headers"] = dict(settings.headers)
    try:
        return Elasticsearch(**options)
    except (ValueError, TypeError) as error:
        text = redacted(str(error))
        raise SourceError(
            f"can't make a client: {text}", place=place.name, remedy="check address and settings"
        ) from None


def open_cluster(address: str, server: str = "") -> Cluster:
    """The cluster behind an address, with what the environment's variables say of authentication (of ``server``, where
    a catalogue names several)."""
    return Cluster(address, ClusterSettings.from_environment(os.environ, server))
