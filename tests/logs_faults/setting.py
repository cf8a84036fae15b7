"""Two days of documents, a catalogue with SLOs on them, the commands on both, and what a count by hand finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch as Client

Document = dict[str, Any]
#: 2026-08-30T00:00:00Z; the moment that reports look back from is the end of the second day.
START = 1_788_048_000
DAY = 86_400
AT = START + 2 * DAY
EVERY_SECONDS = 30
THRESHOLD_SECONDS = 0.5
MAPPING: Mapping[str, str] = {
    "@timestamp": "date",
    "event.ingested": "date",
    "event.duration": "long",
    "http.response.status_code": "long",
    "service.name": "keyword",
    "log.level": "keyword",
    "message": "text",
    "error.type": "keyword",
    "error.message": "text",
    "error.grouping_key": "keyword",
}
_CATALOGUE = """
name: shop
bucket: 1m
logs: {{index: "{index}", errors: {{enabled: {errors}}}}}
services:
  - name: api
    slos:
      - name: availability
        objective: 99%
        window: 1d
        sli:
          kind: log-events
          query: "service.name:api"
          bad: "http.response.status_code:[500 TO *]"
      - name: strict
        objective: 99%
        window: 1d
        missing: fail
        sli:
          kind: log-events
          query: "service.name:api"
          bad: "http.response.status_code:[500 TO *]"
      - name: quick
        objective: 90%
        window: 1d
        sli: {{kind: log-latency, query: "service.name:api", threshold: 500ms}}
"""


def stamp(seconds: float) -> str:
    """A time as documents tell it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def document(number: int, time: float) -> Document:
    """What happened then: every 41st request fails, every 13th is slow."""
    failed, slow = number % 41 == 7, number % 13 == 5
    found: Document = {
        "@timestamp": stamp(time),
        "service": {"name": "api"},
        "http": {"response": {"status_code": 503 if failed else 200}},
        # 90 ms has more digits than 4 s has in its first place: texts of them sort otherwise than the numbers do.
        "event": {"duration": 4_000_000_000 if slow else 90_000_000, "ingested": stamp(time + 2)},
        "log": {"level": "error" if failed else "info"},
        "message": "upstream timed out" if failed else "answered",
    }
    if failed:
        found["error"] = {"type": "TimeoutError", "message": "upstream timed out", "grouping_key": "0123456789abcdef"}
    return found


