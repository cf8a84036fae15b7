"""Collections in the bad hours: no source, a query that is refused, no time, a catalogue that changes meanwhile."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from sla_kit import forecast
from sla_kit.errors import ConfigurationError, SourceError
from sla_kit.exporters.sidecar.collector import CollectError
from sla_kit.exporters.slo import EXPORTER
from sla_kit.exporters.slo.collecting import PromiseCollector
from sla_kit.exporters.slo.configuration import Forecasting
from sla_kit.exporters.slo.forecasts import Forecasts
from sla_kit.exporters.slo.keeping import Kept
from sla_kit.ledger import open_ledger
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.timeline import Grid, Timeline
from tests.exporters.slo.promises import collected, configured, loaded, value
from tests.servers import prometheus

START = 1_788_220_800  # a UTC midnight
DAY = 86400
END = START + 2 * DAY
CATALOGUE = """\
name: shop
bucket: 5m
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {service: api}, bad: {status_code: "=~5.."}}
    slos:
      - {name: availability, sli: requests, objective: 99.8%, window: 1d}
      - {name: strict, sli: requests, objective: 99.9%, window: 1d}
      - name: expression
        objective: 99%
        window: 1d
        sli: {kind: promql, total: "sum(increase(http_requests_total[$window]))", bad: "BAD"}
"""
GOOD = CATALOGUE.replace("BAD", "0 * sum(increase(http_requests_total[$window]))")
#: PromQL whose regular expression only a server that evaluates it looks at.
REFUSED = "sum(label_replace(increase(http_requests_total[$window]), 'to', 'x', 'from', '('))"
SEVERAL = """\
name: shop
bucket: 5m
sources: [{name: eu}, {name: us}]
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {service: api}, bad: {status_code: "=~5.."}}
    slos:
      - {name: eu, sli: requests, objective: 99.8%, window: 1d}
      - {name: us, sli: requests, objective: 99.8%, window: 1d, source: us}
      - {name: eu-too, sli: {kind: recovery, of: eu, within: 30m}, objective: 90%, window: 1d}
      - {name: both, sli: {kind: composite, combine: all, of: [eu, us]}, objective: 99%, window: 1d}
"""


ALERTED = """\
name: shop
bucket: 5m
services:
  - name: api
    slis: {logged: {kind: log-events, bad: "status:500"}}
    slos:
      - name: declares
        sli: logged
        objective: 99%
        window: 1d
        alerts: [{name: own, conditions: [{burn_rate: 2, over: 2h, short: 10m}, {burn_rate: 1, over: 9h}]}]
      - {name: usual, sli: logged, objective: 99%, window: 7d}
      - {name: sliced, sli: logged, objective: 99%, window: 7d, budgeting: timeslices, slice_target: 90%}
