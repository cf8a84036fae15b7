"""Loading logs into a real Elasticsearch, beside ``parallel_bulk`` of the official client.

``python -m bench.logs_load [--lines 200000] [--rounds 3]`` writes an access log in the combined format and loads it:

- documents that are there already: our sender (`sla_kit.logs.bulk`) beside ``helpers.parallel_bulk`` with as many
  threads and equal chunks, once given the same bytes and once given dicts, as its users have them;
- from the file on: `sla_kit.logs.load`, beside the script one writes (a regular expression, ``strptime``, a dict a
  line, ``parallel_bulk``), each in a process of its own, whose peak memory is told. Ours gives every line an identity,
  so that loading again adds nothing, takes out secrets and detects the format; the script does none of it.

Every side loads into an empty index with the same mapping, in turn, and each figure is the median of the rounds;
"ratio" is documents a second of ours by those of the peer.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from elasticsearch import Elasticsearch as Client
from elasticsearch import helpers

from sla_kit.elastic import Cluster
from sla_kit.logs.bulk import Bulk, Sender
from sla_kit.logs.dead_letters import DeadLetters
from sla_kit.logs.documents import Document
from sla_kit.logs.loading import load
from sla_kit.logs.reading import Reading, Tally, read
from sla_kit.logs.target import prepare
from tests.servers import elasticsearch

THREADS, CHUNK, CHUNK_BYTES = 4, 2000, 4 << 20
_START = 1_788_048_000
_LINE = re.compile(
    r'(?P<ip>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>\S+) (?P<url>\S+) HTTP/(?P<version>\S+)" '
    r'(?P<status>\d+) (?P<bytes>\d+|-) "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1",
    "curl/8.9.1",
)


def write_log(path: Path, lines: int) -> None:
    """An access log: a few routes, mostly answered with 200."""
    random = Random(5)
    with path.open("w") as out:
        for number in range(lines):
            time_of = datetime.fromtimestamp(_START + number // 10, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            status = random.choices((200, 304, 404, 500), (93, 4, 2, 1))[0]
            ip = f"10.{number % 7}.{random.randrange(256)}.{random.randrange(256)}"
            url = f"/{random.choice(('games', 'teams', 'login'))}/{random.randrange(10_000)}?page={number % 9}"
            out.write(
                f'{ip} - - [{time_of}] "GET {url} HTTP/1.1" {status} {random.randrange(50_000)} '
                f'"https://shop.example/start" "{random.choice(_AGENTS)}"\n'
            )


def send_ours(client: Client, index: str, documents: list[Document], scratch: Path) -> None:
    """Our sender."""
    letters = DeadLetters(scratch / "dead.ndjson")
    sender = Sender(Cluster(client), index, letters, Bulk(requests=THREADS, documents=CHUNK, bytes=CHUNK_BYTES))
    for document in documents:
        sender.send(document)
    sender.finish()
    assert sender.loaded == len(documents), sender.failure
    letters.close()


def send_bytes(client: Client, index: str, documents: list[Document]) -> None:
    """The client's, which is given the JSON that is there."""

    def expand(document: Any) -> Any:
        return {"create": {"_index": index, "_id": document.id}}, document.source

    _parallel(client, documents, expand_action_callback=expand)


def send_dicts(client: Client, index: str, documents: list[dict[str, Any]]) -> None:
    """The client's, as it is usually called."""
    _parallel(client, ({"_op_type": "create", "_index": index, **each} for each in documents))


def _parallel(client: Client, actions: Any, **more: Any) -> None:
    chunks: dict[str, Any] = {"chunk_size": CHUNK, "max_chunk_bytes": CHUNK_BYTES, "thread_count": THREADS}
    for ok, item in helpers.parallel_bulk(client, actions, **chunks, **more):
        assert ok, item


def script(client: Client, index: str, path: Path) -> int:
    """The peer from the file on; how many documents it sent."""
    sent = 0

    def actions() -> Iterator[dict[str, Any]]:
        nonlocal sent
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                found = _LINE.match(line)
                if found is None:
                    continue
                sent += 1
                yield {"_op_type": "create", "_index": index, "_source": _document(found)}

    _parallel(client, actions())
    return sent


def _document(found: re.Match[str]) -> dict[str, Any]:
    path, _, query = found["url"].partition("?")
    return {
        "@timestamp": datetime.strptime(found["time"], "%d/%b/%Y:%H:%M:%S %z").isoformat(),
        "source": {"address": found["ip"], "ip": found["ip"]},
        "http": {
            "version": found["version"],
            "request": {"method": found["method"], "referrer": found["referrer"]},
            "response": {"status_code": int(found["status"]), "body": {"bytes": int(found["bytes"].replace("-", "0"))}},
        },
        "url": {"original": found["url"], "path": path, "query": query},
        "user_agent": {"original": found["agent"]},
        "message": found.string.rstrip("\n"),
    }


