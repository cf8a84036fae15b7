"""Drills are due by the clock on the wall, a missed one is caught up with once, and the service runs them."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.chaining import broken_link
from sla_kit.errors import ConfigurationError
from sla_kit.exporters.backup.loading import load
from sla_kit.exporters.drill import schedule
from sla_kit.exporters.drill.configuration import Drill, Restore, Timetable
from sla_kit.exporters.drill.evidence import Evidence
from sla_kit.exporters.drill.keeping import kept_records
from sla_kit.exporters.drill.loading import read
from sla_kit.exporters.drill.results import Result, Results, read_results
from sla_kit.exporters.drill.schedule import DrillService, due_now, next_due
from tests.exporters.drill.drilling import Shop, configure
from tests.servers import Postgresql

_EPOCHS = st.integers(1_600_000_000, 1_900_000_000)
_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


@given(
    after=_EPOCHS,
    zone=_ZONES,
    hour=st.integers(0, 23),
    every=st.sampled_from(["daily", "weekly", "monthly"]),
    jitter=st.sampled_from([0.0, 1800.0, 7200.0]),
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_the_next_drill_is_the_first_one_after_a_moment(
    after: int, zone: str, hour: int, every: str, jitter: float
) -> None:
    made = {"every": every, "at": f"{hour:02}:30", "timezone": zone, "jitter": jitter, "day": "wednesday"}
    timetable = msgspec.convert(made, Timetable)
    due = next_due(timetable, "shop", after)
    assert due > after
    # Nothing between is due: from just before it, it is still the next one; from it on, another.
    assert next_due(timetable, "shop", due - 0.5) == due
    assert next_due(timetable, "shop", due) > due
    longest = {"daily": 1, "weekly": 7, "monthly": 35}[every]
    assert due - after <= (longest + 1) * 86400 + jitter
    if not jitter:
        local = datetime.fromtimestamp(due, ZoneInfo(zone))
        assert local.minute % 30 == 0
        assert every == "daily" or local.weekday() == 2
        assert every != "monthly" or local.day <= 7
        skipped = local.utcoffset() != datetime.fromtimestamp(due - 7200, ZoneInfo(zone)).utcoffset()
        assert skipped or (local.hour, local.minute) == (hour, 30)


def test_jitter_is_the_same_after_a_restart_and_differs_between_targets() -> None:
    timetable = Timetable(jitter=3600)
    now = datetime(2026, 11, 26, tzinfo=UTC).timestamp()
    due = {name: next_due(timetable, name, now) for name in ("shop", "blog", "wiki")}
    assert due == {name: next_due(timetable, name, now) for name in due}
    assert len(set(due.values())) == 3
    sunday = datetime(2026, 11, 29, 3, tzinfo=UTC).timestamp()
    assert all(sunday <= each < sunday + 3600 for each in due.values())


def test_what_was_missed_is_caught_up_with_once() -> None:
    drill = Drill(targets={"shop": Restore()}, schedule=Timetable())
    first = datetime(2026, 1, 1, tzinfo=UTC)
    since = {"shop": first.timestamp()}

    def due(now: datetime, attempted: datetime | None) -> list[str]:
        results = Results(since=since)
        if attempted is not None:
            result = Result(outcome="failed", attempted_at=attempted.timestamp(), ended_at=attempted.timestamp())
            results = Results(since=since, targets={"shop": result})
        return due_now(drill, results, now.timestamp())

    sunday = datetime(2026, 1, 4, 3, tzinfo=UTC)
    assert due(sunday - timedelta(seconds=1), None) == []
    assert due(sunday, None) == ["shop"]
    late = sunday + timedelta(days=24)  # the exporter was down for three Sundays
    assert due(late, sunday) == ["shop"]
    assert due(late + timedelta(hours=1), late) == [], "once, not for each that was missed"
    assert due(datetime(2026, 2, 1, 3, tzinfo=UTC), late) == ["shop"], "and then as ever"


def test_all_mistakes_of_a_configuration_are_told_with_their_lines(tmp_path: Path) -> None:
    text = """\
dumps:
  - {targets: [shop], places: [{type: folder, path: backups}]}
drill:
  targets:
    shpo:
      objective: 0s
      jobs: 0
      sources: ["postgresql://app:hunter2@db/shop", "mysql://db"]
      checks: [{kind: rows}, {kind: sql, name: a, query: " "}, {kind: rows, recorded: table}]
  scratch: {settings: {listen_addresses: "*"}, password: {env: A, file: b}}
  schedule: {at: "25:00", timezone: Nowhere/City}
"""
    (tmp_path / "backup.yml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path / "backup.yml")
    lines = [(mistake.line, mistake.message) for mistake in caught.value.mistakes]
    assert {line for line, _ in lines} == {6, 7, 8, 9, 10, 11}
    assert any("'shpo'" in message for _, message in lines)
    assert "hunter2" not in str(caught.value)
    assert len(lines) >= 12, lines


def _daily() -> dict[str, str]:
    """A schedule by which nothing is due again while a test runs, whenever that is."""
    return {"every": "daily", "at": f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"}


@pytest.mark.xdist_group("drill")
def test_the_service_runs_what_is_due_in_a_process_of_its_own(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    path = configure(tmp_path, "shop", scratch={"url": scratch_server.url}, drill={"schedule": _daily()})
    [declared] = load(path).services
    [again] = load(path).services
    assert declared == again, "a reload with nothing new keeps the service"
    assert isinstance(declared, DrillService)
    # It was first waited for three days ago, so that a drill is due.
    (tmp_path / "drill-results.json").write_bytes(msgspec.json.encode(Results(since={"shop": 1_600_000_000.0})))

    async def until_done() -> None:
        service = DrillService(path, declared.drill, look_seconds=0.05)
        await service.start()
        try:
            async with asyncio.timeout(120):
                while not read_results(tmp_path / "drill-results.json").newest:  # noted last of all
                    await asyncio.sleep(0.05)
        finally:
            await service.stop()

    asyncio.run(until_done())
    result = read_results(tmp_path / "drill-results.json").targets["shop"]
    assert result.outcome == "succeeded"
    assert result.totals == {"succeeded": 1}


@pytest.mark.parametrize("ledger", ["", "ledger.db"])
def test_a_drill_of_the_schedule_that_is_killed_is_evidence_as_well(
    ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backups").mkdir()
    path = configure(tmp_path, "shop", drill={"schedule": _daily(), **({"ledger": ledger} if ledger else {})})
    [declared] = load(path).services
    assert isinstance(declared, DrillService)
    results = tmp_path / "drill-results.json"
    results.write_bytes(msgspec.json.encode(Results(since={"shop": 1_600_000_000.0})))
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    monkeypatch.setattr(schedule, "command", lambda configuration, target: killed)

    def kept() -> list[Evidence]:
        records = kept_records(ledger=str(tmp_path / ledger) if ledger else "", file=tmp_path / "drill-evidence.jsonl")
        assert broken_link(records) is None
        return [one.read() for one in records]

    async def until_done() -> None:
        service = DrillService(path, declared.drill, look_seconds=0.05)
        await service.start()
        try:
            async with asyncio.timeout(120):
                while not read_results(results).targets:  # its evidence is waited for at the end of the loop
                    await asyncio.sleep(0.05)
        finally:
            await service.stop()

    asyncio.run(until_done())
    [evidence] = kept()
    assert evidence.outcome == "failed"
    assert "SIGKILL" in evidence.reason
    assert evidence.host
    assert read_results(results).targets["shop"].totals == {"failed": 1}
