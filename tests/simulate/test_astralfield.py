"""The demo's month is that of the example catalogue: its games, its metrics, and something to report of every kind."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from sla_kit import load
from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.intervals import Interval
from sla_kit.cli.simulate import simulate as command
from sla_kit.simulate import load_scenario, packaged

EXAMPLE = Path(__file__).parent.parent.parent / "examples/astralfield"
SCENARIO = load_scenario("astralfield")
WEEK = SCENARIO.end - 7 * 86400


def games() -> list[Interval]:
    catalogue = load(EXAMPLE)
    events = catalogue.calendar.events
    return intervals(events, int(SCENARIO.start), int(SCENARIO.end), catalogue.timezone, str(EXAMPLE))


def test_traffic_bursts_in_the_games_of_the_calendar() -> None:
    bursts = {(burst.start, burst.start + burst.length) for burst in SCENARIO.events}
    assert {(game.start, game.end) for game in games()} == bursts
    assert all(burst.factor == 100 for burst in SCENARIO.events)


def test_the_last_week_has_an_outage_in_a_game_one_in_maintenance_and_a_missed_backup() -> None:
    upgrade, outage = sorted(
        (one.start, one.start + one.length)
        for service in SCENARIO.services
        if service.name == "api"
        for one in service.outages
        if one.start > WEEK
    )
    assert any(game.start < outage[0] < outage[1] < game.end for game in games())
    catalogue = load(EXAMPLE)
    calendar = catalogue.calendar.maintenance
    excluded = intervals(calendar, int(WEEK), int(SCENARIO.end), catalogue.timezone, str(EXAMPLE))
    assert any(work.start < upgrade[0] < upgrade[1] < work.end and work.concerns("api") for work in excluded)
    [backup] = [job for job in SCENARIO.jobs if "backup" in job.completed_metric]
    assert backup.missed == ["2026-09-23"]


def test_the_month_has_a_restore_that_takes_longer_than_promised() -> None:
    [restore] = [job for job in SCENARIO.jobs if "restore" in job.completed_metric]
    assert [run.seconds > 3600 for run in restore.unusual] == [True]


def test_the_help_names_every_scenario_there_is() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    for name in packaged():
        assert f"{name}." in text