def alone(side: str, url: str, index: str, path: Path) -> None:
    """One side from the file on, in this process: prints documents, seconds and the peak of its memory."""
    begun = time.perf_counter()
    if side == "ours":
        bulk = Bulk(requests=THREADS, documents=CHUNK, bytes=CHUNK_BYTES)
        cluster = Cluster(url)
        loaded = load([path], cluster, index, bulk=bulk, dead_letters=path.with_suffix(".dead"))
        documents = loaded.loaded
    else:
        with Client(url, request_timeout=120) as client:
            documents = script(client, index, path)
    seconds = time.perf_counter() - begun
    # getrusage would count what the process that started this one had.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    peak = int(line.split()[1]) / 1024
    print(json.dumps({"documents": documents, "seconds": seconds, "megabytes": peak}))


def from_the_file(side: str, url: str, index: str, path: Path) -> dict[str, float]:
    """`alone` in a process of its own."""
    command = [sys.executable, "-m", "bench.logs_load", "--alone", side, url, index, str(path)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def timed(client: Client, index: str, send: Callable[[], None]) -> float:
    """Seconds of sending into an empty index."""
    empty(client, index)
    begun = time.perf_counter()
    send()
    return time.perf_counter() - begun


def empty(client: Client, index: str) -> None:
    """Makes the index anew."""
    client.indices.delete(index=index, ignore_unavailable=True)
    prepare(Cluster(client), index, "index")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        side, url, index, path = arguments.alone
        alone(side, url, index, Path(path))
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        elasticsearch(heap="1g") as server,
        Client(server.url, request_timeout=120) as client,
    ):
        path = Path(folder) / "access.log"
        write_log(path, arguments.lines)
        print(f"{arguments.lines} lines, {path.stat().st_size / 1e6:.0f} MB")
        compare_sending(client, path, arguments.rounds)
        compare_all(client, server.url, path, arguments.rounds)


def compare_sending(client: Client, path: Path, rounds: int) -> None:
    """Documents that are there already."""
    documents = [each for each in read([str(path)], Reading(), Tally()) if isinstance(each, Document)]
    dicts = [{"_id": each.id, "_source": msgspec.json.decode(each.source)} for each in documents]
    sides: dict[str, Callable[[], None]] = {
        "our sender": lambda: send_ours(client, "bench", documents, path.parent),
        "parallel_bulk, bytes": lambda: send_bytes(client, "bench", documents),
        "parallel_bulk, dicts": lambda: send_dicts(client, "bench", dicts),
    }
    timed(client, "bench", sides["our sender"])  # warms the node
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, send in sides.items():
            seconds[name].append(timed(client, "bench", send))
            client.indices.refresh(index="bench")
            assert client.count(index="bench")["count"] == len(documents)
    middle = {name: statistics.median(several) for name, several in seconds.items()}
    print(f"\n{'sending documents':28}{'seconds':>9}{'documents/s':>13}{'ratio':>8}")
    for name, taken in middle.items():
        ratio = "" if name == "our sender" else f"{taken / middle['our sender']:>7.2f}x"
        print(f"{name:28}{taken:>9.2f}{len(documents) / taken:>13,.0f}{ratio}")


def compare_all(client: Client, url: str, path: Path, rounds: int) -> None:
    """From the file on."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "script": []}
    for _ in range(rounds):
        for side, several in found.items():
            empty(client, "bench")
            several.append(from_the_file(side, url, "bench", path))
    print(f"\n{'from the file on':28}{'seconds':>9}{'documents/s':>13}{'peak MB':>9}{'ratio':>8}")
    rate = {}
    for side, several in found.items():
        seconds = statistics.median(each["seconds"] for each in several)
        rate[side] = several[0]["documents"] / seconds
        peak = max(each["megabytes"] for each in several)
        ratio = "" if side == "ours" else f"{rate['ours'] / rate[side]:>7.2f}x"
        name = "sla_kit.logs.load" if side == "ours" else "script with parallel_bulk"
        print(f"{name:28}{seconds:>9.2f}{rate[side]:>13,.0f}{peak:>9.0f}{ratio}")
    assert found["ours"][0]["documents"] == found["script"][0]["documents"]


if __name__ == "__main__":
    main()
