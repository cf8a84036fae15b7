"""Collections at their own pace, with an end that holds."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.sidecar.collecting import Collecting
from sla_kit.exporters.sidecar.collector import CollectError, Kind, Schedule, read_secret
from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
from sla_kit.exporters.sidecar.store import Store
from tests.exporters.sidecar.test_store import Series, series

#: Far longer than anything here takes; only a test that fails waits for it.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Told:
    """A collector that does what it is told; equal to those of the same name and key."""

    name: str
    work: Callable[[float], Iterable[Metric]] = field(compare=False)
    schedule: Schedule = field(compare=False, default=Schedule(0.01, 30.0, 0.0))
    key: str = ""
    closed: threading.Event = field(compare=False, default_factory=threading.Event)

    def collect(self, deadline: float) -> Iterable[Metric]:
        return self.work(deadline)

    def close(self) -> None:
        self.closed.set()


def value(number: float, target: str = "shop") -> Metric:
    family = GaugeMetricFamily("size_bytes", "Size.", labels=["target"])
    family.add_metric([target], number)
    return family


def up(found: Series, name: str) -> float | None:
    return found.get(("sla_exporter_collector_up", (("collector", name),)))


def size(found: Series, target: str = "shop") -> float | None:
    return found.get(("size_bytes", (("target", target),)))


class Running:
    """Collectors that run, and the page as it becomes."""

    def __init__(self) -> None:
        self.store = Store(1000, SelfMetrics("test"))
        self.collecting = Collecting(self.store)

    def page(self) -> Series:
        return series(self.store.page(False, False))

    async def until(self, holds: Callable[[Series], bool]) -> Series:
        end = time.monotonic() + _PATIENCE
        while not holds(found := self.page()):
            assert time.monotonic() < end, found
            await asyncio.sleep(0.002)  # between two looks
        return found


def counting() -> Callable[[float], Iterator[Metric]]:
    numbers = iter(range(10**9))

    def work(deadline: float) -> Iterator[Metric]:
        yield value(next(numbers))

    return work


def test_values_are_renewed_at_the_interval() -> None:
    async def body() -> None:
        running = Running()
        await running.collecting.reconcile([Told("a", counting())])
        first = size(await running.until(lambda found: size(found) is not None))
        assert first is not None
        await running.until(lambda found: (size(found) or 0) >= first + 3)
        await running.collecting.stop(_PATIENCE)

    asyncio.run(body())


def test_a_failing_source_takes_its_own_values_only_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        running, broken = Running(), threading.Event()

        def work(deadline: float) -> Iterator[Metric]:
            yield value(1)
            if broken.is_set():  # what was given out before does not count
                raise CollectError("connect", "nobody answers", place="db:5432", remedy="start it")

        await running.collecting.reconcile([Told("a", work), Told("b", lambda _: [value(2, "club")])])
        await running.until(lambda found: size(found) == 1 and size(found, "club") == 2)
        broken.set()
        found = await running.until(lambda found: up(found, "a") == 0)
        assert size(found) is None
        assert size(found, "club") == 2
        broken.clear()
        await running.until(lambda found: up(found, "a") == 1 and size(found) == 1)
        await running.collecting.stop(_PATIENCE)

    with caplog.at_level(logging.INFO):
        asyncio.run(body())
    failed = [record for record in caplog.records if "failed" in record.getMessage()]
    assert "db:5432: nobody answers" in failed[0].getMessage()
    assert vars(failed[0])["kind"] == "connect"
    assert len([record for record in failed if record.levelno >= logging.WARNING]) == 1  # not one each time
    assert any("well again" in record.getMessage() for record in caplog.records)


def test_a_mistake_in_a_collector_is_internal_and_the_log_has_where(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> Series:
        running = Running()

        def work(deadline: float) -> Iterator[Metric]:
            raise ZeroDivisionError("of the collector")

        await running.collecting.reconcile([Told("a", work)])
        found = await running.until(lambda found: up(found, "a") == 0)
        await running.collecting.stop(_PATIENCE)
        return found

    found = asyncio.run(body())
    assert found["sla_exporter_errors_total", (("collector", "a"), ("kind", "internal"))] >= 1
    assert "ZeroDivisionError: of the collector" in caplog.text


def test_one_that_hangs_times_out_lets_go_and_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        running, hangs, hung, going_on, calls = Running(), threading.Event(), threading.Event(), threading.Event(), []

        class Hanging:
            """Has little time where it is to hang, and plenty before and after: a busy machine makes nobody late."""

            name = "a"

            @property
            def schedule(self) -> Schedule:
                if not hangs.is_set():
                    return Schedule(0.01, 30.0, 0.0)
                hung.set()
                return Schedule(0.01, 0.05, 0.0)

            def collect(self, deadline: float) -> Iterable[Metric]:
                calls.append(deadline)
                if hung.is_set():
                    going_on.wait(_PATIENCE)
                return [value(1)]

            def close(self) -> None:
                """There is nothing to let go of."""

        await running.collecting.reconcile([Hanging(), Told("b", counting_of("club"))])
        await running.until(lambda found: up(found, "a") == 1)
        hangs.set()
        found = await running.until(
            lambda found: found["sla_exporter_errors_total", (("collector", "a"), ("kind", "timeout"))] == 1
        )
        assert size(found) is None
        assert up(found, "a") == 0
        begun, others = len(calls), size(found, "club") or 0
        await running.until(lambda found: (size(found, "club") or 0) > others + 5)
        assert len(calls) == begun  # a second thread would hang as well
        assert size(running.page()) is None
        hangs.clear()
        going_on.set()
        found = await running.until(lambda found: up(found, "a") == 1)
        assert found["sla_exporter_errors_total", (("collector", "a"), ("kind", "timeout"))] == 1
        await running.collecting.stop(_PATIENCE)

    asyncio.run(body())


def counting_of(target: str) -> Callable[[float], Iterator[Metric]]:
    numbers = iter(range(1, 10**9))

    def work(deadline: float) -> Iterator[Metric]:
        yield value(next(numbers), target)

    return work


def test_a_deadline_is_the_timeout_from_the_beginning() -> None:
    async def body() -> None:
        running, left = Running(), []

        def work(deadline: float) -> Iterator[Metric]:
            left.append(deadline - time.monotonic())
            yield value(1)

        await running.collecting.reconcile([Told("a", work, Schedule(0.01, 20, 0.0))])
        await running.until(lambda found: up(found, "a") == 1)
        await running.collecting.stop(_PATIENCE)
        assert 0 < left[0] <= 20

    asyncio.run(body())


def test_reconciling_keeps_equal_ones_and_serves_old_values_until_new_ones_come() -> None:
    async def body() -> None:
        running, go = Running(), threading.Event()
        same, changed, gone = Told("same", counting_of("same")), Told("c", lambda _: [value(1)]), Told("g", counting())
        await running.collecting.reconcile([same, changed, gone])
        await running.until(lambda found: up(found, "c") == up(found, "same") == up(found, "g") == 1)

        def work(deadline: float) -> Iterator[Metric]:
            go.wait(_PATIENCE)
            yield value(2, "new")

        await running.collecting.reconcile([Told("same", counting_of("other")), Told("c", work, key="new")])
        found = running.page()
        assert size(found) == 1  # the old one's values
        assert up(found, "g") is None
        go.set()
        found = await running.until(lambda found: size(found, "new") == 2)
        assert size(found) is None
        assert size(found, "same") is not None
        assert size(found, "other") is None
        assert await asyncio.to_thread(changed.closed.wait, _PATIENCE)
        assert await asyncio.to_thread(gone.closed.wait, _PATIENCE)
        assert not same.closed.is_set()
        await running.collecting.stop(_PATIENCE)
        assert same.closed.is_set()

    asyncio.run(body())


def test_stopping_leaves_one_that_hangs_behind_and_closes_it_later() -> None:
    async def body() -> None:
        running, begun, going_on = Running(), threading.Event(), threading.Event()

        def work(deadline: float) -> Iterator[Metric]:
            begun.set()
            going_on.wait(_PATIENCE)
            yield value(1)

        hanging = Told("a", work)
        await running.collecting.reconcile([hanging])
        assert await asyncio.to_thread(begun.wait, _PATIENCE)
        await running.collecting.stop(0.01)
        assert not hanging.closed.is_set()
        going_on.set()
        assert await asyncio.to_thread(hanging.closed.wait, _PATIENCE)

    asyncio.run(body())


def test_a_source_that_fails_is_asked_again_before_a_long_interval_is_over() -> None:
    async def body() -> None:
        running, calls = Running(), []

        def work(deadline: float) -> Iterator[Metric]:
            calls.append(1)
            if len(calls) == 1:
                raise CollectError("connect", "nobody answers")
            yield value(1)

        await running.collecting.reconcile([Told("a", work, Schedule(86400, 30, 0.0))])
        await running.until(lambda found: up(found, "a") == 1)
        await running.collecting.stop(_PATIENCE)

    asyncio.run(body())


def test_once_keeps_what_was_quick_until_the_slowest_has_ended() -> None:
    """By then its values are older than those of a collector that runs on may become."""

    async def body() -> None:
        store = Store(1000, SelfMetrics("test"), clock=lambda: time.monotonic() + 86_400)
        assert await Collecting(store).once([Told("quick", lambda _: [value(1)])]) == {}
        found = series(store.page(False, False))
        assert (size(found), up(found, "quick")) == (1, 1)

    asyncio.run(body())


def test_once_tells_what_failed() -> None:
    async def body() -> None:
        running = Running()

        def work(deadline: float) -> Iterator[Metric]:
            raise CollectError("query", "there is no table users")
            yield

        failures = await running.collecting.once([Told("a", work), Told("b", lambda _: [value(2)])])
        assert {name: error.kind for name, error in failures.items()} == {"a": "query"}
        assert size(running.page()) == 2

    asyncio.run(body())


def test_half_a_character_is_a_fault_of_the_data_and_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    """A lone surrogate, as JSON can hold it: nothing can be written of it."""

    async def body() -> None:
        failures = await Running().collecting.once([Told("a", lambda _: [value(1, "Andr\ud800")])])
        assert [error.kind for error in failures.values()] == ["data"]

    asyncio.run(body())
    assert "Andr" not in caplog.text


def test_a_failure_is_logged_once_and_again_where_it_becomes_another(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        running = Running()
        kinds: Iterator[Kind] = iter(["timeout", "timeout", "auth", "auth"])

        def work(deadline: float) -> Iterator[Metric]:
            kind = next(kinds, None)
            if kind is None:
                return iter([value(1)])
            raise CollectError(kind, f"it is {kind}")

        await running.collecting.reconcile([Told("a", work)])
        await running.until(lambda found: size(found) is not None)
        await running.collecting.stop(_PATIENCE)

    with caplog.at_level(logging.INFO):
        asyncio.run(body())
    told = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["collecting failed: it is timeout", "collecting failed: it is auth"]


def test_a_secret_that_is_not_there_counts_as_auth() -> None:
    def work(deadline: float) -> Iterator[Metric]:
        Secret(env="NO_SUCH_VARIABLE_HERE").read()
        yield value(1)

    async def body() -> None:
        running = Running()
        failures = await running.collecting.once([Told("a", work)])
        assert failures["a"].kind == "auth"
        assert failures["a"].remedy == "set NO_SUCH_VARIABLE_HERE"
        await running.collecting.reconcile([Told("a", work)])
        errors = ("sla_exporter_errors_total", (("collector", "a"), ("kind", "auth")))
        await running.until(lambda found: (found.get(errors) or 0) >= 1)
        await running.collecting.stop(_PATIENCE)

    asyncio.run(body())


def test_what_reads_a_secret_for_a_source_fails_with_auth(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    assert read_secret(Secret(file=str(tmp_path / "secret"))) == "s3cret"
    with pytest.raises(CollectError, match="No such file") as caught:
        read_secret(Secret(file=str(tmp_path / "none")))
    assert (caught.value.kind, caught.value.place) == ("auth", str(tmp_path / "none"))


def test_too_many_series_are_logged_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        running = Running()
        running.store.max_series_per_metric = 1
        work = Told("a", lambda _: [value(1, "shop"), value(1, "book")])
        await running.collecting.reconcile([work])
        dropped = ("sla_exporter_series_dropped_total", (("collector", "a"), ("metric", "size_bytes")))
        await running.until(lambda found: (found.get(dropped) or 0) >= 3)
        await running.collecting.stop(_PATIENCE)

    with caplog.at_level(logging.INFO):
        asyncio.run(body())
    assert [record.message for record in caplog.records].count("too many series") == 1
