"""An Elasticsearch, or what speaks as it does (OpenSearch), asked over plain HTTP by the exporters that read it.

An answer that some shards are missing from, or that ran out of time, is an error: a count from it would be too low.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, check_secret
from sla_kit.exporters.http import Answer, Client, Endpoint, bearer
from sla_kit.exporters.sidecar.collector import CollectError


class ElasticsearchEndpoint(Endpoint, frozen=True, kw_only=True):
    """A cluster of Elasticsearch: ``api_key`` (as its API gives it out, encoded), or ``username`` and ``password``."""

    api_key: Secret | None = None

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with how the cluster is named, and with the secrets for it."""
        super().check(findings, path)
        check_secret(self.api_key, findings, (*path, "api_key"))
        if self.api_key and self.username:
            findings.say((*path, "api_key"), "stands beside username", "say one of them")

    def searcher(self, folder: Path) -> Searcher:
        """What asks it, without connecting; ``ca_file`` is in ``folder`` where it is relative."""
        return Searcher(self, Client(self.url, self.authority(folder)))


@dataclass(frozen=True)
class Searcher:
    """Asks one cluster, and takes only whole answers."""

    endpoint: ElasticsearchEndpoint
    client: Client

    def search(self, index: str, body: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """A search's whole answer. Raises `CollectError`, also where no index is there."""
        answer = self.ask("POST", f"/{_path(index)}/_search?{_WHOLE}", deadline, body)
        found = self.taken(answer, index, "query")
        self._whole(found, index)
        return found

    def ask(self, method: str, path: str, deadline: float, body: Mapping[str, Any] | None = None) -> Answer:
        """Whatever is answered. Raises `CollectError` where nothing is, or nothing to us."""
        key = self.endpoint.api_key
        headers = bearer("ApiKey", key) if key else self.endpoint.basic()
        content = b"" if body is None else json.dumps(body).encode()
        return self.client.ask(method, path, deadline, headers=headers, content=content)

    def taken(self, answer: Answer, index: str, asked: str) -> dict[str, Any]:
        """The body of an answer that is none of an error; ``asked`` is what is refused otherwise."""
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status == 200:
            return body
        place = self._place(index)
        said = body.get("error")
        cause = said if isinstance(said, dict) else {}
        kind = str(cause.get("type", ""))
        causes = cause.get("root_cause") or [{}]
        reason = str(causes[0].get("reason") or cause.get("reason") or "it says no more")[:300]
        if answer.status == 503 and kind == "search_phase_execution_exception":
            raise CollectError("data", f"has no shard that answers: {reason}", place=place, remedy="see its health")
        if answer.status >= 500 or answer.status == 429:
            raise CollectError("connect", f"can't answer now (status {answer.status}): {reason}", place=place)
        raise CollectError(
            "query",
            f"refuses the {asked} (status {answer.status}): {reason}",
            place=place,
            remedy=f"check index and {asked}",
        )

    def misshapen(self, index: str) -> CollectError:
        """What an answer is told of that does not have what was asked for."""
        return CollectError("data", "answers what is no search's answer", place=self._place(index), remedy="check url")

    def _whole(self, body: Mapping[str, Any], index: str) -> None:
        """Raises where the answer is not all of it."""
        place = self._place(index)
        shards = body.get("_shards")
        if not isinstance(shards, dict) or not shards.get("total"):
            raise self.misshapen(index)
        if body.get("timed_out"):
            raise CollectError(
                "data", "ran out of time, so that the count is too low", place=place, remedy="raise timeout"
            )
        if shards.get("failed"):
            told = [str(each.get("reason", {}).get("reason", "")) for each in shards.get("failures", [])][:1]
            raise CollectError(
                "data",
                f"has no answer of {shards['failed']} of {shards.get('total')} shards: {' '.join(told)[:300]}",
                place=place,
                remedy="a count without them would be too low; see the cluster's health",
            )
        clusters = body.get("_clusters") or {}
        if any(clusters.get(state) for state in ("skipped", "partial", "failed")):
            raise CollectError("data", "has no whole answer of some clusters", place=place, remedy="see their health")

    def _place(self, index: str) -> str:
        return f"{self.client.place}/{index}"


#: Nothing to be found where there is no index, and shards that fail told of rather than an answer refused.
_WHOLE = "allow_no_indices=false&allow_partial_search_results=true"


def text_of(value: Any) -> str:
    """A field's value as a label has it; documents without the field have none."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(index: str) -> str:
    return quote(index, safe="*,-")
