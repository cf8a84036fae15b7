"""SLOs on a month of logs in a real Elasticsearch, beside one request per SLO, window and side in series.

``python -m bench.logs_slos [--documents 100000 300000 1000000] [--slos 1 10 50 200] [--data FOLDER]`` writes so many
documents over 30 days, one index a day, and asks for so many SLOs (on statuses and on durations, by service and route):

- ours: `sla_kit.sources.elasticsearch`, which asks for the events of many SLOs by buckets of time (``--bucket``) in
  one ``_msearch``, and ``evaluate``, which computes every window, burn rate, incident and heat map from them;
- the peer: for each SLO and window a search for the good events and one for all, each answered before the next is
  asked, through the same official client; that is the way of slo-generator's Elasticsearch backend, for four windows of
  which the longest is the report's;
- the peer with ``--daily``: the same for each of the 30 days, from which at least a trend by days can be drawn.

The peer ends with two counts for each of its windows; ours has every bucket, from which any window follows.

Both run in this process against the same node, whose caches are emptied before each. The table gives requests, bytes of
requests and answers, seconds, and seconds of the processor in the node and here, which say more where others use the
machine; "faster" is the peer's time by ours, "less CPU" its processor's time by ours, both ends together. The 30-day
ratios of both must be equal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch as Client

from bench.logs_data import DAYS, END, ROUTES, SERVICES, Traffic, cluster, fill, forget, measured
from sla_kit import evaluate
from sla_kit.catalogue.logs import Logs
from sla_kit.catalogue.model import Catalogue, LogEvents, LogLatency, Service, Sli, Slo, Window
from sla_kit.elastic import Cluster
from sla_kit.sources import Indicator
from sla_kit.sources.elasticsearch import ElasticsearchSource
from sla_kit.timeline import Grid

PEER_WINDOWS = tuple((END - seconds, END) for seconds in (3600, 12 * 3600, 7 * 86400, DAYS * 86400))
DAILY = tuple((END - day * 86400, END - (day - 1) * 86400) for day in range(DAYS, 0, -1))
_HEADS = ("requests", "MB out", "MB in", "seconds", "CPU node", "CPU here", "fewer", "faster", "less CPU")
_STATUS, _DURATION = "http.response.status_code", "event.duration"


def catalogue_of(slos: int, index: str, bucket: int) -> Catalogue:
    """That many SLOs, spread over the services: what fails, what is not found, what is slow, by route."""
    made: dict[str, list[Slo]] = {f"svc{number}": [] for number in range(min(SERVICES, slos))}
    for number in range(slos):
        service, variant = f"svc{number % len(made)}", number // len(made)
        made[service].append(_slo(f"slo{variant}", _indicator(service, variant)))
    services = [Service(name=name, slos=several) for name, several in made.items()]
    return Catalogue(name="bench", bucket=float(bucket), logs=Logs(index=f"{index}-*"), services=services)


def _slo(name: str, sli: Sli) -> Slo:
    return Slo(name=name, sli=sli, objective=0.95, window=Window(rolling=DAYS * 86400.0))


def _indicator(service: str, variant: int) -> Sli:
    route = ROUTES[variant // 4 % len(ROUTES)]
    filters: list[dict[str, Any]] = [{"term": {"service.name": service}}]
    if variant:
        filters.append({"term": {"url.path": route}})
    query = {"bool": {"filter": filters}}
    match variant % 4:
        case 0:
            return LogEvents(query=query, bad={"range": {_STATUS: {"gte": 500}}})
        case 1:
            return LogEvents(query=query, bad={"term": {_STATUS: 404}})
        case 2:
            return LogLatency(query=query, threshold=0.25)
        case _:
            return LogLatency(query=query, threshold=1.0)


def run_peer(
    client: Client, catalogue: Catalogue, windows: Sequence[tuple[int, int]] = PEER_WINDOWS
) -> dict[tuple[str, str], tuple[int, int]]:
    """Every SLO and window, one search after another; good and total of the last window."""
    found = {}
    for service, slo in catalogue.slos():
        sli = catalogue.filled(catalogue.sli(service, slo))
        for window in windows:
            good, total = (_count(client, catalogue.logs.index, query, window) for query in _sides(sli))
            found[service.name, slo.name] = good, total
    return found


def _sides(sli: Sli) -> tuple[dict[str, Any], dict[str, Any]]:
    if isinstance(sli, LogEvents):
        total = {"filter": [sli.query]}
        return {**total, "must_not": [sli.bad]}, total
    assert isinstance(sli, LogLatency)
    total = {"filter": [sli.query, {"exists": {"field": _DURATION}}]}
    good = {"range": {_DURATION: {"lte": int(sli.threshold * 1e9)}}}
    return {"filter": [*total["filter"], good]}, total


def _count(client: Client, index: str, query: dict[str, Any], window: tuple[int, int]) -> int:
    start, end = window
    during = {"range": {"@timestamp": {"gt": start * 1000, "lte": end * 1000, "format": "epoch_millis"}}}
    asked = {"bool": {**query, "filter": [*query["filter"], during]}}
    answer = client.search(index=index, query=asked, track_total_hits=True)
    return int(answer["hits"]["total"]["value"])


def run_source(client: Client, catalogue: Catalogue) -> None:
    """Only what the source does: events by bucket over 30 days."""
    source = ElasticsearchSource(Cluster(client))
    indicators = [Indicator.of(catalogue, service, slo) for service, slo in catalogue.slos()]
    for _ in source.fetch(indicators, Grid.covering(END - DAYS * 86400, END, int(catalogue.bucket))):
        pass


def compared(client: Client, documents: int, slos: int, bucket: int, daily: bool = False) -> None:
    """Prints a line of each for one size."""
    index = f"logs-{documents}"
    catalogue = catalogue_of(slos, index, bucket)
    forget(client, f"{index}-*")
    with measured() as theirs:
        counts = run_peer(client, catalogue)
    forget(client, f"{index}-*")
    with measured() as source:
        run_source(client, catalogue)
    forget(client, f"{index}-*")
    with measured() as ours:
        evaluation = evaluate(catalogue, ElasticsearchSource(Cluster(client)), f"{DAYS}d", END)
    for slo in evaluation.slos:
        good, total = counts[slo.key]
        assert (slo.figure.good, slo.figure.total) == (good, total), (slo.key, slo.figure, good, total)
    size = f"{documents:>9}{slos:>6}"
    print(f"{size}  {'one request at a time':24}{_columns(theirs)}")
    if daily:
        forget(client, f"{index}-*")
        with measured() as days:
            run_peer(client, catalogue, DAILY)
        print(f"{size}  {'the same for each day':24}{_columns(days)}")
    print(f"{size}  {'source: timelines':24}{_columns(source)}{_ratio(theirs, source)}")
    print(f"{size}  {'evaluate: all of it':24}{_columns(ours)}{_ratio(theirs, ours)}", flush=True)


def _columns(traffic: Traffic) -> str:
    return f"{traffic.requests:>9}{traffic.sent / 1e6:>9.2f}{traffic.received / 1e6:>9.2f}{traffic.seconds:>9.2f}" + (
        f"{traffic.node_processor:>9.2f}{traffic.processor:>9.2f}"
    )


def _ratio(theirs: Traffic, ours: Traffic) -> str:
    processor = (theirs.node_processor + theirs.processor) / (ours.node_processor + ours.processor)
    return f"{theirs.requests / ours.requests:>8.0f}x{theirs.seconds / ours.seconds:>8.1f}x{processor:>8.1f}x"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="*", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--slos", type=int, nargs="*", default=[1, 10, 50, 200])
    parser.add_argument("--bucket", type=int, default=300, help="our buckets, in seconds")
    parser.add_argument("--daily", action="store_true", help="also the peer for each of the days")
    parser.add_argument("--data", type=Path, help="a folder that keeps the documents for the next time")
    arguments = parser.parse_args()
    with cluster(arguments.data) as client:
        for documents in arguments.documents:
            begun = time.perf_counter()
            fill(client, f"logs-{documents}", documents)
            print(f"{documents} documents are there after {time.perf_counter() - begun:.0f} s")
        typical = 50 if 50 in arguments.slos else arguments.slos[-1]
        # Both sides find the node warm: a machine of its own compiles what is asked often.
        compared(client, arguments.documents[0], typical, arguments.bucket)
        heads = "".join(f"{head:>9}" for head in _HEADS)
        print(f"\n{'documents':>9}{'SLOs':>6}{'':26}{heads}")
        largest = arguments.documents[-1]
        for documents in arguments.documents[:-1]:
            compared(client, documents, typical, arguments.bucket, arguments.daily)
        for slos in arguments.slos:
            compared(client, largest, slos, arguments.bucket, arguments.daily and slos == typical)


if __name__ == "__main__":
    main()