def day_of(number: int) -> list[Document]:
    """The documents of the first (0) or second (1) day; none at the edge of a bucket."""
    begin = START + number * DAY
    return [document(n, begin + n * EVERY_SECONDS + 7) for n in range(DAY // EVERY_SECONDS)]


DAYS = (day_of(0), day_of(1))


def bad(documents: Iterable[Document]) -> int:
    """How many failed."""
    return sum(each["http"]["response"]["status_code"] >= 500 for each in documents)


def slow(documents: Iterable[Document]) -> int:
    """How many took longer than the threshold."""
    return sum(each["event"]["duration"] > THRESHOLD_SECONDS * 1e9 for each in documents)


def properties(mapping: Mapping[str, str]) -> dict[str, Any]:
    """A mapping of nested objects, from the fields' names and types."""
    found: dict[str, Any] = {}
    for name, kind in mapping.items():
        *parents, leaf = name.split(".")
        inner = found
        for parent in parents:
            inner = inner.setdefault(parent, {"properties": {}})["properties"]
        inner[leaf] = {"type": kind}
    return found


def store(
    url: str,
    index: str,
    documents: Sequence[Document],
    *,
    shards: int = 1,
    change: Mapping[str, str] | None = None,
) -> None:
    """Puts documents into an index of their own; ``change`` are types that differ from what they should be."""
    with Client(url, request_timeout=120) as client:
        client.indices.create(
            index=index,
            settings={"number_of_shards": shards, "number_of_replicas": 0},
            mappings={"properties": properties({**MAPPING, **(change or {})})},
            wait_for_active_shards="all",
        )
        create: Document = {"create": {}}
        for at in range(0, len(documents), 1000):
            part = documents[at : at + 1000]
            lines: list[Document] = [line for each in part for line in (create, each)]
            answer = client.bulk(index=index, operations=lines)
            assert not answer["errors"], str(answer)[:1000]
        client.indices.refresh(index=index)


def store_both(url: str, index: str, **more: Any) -> None:
    """Both days, each in its index."""
    for number, documents in enumerate(DAYS):
        store(url, f"{index}-{number}", documents, **more)


@dataclass(slots=True)
class Place:
    """A folder with the catalogue of the indices ``index``-…."""

    folder: Path
    index: str
    environment: dict[str, str] = field(default_factory=dict)
    errors: bool = False

    def __post_init__(self) -> None:
        text = _CATALOGUE.format(index=f"{self.index}-*", errors=str(self.errors).lower())
        (self.folder / "sla.yml").write_text(text)

    def run(self, *arguments: str, url: str) -> subprocess.CompletedProcess[str]:
        """A command of sla-kit in a process of its own."""
        program = "from sla_kit.cli import main; main()"
        command = [sys.executable, "-c", program, *arguments, "--source", f"elasticsearch+{url}"]
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=self.folder, env=environment)

    def report(self, url: str, *, window: str = "2d", at: float = AT) -> Told:
        """What the report tells, and how the command ended."""
        out = self.folder / "out"
        arguments = ("report", "--at", str(at), "--window", window, "--out", str(out), "-f", "json", "-f", "md")
        done = self.run(*arguments, url=url)
        path = out / "report.json"
        text = (out / "report.md").read_text() if (out / "report.md").exists() else ""
        return Told(done, json.loads(path.read_text()) if path.exists() else None, text)

    def status(self, url: str, *, window: str = "2d", at: float = AT) -> subprocess.CompletedProcess[str]:
        """What ``sla-kit status`` says; it leaves with 0 (met), 1 (missed), 2 (can't be told)."""
        return self.run("status", "--at", str(at), "--window", window, url=url)

    def errors_of(self, url: str, *, window: str = "2d", at: float = AT) -> Errors:
        """What ``sla-kit errors`` tells; it leaves with 2 where that can't be told."""
        done = self.run("errors", "--at", str(at), "--window", window, "-f", "json", url=url)
        return Errors(done, json.loads(done.stdout) if done.stdout.strip() else None)


@dataclass(frozen=True, slots=True)
class Errors:
    """Groups of errors: how the command ended, and the document (None where it told none)."""

    done: subprocess.CompletedProcess[str]
    document: dict[str, Any] | None

    @property
    def kinds(self) -> set[str]:
        """The kinds of the findings."""
        assert self.document is not None, self.done.stderr
        return {one["kind"] for one in self.document["findings"]}


@dataclass(frozen=True, slots=True)
class Told:
    """A report: how the command ended, the document (None where it wrote none) and its Markdown."""

    done: subprocess.CompletedProcess[str]
    document: dict[str, Any] | None
    text: str

    def slo(self, name: str) -> dict[str, Any]:
        """One SLO's part of the document."""
        assert self.document is not None, self.done.stderr
        (found,) = [each for each in self.document["slos"] if each["slo"] == name]
        return dict(found)

    def findings(self) -> list[dict[str, Any]]:
        """All findings: those of the report and those of its SLOs."""
        assert self.document is not None, self.done.stderr
        return [*self.document["findings"], *(one for each in self.document["slos"] for one in each["findings"])]

    @property
    def said(self) -> str:
        """All that a reader is told in words: findings, and what the command printed."""
        words = [] if self.document is None else [f"{one['kind']}: {one['message']}" for one in self.findings()]
        return "\n".join([*words, self.done.stdout, self.done.stderr])


def holds(told: Told, days: Sequence[Sequence[Document]] = DAYS) -> None:
    """The figures are what a count by hand finds, of whole days that were all observed."""
    documents = [each for day in days for each in day]
    for name, count in (("availability", bad), ("quick", slow)):
        figures(told.slo(name), documents, count)
        assert told.slo(name)["coverage"] == 1.0


def figures(slo: Mapping[str, Any], documents: Sequence[Document], count: Callable[[Iterable[Document]], int]) -> None:
    """One SLO's events are exactly those of the documents."""
    assert (slo["total"], slo["bad"]) == (len(documents), count(documents))
    assert slo["sli"] == pytest.approx(1 - count(documents) / len(documents), abs=1e-9)


def unknown(told: Told) -> None:
    """Nothing is claimed of any SLO, and it is told why."""
    for name in ("availability", "strict", "quick"):
        slo = told.slo(name)
        assert (slo["sli"], slo["met"], slo["total"], slo["coverage"]) == (None, None, 0, 0.0)
    assert "partial-answer" in {one["kind"] for one in told.findings()}
    for claim in ("has no document", "has had no document", "no document matches", "no document that matches"):
        assert claim not in told.said  # nobody knows that
