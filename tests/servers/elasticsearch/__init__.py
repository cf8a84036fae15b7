"""A genuine Elasticsearch node, started from the jars that ``.ci/elasticsearch`` fetched.

It has no modules but its transport: no ingest processors, no lifecycle management, no scripts, no security.
"""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import Server, free_port, listens, started


@dataclass(frozen=True, slots=True)
class Elasticsearch(Server):
    """A running Elasticsearch of one node; snapshots may go to its folder ``snapshots``."""


@contextmanager
def elasticsearch(
    *,
    data: Path | None = None,
    port: int | None = None,
    settings: Mapping[str, object] | None = None,
    heap: str = "512m",
) -> Iterator[Elasticsearch]:
    """An Elasticsearch with what is in the folder ``data``, else an empty one in a folder that goes when it does.

    ``port`` is for one that comes back where it was; ``settings`` are those of ``elasticsearch.yml``
    (``{"thread_pool.search.size": 1}``). However full the machine's disk is, it takes documents.
    """
    fetched = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-kit-elasticsearch"
    if not (fetched / ".state").is_file():
        pytest.fail("Elasticsearch was not fetched; try: .ci/elasticsearch .venv/bin/python", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="sla-kit-elasticsearch-", ignore_cleanup_errors=True) as scratch:
        folder = Path(data or scratch).resolve()
        (folder / "config").mkdir(parents=True, exist_ok=True)
        configured = {"cluster.routing.allocation.disk.threshold_enabled": False, **(settings or {})}
        (folder / "config" / "elasticsearch.yml").write_text(json.dumps(configured))  # JSON is YAML

        def command(chosen: int) -> list[str]:
            classes = os.pathsep.join([str(fetched / "classes"), *sorted(map(str, (fetched / "lib").glob("*.jar")))])
            node = ["org.elasticsearch.node.TestNode", str(folder), str(port or chosen), str(free_port())]
            return [
                str((fetched / "java-program").resolve()),
                f"-Xmx{heap}",
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules=jdk.net",
                "-Djava.awt.headless=true",
                f"-Djava.io.tmpdir={scratch}",
                f"-Des.path.home={folder}",
                *("-cp", classes, *node),
            ]

        def answers(pid: int, chosen: int) -> bool:
            return _has_its_state(f"http://127.0.0.1:{chosen}") and listens(pid, chosen)

        with started(command, data=folder, answers=answers, name="elasticsearch", scheme="http", port=port) as server:
            yield Elasticsearch(server.url, server.data, server.log, server.pid)


def _has_its_state(url: str) -> bool:
    """Whether it has found what it knew: it answers a little before, and then refuses to make an index."""
    try:
        with urllib.request.urlopen(f"{url}/_cluster/state/blocks,master_node", timeout=30) as answer:
            state = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    return bool(state.get("master_node")) and not state["blocks"].get("global")
