"""Roll-ups from sums of days are those of all the buckets, whatever cuts a day."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sqlalchemy import select

import sla_kit
from sla_kit.catalogue.model import (
    Bound,
    Calendar,
    Catalogue,
    Composite,
    Contact,
    Latency,
    Occasion,
    Part,
    Probe,
    Recovery,
    Requests,
    Service,
    Slo,
    Window,
)
from sla_kit.engine.results import Evaluation, Figure
from sla_kit.ledger import Ledger, open_ledger
from sla_kit.ledger.tables import daily
from sla_kit.ledger.verifying import verify_report
from sla_kit.report import write
from sla_kit.report.owners import write_by_owner
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.timeline import Grid, Histogram, Timeline

END = 1_790_553_600 + 7 * 3600  # 07:00 UTC on 2026-09-28
ROLLUPS = ("month", "quarter", "2026-08", "2026-09-27", "2026-07-03T10:07:00Z/2026-07-05T11:13:00Z")


class Drawn:
    """A source that knows everything that ever was: drawn by the bucket's own time, the same whoever asks."""

    name = "drawn"

    def __init__(self, end: int | None = None) -> None:
        self.grids: list[Grid] = []
        self._end = end

    def span(self) -> tuple[int, int] | None:
        return None if self._end is None else (0, self._end)

    def close(self) -> None:
        """Nothing."""

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        self.grids.append(grid)
        for indicator in indicators:
            yield indicator, self._timeline(indicator, grid)

    @staticmethod
    def _timeline(indicator: Indicator, grid: Grid) -> Timeline:
        at = (grid.ends // grid.step).astype(np.uint64)
        noise = ((at * np.uint64(2654435761) + np.uint64(len(str(indicator.key)))) % np.uint64(1000)).astype(np.float64)
        seen = ((at // np.uint64(700)) % np.uint64(37) != 5).astype(np.float64)
        match indicator.sli:
            case Probe():
                good = np.where(noise > 4, 4.0, np.minimum(noise, 3.0)) * seen
                return Timeline(grid, good, 4 * seen, seen, "samples", np.where(seen > 0, good / 4, np.nan))
            case Bound() as bound:
                value = np.where(seen > 0, noise / 30, np.nan)
                inside = (value <= (bound.max or 0)) * seen
                return Timeline(grid, inside, seen, seen, "minutes", value)
            case Latency():
                total = (50 + noise) * seen
                counts = np.floor(total[:, None] * np.array([0.3, 0.7 + 0.0001 * 3, 0.99, 1.0]))
                counts[:, -1] = total
                return Timeline(
                    grid, counts[:, 1], total, seen, histogram=Histogram(np.array([0.05, 0.1, 0.5, np.inf]), counts)
                )
            case _:
                total = (20 + noise) * seen
                return Timeline(grid, total - np.minimum(noise // 330, total), total, seen)


class Forgetful(Drawn):
    """A server that knows nothing before some time."""

    def __init__(self, since: int) -> None:
        super().__init__()
        self._since = since

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        for indicator, timeline in super().fetch(indicators, grid, progress):
            known = (grid.ends > self._since).astype(np.float64)
            good, total, coverage = timeline.good * known, timeline.total * known, timeline.coverage * known
            yield indicator, replace(timeline, good=good, total=total, coverage=coverage)


def catalogue(zone: str = "America/New_York") -> Catalogue:
    month = Window(calendar="month")
    slices = {"budgeting": "timeslices", "slice": 300.0, "slice_target": 0.97}
    requests = Requests(metric="requests_total", bad={"code": "5.."})
    slos = [
        Slo(name="availability", sli="requests", objective=0.99, window=month),
        Slo(name="slices", sli="requests", objective=0.9, **slices),  # type: ignore[arg-type]
        Slo(name="shares", sli="requests", objective=0.9, budgeting="ratio-timeslices", slice=600.0),
        Slo(name="missing", sli="requests", objective=0.9, missing="bad"),
        Slo(name="long", sli="requests", objective=0.9, **{**slices, "slice": 7 * 86400.0}),  # type: ignore[arg-type]
        Slo(name="fast", sli=Latency(metric="seconds", threshold=0.1), objective=0.6, window=month),
        Slo(name="up", sli=Probe(), objective=0.9),
        Slo(name="lag", sli=Bound(metric="lag", max=30), objective=0.9),
        Slo(name="recovers", sli=Recovery(of="availability", within=900), objective=0.9),
        Slo(name="journey", sli=Composite(combine="all", of=[Part(slo="availability"), Part(slo="up")]), objective=0.9),
    ]
    planned = [
        Occasion(name="switch", start="2026-09-11T02:00:30Z", duration=5400, services=["api"], reason="switch"),
        Occasion(name="whole", start="2026-08-20T00:00:00Z", duration=2 * 86400, reason="moved"),
        Occasion(name="other", start="2026-08-25T00:00:00Z", duration=86400, services=["other"]),
    ]
    services = [Service(name="api", slis={"requests": requests}, slos=slos)]
    services.append(Service(name="other", slos=[Slo(name="up", sli=Probe(), objective=0.9)]))
    return Catalogue(name="shop", timezone=zone, services=services, calendar=Calendar(maintenance=planned))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(str(tmp_path / "ledger.db")) as opened:
        yield opened


def alike(left: Figure, right: Figure) -> bool:
    def near(one: float | None, other: float | None) -> bool:
        return one is other if one is None or other is None else math.isclose(one, other, rel_tol=1e-11, abs_tol=1e-11)

    numbers = ("sli", "good", "bad", "total", "coverage", "value")
    return (left.met, left.reason) == (right.met, right.reason) and all(
        near(getattr(left, name), getattr(right, name)) for name in numbers
    )


def same_rollups(left: Evaluation, right: Evaluation) -> None:
    for one, other in zip(left.slos, right.slos, strict=True):
        assert [each.period for each in one.rollups] == [each.period for each in other.rollups]
        for mine, theirs in zip(one.rollups, other.rollups, strict=True):
            assert alike(mine.figure, theirs.figure), (one.key, mine.period, mine.figure, theirs.figure)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_rollups_from_days_are_those_of_all_buckets(ledger: Ledger, zone: str) -> None:
    shop = catalogue(zone)
    straight = sla_kit.evaluate(shop, Drawn(), "7d", END, rollups=ROLLUPS)
    kept = sla_kit.evaluate(shop, Drawn(), "7d", END, ledger=ledger, rollups=ROLLUPS)
    same_rollups(kept, straight)
    again = sla_kit.evaluate(shop, None, "7d", END, ledger=ledger, rollups=ROLLUPS)
    same_rollups(again, straight)


def test_days_that_were_summed_are_not_read_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = catalogue()
    first = sla_kit.evaluate(shop, Drawn(), "7d", END, ledger=ledger, services=["other"], rollups=["2026-08"])
    read: list[int] = []
    from sla_kit.ledger import days, rows

    def counting(payload: bytes, grid: Grid) -> Timeline:
        read.append(grid.start)
        return rows.unpack(payload, grid)

    monkeypatch.setattr(days, "unpack", counting)
    again = sla_kit.evaluate(shop, None, "7d", END, ledger=ledger, services=["other"], rollups=["2026-08"])
    same_rollups(again, first)
    # The days at the edges of the month in New York, and those that maintenance touches.
    assert len(set(read)) == 5


def test_a_correction_is_in_the_rollups_too(ledger: Ledger) -> None:
    shop = catalogue()
    before = sla_kit.evaluate(shop, Drawn(), "7d", END, ledger=ledger, rollups=["quarter"])
    ledger.exclude(shop, END - 40 * 86400, END - 39 * 86400, author="ann", reason="a drill")
    after = sla_kit.evaluate(shop, None, "7d", END, ledger=ledger, rollups=["quarter"])
    one, other = (found["api", "availability"].rollups[0].figure for found in (before, after))
    assert 0 < one.total - other.total < one.total / 40


def test_the_last_days_that_are_not_closed_count_as_well(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = catalogue()
    straight = sla_kit.evaluate(shop, Drawn(), "7d", END, rollups=["quarter"])
    monkeypatch.setattr("sla_kit.evaluation.time.time", lambda: END + 61.0)  # the last hour is inside the lag
    kept = sla_kit.evaluate(shop, source := Drawn(), "7d", END, ledger=ledger, rollups=["quarter"])
    same_rollups(kept, straight)
    assert any(grid.end == END and grid.count <= 60 for grid in source.grids)


def test_sums_of_a_row_that_has_changed_are_made_again(ledger: Ledger) -> None:
    shop = catalogue()
    early = END - 3 * 86400
    sla_kit.evaluate(shop, Drawn(), "1d", early, ledger=ledger, rollups=["2026-07-01T00:00:00Z/2026-09-25T00:00:00Z"])
    sla_kit.evaluate(shop, Drawn(), "7d", END, ledger=ledger, rollups=["quarter"])
    straight = sla_kit.evaluate(shop, Drawn(), "7d", END, rollups=["quarter"])
    same_rollups(sla_kit.evaluate(shop, None, "7d", END, ledger=ledger, rollups=["quarter"]), straight)
    with ledger.store.writing() as connection:
        connection.execute(daily.update().values(digest=b"another", total=0.0))
    same_rollups(sla_kit.evaluate(shop, None, "7d", END, ledger=ledger, rollups=["quarter"]), straight)
    with ledger.store.reading() as connection:
        assert b"another" not in set(connection.scalars(select(daily.c.digest)))


def test_a_report_with_rollups_is_proven(ledger: Ledger, tmp_path: Path) -> None:
    shop = catalogue()
    (path,) = write(sla_kit.evaluate(shop, Drawn(), "7d", END, ledger=ledger, rollups=["quarter"]), tmp_path, ["json"])
    assert verify_report(ledger, path).problems == ()


@pytest.mark.parametrize("bucket", [60.0, 300.0])
def test_years_outlive_a_new_definition_and_a_longer_bucket(ledger: Ledger, bucket: float) -> None:
    old = catalogue("UTC")
    ledger.close_buckets(old, Drawn(), since=END - 40 * 86400, until=END - 10 * 86400, now=END + 99_999)
    other = msgspec.structs.replace(old.services[0].slis["requests"], matchers={"job": "api"})
    service = msgspec.structs.replace(old.services[0], slis={"requests": other})
    new = msgspec.structs.replace(old, bucket=bucket, services=[service, *old.services[1:]])
    forgetful = Forgetful(END - 12 * 86400)
    for source in (forgetful, None):
        found = sla_kit.evaluate(new, source, "10d", END, ledger=ledger, rollups=["30d"])["api", "availability"]
        assert found.rollups[0].figure.coverage > 0.9
        assert {finding.kind for finding in found.findings} == {"earlier-definition"}
        straight = sla_kit.evaluate(old, Drawn(), "27d", END - 12 * 86400)["api", "availability"]
        kept = sla_kit.evaluate(new, source, "27d", END - 12 * 86400, ledger=ledger)["api", "availability"]
        # Longer buckets are cut by maintenance elsewhere; all others hold the same events.
        slack = 0 if bucket == old.bucket else 2e-4
        assert kept.figure.bad == pytest.approx(straight.figure.bad, rel=slack)
        assert kept.figure.total == pytest.approx(straight.figure.total, rel=slack)


def test_the_part_of_an_owner_is_proven_as_well(ledger: Ledger, tmp_path: Path) -> None:
    shop = catalogue()
    owners = [msgspec.structs.replace(service, owner=f"team-{service.name}") for service in shop.services]
    shop = msgspec.structs.replace(shop, services=owners, contacts=[Contact(name=one.owner) for one in owners])
    evaluation = sla_kit.evaluate(shop, Drawn(), "7d", END, ledger=ledger, rollups=["month"])
    paths = write_by_owner(evaluation, shop, tmp_path, ["json"])
    verdicts = [verify_report(ledger, path) for path in paths if path.suffix == ".json"]
    assert [verdict.problems for verdict in verdicts] == [(), ()]


def test_a_forecast_from_the_ledger_is_that_from_the_source(ledger: Ledger) -> None:
    shop, services = catalogue(), ["api"]
    straight = sla_kit.forecast(shop, Drawn(), END, "7d", "21d", services=services)
    assert any(outlook.burn_per_day for outlook in straight.outlooks)
    kept = sla_kit.forecast(shop, Drawn(), END, "7d", "21d", services=services, ledger=ledger)
    assert kept.outlooks == straight.outlooks
    assert sla_kit.forecast(shop, None, END, "7d", "21d", services=services, ledger=ledger).outlooks == kept.outlooks
    ledger.exclude(shop, END - 9 * 86400, END - 8 * 86400, author="ann", reason="a drill")
    corrected = sla_kit.forecast(shop, None, END, "7d", "21d", services=services, ledger=ledger)
    assert corrected.outlooks != kept.outlooks


def test_an_update_fills_a_hole_that_was_left_between_reports(ledger: Ledger) -> None:
    shop, now = catalogue("UTC"), END + 99_999
    for first, last in ((20, 15), (5, 2)):
        ledger.close_buckets(shop, Drawn(), since=END - first * 86400, until=END - last * 86400, now=now)
    done = ledger.update(shop, source := Drawn(), until=END, now=now)
    assert done.buckets == 5 * (10 * 1440 - 7 * 60 + 2 * 1440)  # the five days began at midnight
    assert min(grid.start for grid in source.grids) > END - 16 * 86400
    assert ledger.update(shop, again := Drawn(), until=END, now=now).buckets == 0
    assert again.grids == []
