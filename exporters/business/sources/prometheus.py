"""The answer to an instant query of a Prometheus, or what speaks as it does (Thanos, Mimir, VictoriaMetrics)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, check_secret
from sla_kit.exporters.business.sources import Opening, Question, Source
from sla_kit.exporters.http import Answer, Client, Endpoint, bearer
from sla_kit.exporters.sidecar.collector import CollectError, Kind

#: The column that holds the number.
VALUE = "value"


class PrometheusSource(Endpoint, Source, frozen=True, kw_only=True, tag="prometheus"):
    """A server that answers PromQL: ``token``, or ``username`` and ``password``; ``tenant`` is Mimir's.

    A server's warnings say that the answer may not be whole: they are errors, unless they are to be ignored.
    """

    asked_by: ClassVar[str] = "promql"

    token: Secret | None = None
    tenant: str = ""
    ignore_warnings: bool = False

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with the source itself."""
        super().check(findings, path)
        check_secret(self.token, findings, (*path, "token"))
        if self.token and self.username:
            findings.say((*path, "token"), "stands beside username", "say one of them")
        if not self.tenant.isascii() or not self.tenant.isprintable():
            findings.say((*path, "tenant"), "has characters that no header can hold")

    def check_question(self, asks: Any, parameters: frozenset[str], findings: Findings, path: Part) -> None:
        """Says what is wrong with a question."""
        if not str(asks).strip():
            findings.say(path, "is empty", 'such as sum by (plan) (rate(http_requests_total{job="shop"}[5m]))')
        if parameters:
            findings.say(
                path, f"PromQL has no parameters to bind {', '.join(sorted(parameters))} to", "write the query out"
            )

    def open(self, opening: Opening) -> PrometheusReader:
        """Makes what answers, without connecting."""
        return PrometheusReader(self, Client(self.url, self.authority(opening.folder)))


@dataclass(frozen=True)
class PrometheusReader:
    """Asks one server."""

    source: PrometheusSource
    client: Client

    def rows(self, question: Question, deadline: float) -> Iterator[dict[str, object]]:
        """A row for each series: its labels but the metric's name, and its ``value``. Raises `CollectError`."""
        left = deadline - time.monotonic()
        form = {"query": str(question.asks), "timeout": f"{max(1, int(left * 1000))}ms", "partial_response": "false"}
        headers = bearer("Bearer", self.source.token) if self.source.token else self.source.basic()
        if self.source.tenant:
            headers["X-Scope-OrgID"] = self.source.tenant
        answer = self.client.ask(
            "POST",
            "/api/v1/query",
            deadline,
            headers=headers,
            content=urlencode(form).encode(),
            content_type="application/x-www-form-urlencoded",
        )
        data = self._whole(answer)
        found, kind = data.get("result"), data.get("resultType")
        if kind == "scalar" and isinstance(found, list):
            yield {VALUE: self._number(found)}
            return
        if kind != "vector" or not isinstance(found, list):
            raise self._error("query", f"answers with a {kind}, not a vector or a scalar", "ask for an instant value")
        for series in found:
            named = series.get("metric") if isinstance(series, dict) else None
            if not isinstance(named, dict):
                raise self._error("data", "answers what is no answer of Prometheus's API", "check url")
            labels = {name: value for name, value in named.items() if name != "__name__"}
            if "value" not in series:
                raise self._error(
                    "data", "answers with native histograms", "take histogram_quantile() or histogram_count()"
                )
            if VALUE in labels:
                raise self._error(
                    "data", f"has a label {VALUE}, as the number's column is called", "label_replace() it"
                )
            yield {**labels, VALUE: self._number(series["value"])}

    def close(self) -> None:
        """Nothing is held between questions."""

    def _whole(self, answer: Answer) -> dict[str, Any]:
        body = answer.body if isinstance(answer.body, dict) else {}
        said = str(body.get("error") or "it says no more")[:300]
        kind = body.get("errorType")
        if kind in ("timeout", "canceled"):
            raise self._error("timeout", f"gave up: {said}", "ask for less, or raise timeout")
        if kind in ("bad_data", "execution") or answer.status in (400, 422):
            raise self._error("query", f"can't answer the query: {said}", "try it in the server's own page")
        if answer.status != 200 or body.get("status") != "success":
            if answer.status == 200 or answer.status == 404:
                raise self._error("data", "answers what is no answer of Prometheus's API", "check url")
            raise self._error("connect", f"can't answer now (status {answer.status}): {said}", "see the server's log")
        warnings = body.get("warnings")
        if warnings and not self.source.ignore_warnings:
            told = str(warnings[0])[:300]
            raise self._error("data", f"warns of its answer: {told}", "mend that, or say ignore_warnings: true")
        data = body.get("data")
        if not isinstance(data, dict):
            raise self._error("data", "answers what is no answer of Prometheus's API", "check url")
        return data

    def _number(self, pair: Any) -> float:
        try:
            return float(pair[1])
        except (TypeError, ValueError, IndexError):
            raise self._error("data", "answers with a sample that is no number", "check url") from None

    def _error(self, kind: Kind, message: str, remedy: str) -> CollectError:
        return CollectError(kind, message, place=self.client.place, remedy=remedy)
