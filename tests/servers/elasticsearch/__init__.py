"""A genuine Elasticsearch node, started from the jars that ``.ci/elasticsearch`` fetched.

It has no modules but its transport: no ingest processors, no lifecycle management, no scripts, no security.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import Server, free_port, running


@dataclass(frozen=True, slots=True)
class Elasticsearch(Server):
    """A running Elasticsearch of one node; snapshots may go to its folder ``snapshots``."""


@contextmanager
def elasticsearch() -> Iterator[Elasticsearch]:
    """An empty Elasticsearch, in a data folder that goes when it does."""
    fetched = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-kit-elasticsearch"
    if not (fetched / ".state").is_file():
        pytest.fail("Elasticsearch was not fetched; try: .ci/elasticsearch .venv/bin/python", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="sla-kit-elasticsearch-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch).resolve()

        def command(port: int) -> list[str]:
            classes = os.pathsep.join([str(fetched / "classes"), *sorted(map(str, (fetched / "lib").glob("*.jar")))])
            return [
                str((fetched / "java-program").resolve()),
                "-Xmx512m",
                "--enable-native-access=ALL-UNNAMED",
                "--add-modules=jdk.net",
                "-Djava.awt.headless=true",
                f"-Djava.io.tmpdir={folder}",
                f"-Des.path.home={folder}",
                *("-cp", classes, "org.elasticsearch.node.TestNode", str(folder), str(port), str(free_port())),
            ]

        with running(command, data=folder, ready="/_cluster/health", name="elasticsearch") as server:
            yield Elasticsearch(server.url, server.data, server.log, server.pid)
