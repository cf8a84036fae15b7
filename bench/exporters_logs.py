"""The exporter of logs: what its way to Elasticsearch costs in memory beside the official client, and what it collects
in which time.

    python -m bench.exporters_logs [--documents 200000] [--starts 5] [--collections 10]

- memory: a process that has imported our way (`sla_kit.exporters.elasticsearch`, on ``http.client``), one with the
  official client, one with urllib3, each beside a bare interpreter and, as it would be in the exporter, beside one with
  the sidecar's framework. Resident, after one search was answered, the median of so many starts.
- collections: each collector on one real node with so many documents of an hour, by 20 services with 20 types of error.
  The peer is the searches alone, through the official client: without the state file, and on one connection.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sla_kit.catalogue.logs import LogFields
from sla_kit.catalogue.model import Catalogue
from sla_kit.error_tracking.asking import error_query
from sla_kit.exporters.logs import EXPORTER
from sla_kit.exporters.logs.documents import Arrival, Span
from sla_kit.exporters.sidecar.collector import Collector
from tests.servers.elasticsearch import elasticsearch

_FRAMEWORK = "import sla_kit.exporters.sidecar.serving, sla_kit.exporters.sidecar.running"
_OURS = """
import time
from pathlib import Path
from sla_kit.exporters.elasticsearch import ElasticsearchEndpoint
ElasticsearchEndpoint(url={url!r}).searcher(Path(".")).search("logs-*", {{"size": 0}}, time.monotonic() + 60)
"""
_CLIENT = """
from elasticsearch import Elasticsearch
Elasticsearch({url!r}).search(index="logs-*", size=0)
"""
_URLLIB3 = """
import urllib3
urllib3.PoolManager().request("POST", {url!r} + "/logs-*/_search", json={{"size": 0}}).json()
"""
_WAYS = {"nothing": "", "http.client (ours)": _OURS, "urllib3": _URLLIB3, "official client": _CLIENT}
_RESIDENT = """
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")][0])
"""
_KEYWORD = {"type": "keyword"}
_MAPPING = {
    "@timestamp": {"type": "date"},
    "event": {"properties": {"ingested": {"type": "date"}}},
    "service": {"properties": {"name": _KEYWORD}},
    "log": {"properties": {"level": _KEYWORD}},
    "error": {"properties": {"type": _KEYWORD, "grouping_key": _KEYWORD}},
    "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
}


def memory(url: str, starts: int) -> None:
    """Prints what each way takes, and how much more than nothing."""
    print(f"{'resident after one search, MB':34} {'alone':>10} {'more':>8} {'in the sidecar':>16} {'more':>8}")
    found: dict[str, list[float]] = {}
    for name, code in _WAYS.items():
        for before in ("", _FRAMEWORK):
            source = f"{before}\n{code.format(url=url)}\n{_RESIDENT}"
            found.setdefault(name, []).append(statistics.median(_kilobytes(source) / 1024 for _ in range(starts)))
    bare, framework = found["nothing"]
    for name, (alone, beside) in found.items():
        print(f"{name:34} {alone:>10.1f} {alone - bare:>8.1f} {beside:>16.1f} {beside - framework:>8.1f}")
    ours, client = found["http.client (ours)"], found["official client"]
    print(
        f"with the official client a process takes {client[0] / ours[0]:.1f} times as much, a sidecar "
        f"{client[1] / ours[1]:.1f} times: {client[1] - ours[1]:.0f} MB more"
    )


def _kilobytes(source: str) -> int:
    return int(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout)


def collections(url: str, count: int, documents: int, now: float) -> None:
    """Prints how long each collector takes, and the first's searches through the official client."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "logs.yml"
        path.write_text(f'state: logs.db\ncluster: {{url: "{url}"}}\nindex: logs-*\nbackfill: 1h\n')
        found = EXPORTER.load(path).collectors
        print(f"{documents} documents of an hour, {count} collections each, median (and longest) in ms:")
        for each in found:
            first = _milliseconds(each)
            times = [_milliseconds(each) for _ in range(count)]
            note = f"; the first, with the whole hour: {first:.0f}" if each.name == "counts" else ""
            print(f"{each.name:34} {statistics.median(times):>10.1f} ({max(times):.1f}){note}")
    print(f"{'counts, by the official client':34} {_by_client(url, count, now):>10.1f}")


def _milliseconds(each: Collector) -> float:
    began = time.perf_counter()
    list(each.collect(time.monotonic() + 120))
    return 1e3 * (time.perf_counter() - began)


def _by_client(url: str, count: int, now: float) -> float:
    """The two searches of a slice that is as long, each time of another one, in milliseconds."""
    from elasticsearch import Elasticsearch

    fields, errors = LogFields(), [error_query(Catalogue(name="logs", services=[]))]
    times = []
    with Elasticsearch(url) as client:
        for number in range(count + 1):
            end = int((now - 60 - number) * 1000)
            arrived = Arrival(Span(end - 100, end), Span(end - 270_100, end - 270_000)).of(fields)
            began = time.perf_counter()
            for field, more in ((fields.level, []), (fields.error_type, errors)):
                sources = [
                    {name: {"terms": {"field": name, "missing_bucket": True}}} for name in (fields.service, field)
                ]
                client.search(
                    index="logs-*",
                    size=0,
                    track_total_hits=False,
                    query={"bool": {"filter": [arrived, *more]}},
                    aggs={"rows": {"composite": {"size": 1000, "sources": sources}}},
                )
            times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def fill(url: str, count: int, now: float) -> None:
    """Documents of the hour before ``now``."""
    settings = {"number_of_shards": 2, "number_of_replicas": 0}
    _send(url, "PUT", "/logs-shop", json.dumps({"settings": settings, "mappings": {"properties": _MAPPING}}))
    lines = _documents(count, now)
    for _ in range(0, count, 20_000):
        batch = [line for _, line in zip(range(20_000), lines, strict=False)]
        _send(url, "POST", "/logs-shop/_bulk", "".join(f'{{"create":{{}}}}\n{line}\n' for line in batch))
    _send(url, "POST", "/logs-shop/_refresh", "")


def _documents(count: int, now: float) -> Iterator[str]:
    chance = random.Random(1)
    for _ in range(count):
        at = now - chance.uniform(30, 3600)
        each: dict[str, Any] = {
            "@timestamp": int((at - chance.expovariate(1)) * 1000),
            "event": {"ingested": int(at * 1000)},
            "service": {"name": f"service-{chance.randrange(20)}"},
            "log": {"level": chance.choice(["info"] * 17 + ["warn", "debug", "error"])},
            "http": {"response": {"status_code": chance.choice([200] * 98 + [404, 503])}},
        }
        if each["log"]["level"] == "error":
            kind = chance.randrange(20)
            each["error"] = {"type": f"Error{kind}", "grouping_key": f"{kind}-{chance.randrange(5)}"}
        yield json.dumps(each)


def _send(url: str, method: str, path: str, body: str) -> None:
    kind = "application/x-ndjson" if path.endswith("_bulk") else "application/json"
    data = body.encode() if body else None
    request = urllib.request.Request(url + path, data=data, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=120) as answer:
        found = json.load(answer)
    if found.get("errors"):
        raise RuntimeError("some documents were refused")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--collections", type=int, default=10)
    arguments = parser.parse_args()
    with elasticsearch() as node:
        now = time.time()
        fill(node.url, arguments.documents, now)
        memory(node.url, arguments.starts)
        collections(node.url, arguments.collections, arguments.documents, now)


if __name__ == "__main__":
    main()