"""


class Asked:
    """A source of steady requests that remembers how many buckets it was asked for."""

    name = "steady"

    def __init__(self, seconds: float = 0.0) -> None:
        self.buckets = 0
        self._seconds = seconds

    def span(self) -> tuple[int, int] | None:
        return None

    def close(self) -> None:
        """There is nothing to let go of."""

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        for done, indicator in enumerate(indicators, 1):
            self.buckets += grid.count
            total, one = np.full(grid.count, 100.0), np.ones(grid.count)
            yield indicator, Timeline(grid, total - (grid.ends // grid.step % 97 == 0), total, one)
            progress(done, len(indicators), "")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    api = parts.Workload(name="api", labels={"service": "api"}, rps=5, error_ratio=0.001)
    simulate(Scenario(start=START, days=2, services=[api], scrape_interval=60)).write(folder)
    return folder / "history.om.gz"


def collector(state: object) -> PromiseCollector:
    [one] = state.collectors  # type: ignore[attr-defined]
    return cast(PromiseCollector, one)


def fed(each: PromiseCollector, source: Asked) -> PromiseCollector:
    each._reading.source = source
    return each


def test_a_source_that_is_down_fails_the_collection_and_says_how(tmp_path: Path) -> None:
    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"))
    with pytest.raises(CollectError) as caught:
        collected(state)
    assert caught.value.kind == "connect"
    assert "127.0.0.1:1" in str(caught.value)


def test_a_query_that_is_refused_takes_no_figure_from_the_others(tmp_path: Path) -> None:
    with prometheus("2") as server:
        path = configured(tmp_path, CATALOGUE.replace("BAD", REFUSED), f"source: {server.url}\n")
        found = collected(loaded(path))
    for slo, readable in (("availability", 1.0), ("strict", 1.0), ("expression", 0.0)):
        assert value(found, "sla_slo_readable", slo=slo) == readable
        assert value(found, "sla_slo_objective_ratio", slo=slo) is not None
        assert value(found, "sla_slo_info", slo=slo) == 1
    assert value(found, "sla_slo_coverage_ratio", slo="availability") == 0, "there is no data, but an answer"
    assert value(found, "sla_slo_coverage_ratio", slo="expression") is None


def test_each_source_has_a_collector_and_one_that_is_down_hides_only_what_needs_it(
    history: Path, tmp_path: Path
) -> None:
    path = configured(tmp_path, SEVERAL, f"sources: {{eu: {history}, us: http://127.0.0.1:1}}\n")
    state = loaded(path, lambda: END)
    assert {each.name: [slo for _, slo in cast(PromiseCollector, each).chosen] for each in state.collectors} == {
        "eu": ["eu", "eu-too"],
        "us": ["us"],
        "eu+us": ["both"],
    }
    [eu] = [each for each in state.collectors if each.name == "eu"]
    found = collected(replace(state, collectors=[eu]))
    assert value(found, "sla_slo_met", slo="eu") == 1
    for each in state.collectors:
        if each is not eu:
            with pytest.raises(CollectError):
                list(each.collect(time.monotonic() + 300))


def test_only_what_is_new_is_read_again(tmp_path: Path) -> None:
    now = END
    source = Asked()
    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"), lambda: now)
    fed(collector(state), source)
    collected(state)
    first, source.buckets = source.buckets, 0
    now += 60
    collected(state)
    second, source.buckets = source.buckets, 0
    assert second <= 2 * (2 * 3600 // 300)  # the lag and the hour that is not closed, of two indicators
    assert first > 10 * second
    now += 3600
    collected(state)
    closing = source.buckets
    assert closing <= second + 2 * (4 * 3600 // 300)  # an hour with its margins


def test_a_collection_that_has_no_time_goes_on_where_it_stopped(tmp_path: Path) -> None:
    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"), lambda: END)
    with pytest.raises(CollectError) as caught:
        list(fed(collector(state), Asked()).collect(time.monotonic()))
    assert caught.value.kind == "timeout"
    assert value(collected(state), "sla_slo_sli_ratio", slo="strict") == pytest.approx(1 - 3 / 28800, abs=1e-4)


def test_a_catalogue_that_changes_costs_no_second_reading_of_what_stays(tmp_path: Path) -> None:
    text = "source: http://127.0.0.1:1\n"
    before = loaded(configured(tmp_path, GOOD, text), lambda: END)
    source = Asked()
    fed(collector(before), source)
    collected(before)
    first, source.buckets = source.buckets, 0
    after = loaded(configured(tmp_path, GOOD.replace("99.9%", "99.5%"), text), lambda: END, before=before)
    assert collector(after) != collector(before)
    collector(before).close()
    fed(collector(after), source)
    found = collected(after)
    assert source.buckets * 10 < first
    assert value(found, "sla_slo_objective_ratio", slo="strict") == 0.995
    assert loaded(tmp_path / "slo.yml", before=after).services[0] is after.services[0]


def test_an_unchanged_configuration_makes_equal_collectors(tmp_path: Path) -> None:
    path = configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n")
    assert EXPORTER.load(path).collectors == EXPORTER.load(path).collectors


@pytest.mark.anyio
async def test_the_temporary_file_goes_with_the_exporter_and_what_was_left_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "sla-kit-slo-left"
    left.mkdir()
    (left / "lock").touch()
    one, other = Kept(""), Kept("")
    one.ledger()
    other.ledger()
    assert not left.exists()
    assert len(list(tmp_path.iterdir())) == 2, "what is in use is left alone"
    await one.stop()
    await other.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_that_is_taken_away_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    now = END
    source = Asked()
    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"), lambda: now)
    fed(collector(state), source)
    before = collected(state)
    first, source.buckets = source.buckets, 0
    [folder] = (tmp_path / "tmp").iterdir()
    shutil.rmtree(folder)
    assert collected(state) == before
    assert source.buckets == first
    source.buckets = 0
    now += 60
    collected(state)
    assert source.buckets * 10 < first


def test_a_collection_that_outlasts_its_exporter_makes_no_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ends(Asked):
        """A source while whose answer the exporter is told to end."""

        def fetch(
            self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
        ) -> Iterator[tuple[Indicator, Timeline]]:
            collector(state).kept.close()
            yield from super().fetch(indicators, grid, progress)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"), lambda: END)
    fed(collector(state), Ends())
    for _ in range(2):
        with pytest.raises(CollectError):
            collected(state)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_forecasts_of_many_slos_are_made_a_few_at_a_time_and_old_ones_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One service with more SLOs than one collection has time to forecast, and then with none."""
    slos = "".join(
        f"      - {{name: s{number}, sli: requests, objective: 99.9%, window: 1d}}\n" for number in range(25)
    )
    text = GOOD.partition("      - {name: availability")[0] + slos
    catalogue = configured(tmp_path, text, "source: http://127.0.0.1:1\n")
    [one] = loaded(catalogue).collectors
    promised = cast(PromiseCollector, one).catalogue
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    told, made = Forecasting(history=86400.0), Forecasts()

    class Slow(Asked):
        def fetch(
            self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
        ) -> Iterator[tuple[Indicator, Timeline]]:
            nonlocal clock
            clock += 1.0
            yield from super().fetch(indicators, grid, progress)

    def known(seconds: float, source: Asked, passed: float = 0.0) -> int:
        nonlocal clock
        clock += passed
        made.refresh(promised, source, list(promised.slos()), END, told, later=(), until=clock + seconds)
        return len(made.outlooks())

    assert [known(0.5, Slow()) for _ in range(4)] == [10, 20, 25, 25]
    assert known(0.5, Slow(), told.every) == 25, "those that wait for their turn are still told"
    assert known(0.0, Slow(), told.every) == 25
    assert known(0.0, Slow(), told.every) == 10, "what was made hours ago is not"
    assert known(0.0, Slow(), told.every) == 0


