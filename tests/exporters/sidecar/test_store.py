"""The page that a scrape is answered with."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

import pytest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from sla_kit.exporters.sidecar.limiting import limited
from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
from sla_kit.exporters.sidecar.snapshot import Snapshot
from sla_kit.exporters.sidecar.store import Store

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def store(clock: Clock, *names: str) -> Store:
    made = Store(1000, SelfMetrics("test"), clock=clock)
    made.expect(names)
    return made


def snapshot(clock: Clock, *families: Metric, lasts: float = 60.0) -> Snapshot:
    return Snapshot(limited(families, 1000), clock.now, clock.now + lasts)


def backups(target: str, size: float) -> Metric:
    family = GaugeMetricFamily("backup_size_bytes", "How large.", labels=["target"], unit="bytes")
    family.add_metric([target], size)
    return family


def series(page: bytes, openmetrics: bool = False) -> Series:
    families: Iterable[Metric] = (openmetrics_families if openmetrics else text_families)(page.decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.parametrize("openmetrics", [False, True])
def test_one_family_of_two_collectors_stands_there_once(openmetrics: bool) -> None:
    clock = Clock()
    made = store(clock, "a", "b")
    made.succeeded("a", snapshot(clock, backups("shop", 5)), 0.1)
    made.succeeded("b", snapshot(clock, backups('sh"op\n', 7)), 0.1)
    page = made.page(openmetrics, False)
    assert page.count(b"# TYPE backup_size_bytes gauge") == 1
    found = series(page, openmetrics)
    assert found["backup_size_bytes", (("target", "shop"),)] == 5
    assert found["backup_size_bytes", (("target", 'sh"op\n'),)] == 7


@pytest.mark.parametrize("openmetrics", [False, True])
def test_compressed_is_the_same_page(openmetrics: bool) -> None:
    clock = Clock()
    made = store(clock, "a")
    made.succeeded("a", snapshot(clock, backups("shop", 5)), 0.1)
    plain, packed = (
        series(page, openmetrics)
        for page in (made.page(openmetrics, False), gzip.decompress(made.page(openmetrics, True)))
    )
    moving = {name for name, _ in plain if name.startswith("process_")}
    assert {key: value for key, value in plain.items() if key[0] not in moving} == {
        key: value for key, value in packed.items() if key[0] not in moving
    }


def test_a_failure_lets_go_of_the_values_and_is_counted_by_kind() -> None:
    clock = Clock()
    made = store(clock, "a", "b")
    made.succeeded("a", snapshot(clock, backups("shop", 5)), 0.1)
    made.succeeded("b", snapshot(clock, backups("club", 6)), 0.1)
    assert ("backup_size_bytes", (("target", "shop"),)) in series(made.page(False, False))
    made.failed("a", "connect", 0.2)
    found = series(made.page(False, False))
    assert ("backup_size_bytes", (("target", "shop"),)) not in found
    assert found["backup_size_bytes", (("target", "club"),)] == 6
    assert found["sla_exporter_collector_up", (("collector", "a"),)] == 0
    assert found["sla_exporter_collector_up", (("collector", "b"),)] == 1
    assert found["sla_exporter_errors_total", (("collector", "a"), ("kind", "connect"))] == 1
    assert found["sla_exporter_errors_total", (("collector", "a"), ("kind", "timeout"))] == 0
    assert ("sla_exporter_snapshot_age_seconds", (("collector", "a"),)) not in found


def test_the_age_of_a_snapshot_grows_and_an_old_one_is_let_go() -> None:
    clock = Clock()
    made = store(clock, "a")
    made.succeeded("a", snapshot(clock, backups("shop", 5), lasts=60), 0.1)
    clock.now += 59
    found = series(made.page(False, False))
    assert found["sla_exporter_snapshot_age_seconds", (("collector", "a"),)] == 59
    assert found["backup_size_bytes", (("target", "shop"),)] == 5
    clock.now += 1
    found = series(made.page(False, False))
    assert ("backup_size_bytes", (("target", "shop"),)) not in found
    assert found["sla_exporter_collector_up", (("collector", "a"),)] == 0


def test_it_is_ready_once_each_collector_has_come_to_an_end() -> None:
    clock = Clock()
    made = store(clock, "a", "b")
    assert not made.ready()
    made.succeeded("a", snapshot(clock), 0.1)
    assert not made.ready()
    made.failed("b", "timeout", 9)
    assert made.ready()
    assert store(clock).ready()  # with nothing to collect there is nothing to wait for


def test_a_collector_that_is_gone_takes_its_values_along() -> None:
    clock = Clock()
    made = store(clock, "a", "b")
    for name, target in (("a", "shop"), ("b", "club")):
        made.succeeded(name, snapshot(clock, backups(target, 5)), 0.1)
    made.page(False, False)
    made.expect(["b"])
    found = series(made.page(False, False))
    assert {labels for name, labels in found if name == "backup_size_bytes"} == {(("target", "club"),)}
    made.succeeded("a", snapshot(clock, backups("shop", 5)), 0.1)  # it ended late
    assert ("backup_size_bytes", (("target", "shop"),)) not in series(made.page(False, False))


def test_series_that_were_dropped_are_counted_at_each_collection() -> None:
    clock = Clock()
    made = store(clock, "a")
    family = CounterMetricFamily("calls", "Calls.", labels=["route"])
    for route in "abc":
        family.add_metric([route], 1)
    for _ in range(2):
        made.succeeded("a", Snapshot(limited([family], 2), clock.now, clock.now + 60), 0.1)
        family = CounterMetricFamily("calls", "Calls.", labels=["route"])
        for route in "abc":
            family.add_metric([route], 1)
    found = series(made.page(False, False))
    assert found["sla_exporter_series_dropped_total", (("collector", "a"), ("metric", "calls"))] == 2
    assert found["sla_exporter_series", (("collector", "a"),)] == 2


def test_a_page_with_no_collector_is_a_whole_page() -> None:
    assert (
        series(Store(10, SelfMetrics("test")).page(True, False), True)[
            "sla_exporter_scrapes_total", (("status", "200"),)
        ]
        == 0
    )


def test_a_compressed_page_is_one_member_since_curl_ends_at_the_first() -> None:
    clock = Clock()
    made = store(clock, "a")
    made.succeeded("a", snapshot(clock, backups("shop", 5)), 0.1)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    page = unpacker.decompress(made.page(True, True))
    assert unpacker.eof
    assert unpacker.unused_data == b""
    assert page.endswith(b"# EOF\n")
