"""Errors of a week grouped on a real Elasticsearch, beside pulling all of them and grouping in Python.

``python -m bench.logs_errors [--documents 1000000] [--data FOLDER]`` writes documents over 30 days, a tenth of them
with an error, and asks which groups the last week had: how many, by users and releases and over time, how many the week
before, and when each was first seen in 30 days.

- ours: `sla_kit.error_tracking.track`, once where documents bring the key of their group (counted by the server), and
  once where they don't (a random sample of 10,000, whose counts have bounds);
- the peer: ``helpers.scan`` over the errors of 30 days with the fields that are needed, and dictionaries; the key is
  the document's, or made by the same function.

The table gives requests, bytes of requests and answers, seconds and how far the counts are off the truth; "faster" is
the peer's time by ours.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch as Client
from elasticsearch import helpers

from bench.logs_data import DAYS, END, Traffic, cluster, fill, forget, measured
from sla_kit.catalogue.logs import ErrorTracking, LogFields, Logs
from sla_kit.catalogue.model import Catalogue, Service
from sla_kit.elastic import Cluster
from sla_kit.error_tracking import track
from sla_kit.error_tracking.results import ErrorReport
from sla_kit.logs.fingerprint import fingerprint

WEEK = 7 * 86400
_FIELDS = ["@timestamp", "service.name", "service.version", "user.id", "error", "log.level"]
Key = tuple[str, str]


def run_peer(client: Client, index: str, *, by_key: bool) -> Counter[Key]:
    """Pulls the errors of 30 days; how many of each group the last week had."""
    count: Counter[Key] = Counter()
    before: Counter[Key] = Counter()
    users: defaultdict[Key, set[str]] = defaultdict(set)
    releases: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    trend: defaultdict[Key, Counter[int]] = defaultdict(Counter)
    first: dict[Key, int] = {}
    query = {"bool": {"filter": [{"term": {"log.level": "error"}}]}}
    for hit in helpers.scan(client, index=index, query={"query": query, "_source": _FIELDS}, size=5000):
        found: dict[str, Any] = hit["_source"]
        error = found["error"]
        name = error["grouping_key"]
        if not by_key:
            name = fingerprint(error["type"], error["message"], error["stack_trace"]).key
        key = found["service"]["name"], name
        at = found["@timestamp"] / 1000
        first[key] = min(first.get(key, at), at)
        if END - WEEK < at <= END:
            count[key] += 1
            users[key].add(found["user"]["id"])
            releases[key][found["service"]["version"]] += 1
            trend[key][int((END - at) // (WEEK / 24))] += 1
        elif END - 2 * WEEK < at <= END - WEEK:
            before[key] += 1
    return count


def run_ours(client: Client, index: str, *, by_key: bool) -> ErrorReport:
    """The same from `track`."""
    fields = LogFields() if by_key else LogFields(group="error.fingerprint_nobody_writes")
    logs = Logs(index=index, fields=fields, errors=ErrorTracking(query={"term": {"log.level": "error"}}))
    catalogue = Catalogue(name="bench", logs=logs, services=[Service(name="svc0")])
    return track(Cluster(client), catalogue, END - WEEK, END, groups=1000)


def compared(client: Client, index: str, *, by_key: bool) -> None:
    """Prints a line of each."""
    forget(client, index)
    with measured() as theirs:
        truth = run_peer(client, index, by_key=by_key)
    forget(client, index)
    with measured() as ours:
        report = run_ours(client, index, by_key=by_key)
    name = "with keys" if by_key else "without keys"
    print(f"{name:14}{'pull and group':18}{_columns(theirs)}{'':9}{len(truth):>8}")
    faster = f"{theirs.seconds / ours.seconds:>8.1f}x"
    print(f"{name:14}{'track':18}{_columns(ours)}{faster}{len(report.groups):>8}  {_error(report, truth)}", flush=True)


def _error(report: ErrorReport, truth: Counter[Key]) -> str:
    total = sum(truth.values())
    found = {(group.service, group.key): group.count for group in report.groups}
    if report.total.exact and all(count.exact for count in found.values()):
        assert {key: count.value for key, count in found.items()} == dict(truth)
        return "exact"
    off = abs(report.total.value - total) / total
    shared = [(count, truth[key]) for key, count in found.items() if key in truth]
    inside = sum(count.low <= true <= count.high for count, true in shared)
    return f"total off by {off:.1%}; {inside} of {len(shared)} counts inside their bounds"


def _columns(traffic: Traffic) -> str:
    return f"{traffic.requests:>9}{traffic.sent / 1e6:>9.2f}{traffic.received / 1e6:>9.2f}{traffic.seconds:>9.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="a folder that keeps the documents for the next time")
    arguments = parser.parse_args()
    name = f"logs-{arguments.documents}"
    with cluster(arguments.data) as client:
        fill(client, name, arguments.documents)
        client.search(index=f"{name}-*", size=0, aggs={"levels": {"terms": {"field": "log.level"}}})
        heads = "".join(f"{head:>9}" for head in ("requests", "MB out", "MB in", "seconds", "faster"))
        print(f"{arguments.documents} documents over {DAYS} days\n\n{'':32}{heads}{'groups':>8}")
        for by_key in (True, False):
            compared(client, f"{name}-*", by_key=by_key)


if __name__ == "__main__":
    main()