def test_windows_of_alerts_are_published_and_of_logs_what_was_bad_in_long_ones(tmp_path: Path) -> None:
    """Of what an SLO declares itself as well; bad events only where rules hold them against a least number."""
    path = configured(tmp_path, ALERTED, "source: elasticsearch+http://127.0.0.1:1\n")
    state = loaded(path, lambda: END)
    fed(collector(state), Asked())
    found = collected(state)

    def windows(name: str, slo: str) -> dict[str, float]:
        return {
            dict(labels)["burn_window"]: number
            for (each, labels), number in found.items()
            if each == name and ("slo", slo) in labels
        }

    def bad(seconds: int) -> int:
        """Of `Asked` by hand."""
        return sum(1 for end in range(END - seconds + 300, END + 1, 300) if end // 300 % 97 == 0)

    always = {"5m", "30m", "1h", "6h", "1d", "3d"}
    assert set(windows("sla_slo_burn_rate_ratio", "declares")) == always | {"10m", "2h", "145m", "9h"}
    assert set(windows("sla_slo_burn_rate_ratio", "usual")) == always | {"15m", "85m", "1010m"}
    assert windows("sla_slo_burn_window_bad_events", "declares") == {"2h": bad(7200), "9h": bad(9 * 3600)}
    assert windows("sla_slo_burn_window_bad_events", "sliced") == {}
    for slo in ("declares", "usual", "sliced"):
        assert value(found, "sla_slo_observed_timestamp_seconds", slo=slo) == END


def test_rows_that_nobody_will_ask_for_go(tmp_path: Path) -> None:
    now = END
    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"), lambda: now)
    each = fed(collector(state), Asked())
    sizes = []
    for _ in range(8):
        collected(state)
        ledger = each.kept.ledger()
        with ledger.store.reading() as connection:
            sizes.append(connection.exec_driver_sql("SELECT count(*) FROM day").scalar())
        now += DAY
    assert sizes[3] == sizes[-1]


def test_a_ledger_that_is_given_is_kept_and_its_exclusions_count(history: Path, tmp_path: Path) -> None:
    path = configured(tmp_path, GOOD, f"source: {history}\nledger: ledger.db\n")
    state = loaded(path, lambda: END)
    plain = collected(state)
    with open_ledger(str(tmp_path / "ledger.db")) as ledger:
        catalogue = collector(state).catalogue
        ledger.exclude(catalogue, END - 7200, END, author="R. Byrd", reason="the provider's outage", services=["api"])
    later = collected(state)
    assert value(later, "sla_slo_exclusion_active", slo="strict") == 1
    all_of_it, less = (value(found, "sla_slo_events", slo="strict") for found in (plain, later))
    assert all_of_it is not None
    assert less is not None
    assert less == pytest.approx(all_of_it * 22 / 24, rel=0.2)
    alone = tmp_path / "alone"
    alone.mkdir()
    without = loaded(configured(alone, GOOD, f"ledger: {tmp_path / 'ledger.db'}\n"))
    assert value(collected(without), "sla_slo_sli_ratio", slo="strict") is not None


def test_forecasts_are_those_of_the_forecast(tmp_path: Path) -> None:
    api = parts.Workload(name="api", labels={"service": "api"}, rps=5, error_ratio=0.001)
    simulate(Scenario(start=START, days=9, services=[api], scrape_interval=300)).write(tmp_path)
    history, at = tmp_path / "history.om.gz", START + 9 * DAY
    path = configured(tmp_path, GOOD.replace("99.9%", "99.95%"), f"source: {history}\n")
    path.write_text(path.read_text().replace("forecast: {on: false}", "forecast: {horizon: 7d, history: 9d}"))
    state = loaded(path, lambda: at)
    found = collected(state)
    told = forecast(collector(state).catalogue, history, at, "7d", "9d")
    assert any(outlook.runs_out for outlook in told.outlooks)
    assert any(outlook.runs_out is None and outlook.probability is not None for outlook in told.outlooks)
    for outlook in told.outlooks:
        for name, expected in (("timestamp_seconds", outlook.runs_out), ("probability_ratio", outlook.probability)):
            assert value(found, f"sla_slo_budget_exhausted_{name}", slo=outlook.slo) == expected


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """\
source: http://reader:secret@127.0.0.1:9090
windows: [7d, 7x]
services: [apii]
timeout: 0
state: state.db
"""
    path = configured(tmp_path, GOOD.replace("99.9%", "109%"), text)
    with pytest.raises(ConfigurationError) as caught:
        EXPORTER.load(path)
    told = str(caught.value)
    assert "secret" not in told
    for place in ("sla.yml:9", "slo.yml:3", "slo.yml:4", "slo.yml:6", "slo.yml:7"):
        assert place in told, place
    path = configured(tmp_path, GOOD, text)
    with pytest.raises(ConfigurationError, match=r"slo\.yml:5:.*did you mean api"):
        EXPORTER.load(path)
    with pytest.raises(ConfigurationError, match="where the history is"):
        EXPORTER.load(configured(tmp_path, GOOD))


def test_what_a_source_says_of_itself_is_the_kind_of_the_error(tmp_path: Path) -> None:
    class Refuses(Asked):
        def fetch(
            self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
        ) -> Iterator[tuple[Indicator, Timeline]]:
            raise SourceError("out of order", place="steady")

    state = loaded(configured(tmp_path, GOOD, "source: http://127.0.0.1:1\n"), lambda: END)
    with pytest.raises(CollectError) as caught:
        list(fed(collector(state), Refuses()).collect(time.monotonic() + 300))
    assert caught.value.kind == "data"
