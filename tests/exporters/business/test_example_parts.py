"""The parts of the example that are commented out: good once the comment is taken away, and good on real servers."""

from __future__ import annotations

import re
import time
from pathlib import Path

from sla_kit.exporters.business import EXPORTER
from tests.servers import redis

EXAMPLE = Path(__file__).parents[3] / "exporters" / "business" / "example.yml"


def uncommented() -> str:
    """The example with all its parts. A comment in words has one space after its #, or three."""
    return re.sub(r"^( *)#(?=(  )*\S)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def test_every_part_of_the_example_is_good(tmp_path: Path) -> None:
    (tmp_path / "business.yml").write_text(uncommented())
    loaded = EXPORTER.load(tmp_path / "business.yml")
    names = " ".join(collector.name for collector in loaded.collectors)
    for part in ("feature_activity", "watching", "searches", "edge", "pushed"):
        assert part in names
    assert [getattr(route, "path", "") for route in loaded.routes] == ["/push"]
    assert len(loaded.services) == 1


def test_the_parts_on_redis_publish(tmp_path: Path) -> None:
    with redis() as server:
        now = time.time()
        minute = time.strftime("%Y%m%d%H%M", time.gmtime(now))
        server.run("PFADD", f"seen:search:{minute}", "ada", "bob")
        server.run("ZADD", "watching:final", str(now), "ada", str(now - 3600), "bob")
        text = uncommented().replace("redis://127.0.0.1:6379/0", f"{server.url}/0")
        (tmp_path / "business.yml").write_text(re.sub(r"\n *(username: reader|password: {env: CACHE.*)", "", text))
        loaded = EXPORTER.load(tmp_path / "business.yml")
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for collector in loaded.collectors
            if "feature_activity" in collector.name or "watching" in collector.name
            for family in collector.collect(time.monotonic() + 60)
            for sample in family.samples
        }
    assert found["shop_watching_users", "final"] == 1
    active = {key: value for key, value in found.items() if key[0] == "shop_feature_active_users"}
    assert list(active.values()) == [2, 2]
