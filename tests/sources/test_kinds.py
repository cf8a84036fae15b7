"""Metrics and logs as one source: each indicator from the one that can answer it, nothing known of what none can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import sla_kit
from sla_kit.catalogue.model import Catalogue, LogEvents, Requests, Server, Service, Slo, Window
from sla_kit.errors import SourceError
from sla_kit.opening import opened
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.sources.kinds import MetricsAndLogs
from sla_kit.sources.many import ManySources, open_sources
from sla_kit.timeline import Grid, Timeline

AT = 1_788_307_200


class Fake:
    """A source of which every bucket has as many events as its name has letters."""

    def __init__(self, name: str, holds_logs: bool = False, fail: bool = False) -> None:
        self.name = name
        self.holds_logs = holds_logs
        self.fail = fail
        self.asked: list[tuple[str, str]] = []
        self.closed = False

    def span(self) -> tuple[int, int] | None:
        return None if self.holds_logs else (AT - 86_400, AT)

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        for number, indicator in enumerate(indicators, 1):
            if self.fail:
                raise SourceError("the server fell over", place=self.name)
            self.asked.append(indicator.key)
            events = np.full(grid.count, float(len(self.name)))
            progress(number, len(indicators), self.name)
            yield indicator, Timeline(grid, events, events, np.ones(grid.count))

    def close(self) -> None:
        self.closed = True


def shop(*sources: Server) -> Catalogue:
    window = Window(rolling=3600.0)
    return Catalogue(
        name="shop",
        sources=list(sources),
        services=[
            Service(
                name="api",
                slos=[
                    Slo(
                        name="availability", sli=Requests(metric="r", bad={"code": "500"}), objective=0.9, window=window
                    ),
                    Slo(name="by-logs", sli=LogEvents(bad="status:500"), objective=0.9, window=window),
                ],
            )
        ],
    )


METRICS, LOGS = Server(name="prom", url="http://127.0.0.1:1"), Server(name="es", url="elasticsearch+http://127.0.0.1:2")


def test_each_indicator_goes_to_the_one_that_can_answer() -> None:
    metrics, logs = Fake("metrics"), Fake("documents", holds_logs=True)
    found = sla_kit.evaluate(shop(), [logs, metrics], "1h", AT)
    assert found["api", "availability"].figure.total == 60 * len("metrics")
    assert found["api", "by-logs"].figure.total == 60 * len("documents")
    assert metrics.asked == [("api", "availability:sli")]
    assert logs.asked == [("api", "by-logs:sli")]
    assert found.source == "metrics, documents"
    assert not metrics.closed
    assert not logs.closed


def test_without_a_moment_the_end_of_the_metrics_counts() -> None:
    assert sla_kit.evaluate(shop(), [Fake("documents", holds_logs=True), Fake("metrics")], "1h").at == AT


@pytest.mark.parametrize(("one", "missing"), [(False, "by-logs"), (True, "availability")])
def test_what_nobody_can_answer_is_unread_and_the_rest_is_judged(one: bool, missing: str) -> None:
    fake = Fake("one", holds_logs=one)
    source = MetricsAndLogs(None, fake) if one else MetricsAndLogs(fake, None)
    found = sla_kit.evaluate(shop(), source, "1h", AT)
    [other] = [slo for slo in found.slos if slo.slo != missing]
    assert other.figure.met is True
    lost = found["api", missing]
    assert lost.figure.met is None
    assert lost.figure.coverage == 0
    assert {finding.kind for finding in lost.findings} >= {"unread"}


def test_the_first_error_of_either_ends_the_reading() -> None:
    with pytest.raises(SourceError, match="fell over"):
        sla_kit.evaluate(shop(), [Fake("metrics"), Fake("documents", holds_logs=True, fail=True)], "1h", AT)


def test_two_of_one_kind_are_an_error() -> None:
    with pytest.raises(SourceError, match="several sources of logs") as error:
        open_sources(
            shop(), ["elasticsearch+http://127.0.0.1:1", "elasticsearch+http://127.0.0.1:2", "http://127.0.0.1:3"]
        )
    assert "NAME=ADDRESS" in error.value.remedy
    with pytest.raises(SourceError, match="several sources of metrics"):
        open_sources(shop(), [Fake("a"), Fake("b"), Fake("c", holds_logs=True)])


def test_what_is_not_a_source_is_told() -> None:
    with pytest.raises(SourceError, match="a int is no source"), opened([Fake("a"), 7], shop()):
        pass


def names(source: Source) -> list[str]:
    assert isinstance(source, ManySources)
    return list(source.sources)


def test_the_catalogues_servers_are_asked_for_what_they_hold() -> None:
    source = open_sources(shop(METRICS, LOGS))
    assert names(source) == ["prom", "es"]
    assert source.name == "prom=http://127.0.0.1:1, es=http://127.0.0.1:2"
    source.close()


@pytest.mark.parametrize("only", [METRICS, LOGS])
def test_without_a_server_for_it_an_indicator_is_unread(only: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sla_kit.sources.many._opened", lambda server, *rest: Fake(server.name, server.holds_logs))
    found = sla_kit.evaluate(shop(only), None, "1h", AT)
    assert sorted(slo.figure.met is None for slo in found.slos) == [False, True]


def test_one_kind_may_be_replaced_and_the_other_named(monkeypatch: pytest.MonkeyPatch) -> None:
    opened_at: dict[str, str] = {}

    def fake(server: Server, address: str, connections: int) -> Source:
        opened_at[server.name] = address
        return Fake(server.name, server.holds_logs)

    monkeypatch.setattr("sla_kit.sources.many._opened", fake)
    metrics = Fake("metrics")
    found = sla_kit.evaluate(shop(METRICS, LOGS), [metrics, "es=elasticsearch+http://127.0.0.1:9"], "1h", AT)
    assert opened_at == {"es": "elasticsearch+http://127.0.0.1:9"}
    assert found["api", "by-logs"].figure.total == 60 * len("es")
    assert found["api", "availability"].figure.total == 60 * len("metrics")


def test_what_was_opened_for_it_is_closed_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine, made = Fake("documents", holds_logs=True), Fake("recording")
    monkeypatch.setattr("sla_kit.sources.many.open_source", lambda address: made)
    with opened([mine, tmp_path], shop()) as source:
        assert isinstance(source, MetricsAndLogs)
    assert made.closed
    assert not mine.closed
