"""A genuine Elasticsearch node, started from the jars that ``.ci/elasticsearch`` fetched.

It has no modules but its transport: no ingest processors, no lifecycle management, no scripts, no security.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import Server, free_port, running


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
    (``{"thread_pool.search.size": 1}``).
    """
    fetched = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-kit-elasticsearch"
    if not (fetched / ".state").is_file():
        pytest.fail("Elasticsearch was not fetched; try: .ci/elasticsearch .venv/bin/python", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="sla-kit-elasticsearch-", ignore_cleanup_errors=True) as scratch:
        folder = Path(data or scratch).resolve()
        (folder / "config").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "elasticsearch.yml").write_text(json.dumps(settings or {}))  # JSON is YAML

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

        with running(command, data=folder, ready="/_cluster/health", name="elasticsearch", port=port) as server:
            yield Elasticsearch(server.url, server.data, server.log, server.pid)
