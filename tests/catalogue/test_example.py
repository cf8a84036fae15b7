"""The first user's catalogue: the five promises, the metrics that the simulator writes, the calendar, environments."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sla_kit.catalogue import Catalogue, Latency, check, load
from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.dependencies import check_bounds
from sla_kit.catalogue.model import Composite, External, LogEvents, LogLatency, Promql, Recovery

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "astralfield"
PROMISES = ["availability", "response-time", "error-rate", "recovery-time", "backup-recovery"]

#: What the exporters of the first user serve, by metric.
LABELS = {
    "http_requests_total": {"job", "service", "instance", "route", "method", "status_code"},
    "http_request_duration_seconds": {"job", "service", "instance"},
    "nginx_ingress_controller_requests": {"controller_pod", "ingress", "status"},
    "probe_success": {"job", "instance"},
    "pg_up": {"job", "instance"},
    "pg_replication_lag_seconds": {"job", "instance"},
    "redis_up": {"job", "instance"},
    "backup_last_success_timestamp_seconds": {"job", "kind"},
    "restore_last_success_timestamp_seconds": {"job"},
    "restore_last_duration_seconds": {"job"},
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(EXAMPLE, "production")


@pytest.mark.parametrize("environment", [None, "dev", "staging", "production"])
def test_every_environment_is_without_mistakes(environment: str | None) -> None:
    found, mistakes = check(EXAMPLE, environment)
    assert mistakes == []
    assert found is not None


def test_each_of_the_five_promises_has_slos_and_each_slo_a_promise_that_exists(catalogue: Catalogue) -> None:
    assert [promise.name for promise in catalogue.promises] == PROMISES
    assert {slo.promise for _, slo in catalogue.slos()} - {""} == set(PROMISES)


def test_services_are_those_that_are_run(catalogue: Catalogue) -> None:
    assert sorted(each.name for each in catalogue.services) == ["api", "backups", "ingress", "postgres", "redis", "web"]


def test_indicators_select_metrics_and_labels_that_are_there(catalogue: Catalogue) -> None:
    metrics = set()
    for service, slo in catalogue.slos():
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Recovery | Composite):
            continue
        assert not isinstance(sli, Promql | External | LogEvents | LogLatency)
        matched = set(sli.matchers) | set(getattr(sli, "good", None) or {}) | set(getattr(sli, "bad", None) or {})
        assert matched <= LABELS[sli.metric], (service.name, slo.name)
        metrics.add(sli.metric)
    assert metrics == set(LABELS)


@pytest.mark.parametrize("name", ["web", "api"])
def test_targets_are_the_promised_ones(catalogue: Catalogue, name: str) -> None:
    [service] = [each for each in catalogue.services if each.name == name]
    slos = {slo.name: slo for slo in service.slos}
    assert slos["availability"].objective == pytest.approx(0.9999)
    assert slos["reachable"].objective == pytest.approx(0.9999)
    assert slos["error-rate"].objective == pytest.approx(0.999)
    assert catalogue.sli(service, slos["recovery-time"]) == Recovery(of="availability", within=900.0)
    latency = catalogue.sli(service, slos["response-time"])
    assert isinstance(latency, Latency)
    assert (latency.threshold, latency.quantile) == (0.1, 0.95)


def test_severities_say_how_soon_somebody_responds(catalogue: Catalogue) -> None:
    assert {each.name: each.respond_within for each in catalogue.severities} == {
        "critical": 300.0,
        "warning": 1800.0,
        "info": 0.0,
    }


def test_people_can_be_reached(catalogue: Catalogue) -> None:
    assert {each.email for each in catalogue.contacts} - {""} == {
        "platform@astralfield.com",
        "database@astralfield.com",
        "security@astralfield.com",
    }
    assert any(each.pagerduty for each in catalogue.contacts)
    assert catalogue.runbooks == "https://runbooks.astralfield.com"


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_other_environments_promise_no_more_than_production(catalogue: Catalogue, environment: str) -> None:
    strict = {(service.name, slo.name): slo.objective for service, slo in catalogue.slos()}
    loose = {(service.name, slo.name): slo.objective for service, slo in load(EXAMPLE, environment).slos()}
    assert loose.keys() <= strict.keys()
    assert all(objective <= strict[key] for key, objective in loose.items())
    assert any(objective < strict[key] for key, objective in loose.items())


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_nothing_promises_more_than_what_it_depends_on(environment: str) -> None:
    assert check_bounds(load(EXAMPLE, environment)) == []


def test_a_line_up_passes_through_page_api_and_database(catalogue: Catalogue) -> None:
    journeys = {
        (service.name, slo.name): [part.target(service.name) for part in sli.of]
        for service, slo in catalogue.slos()
        if isinstance(sli := catalogue.sli(service, slo), Composite)
    }
    assert journeys == {("web", "setting-a-line-up"): [(name, "availability") for name in ("web", "api", "postgres")]}


def test_fixes_for_security_pass_every_freeze(catalogue: Catalogue) -> None:
    freezes = [step for step in catalogue.policy if "freeze" in step.effects]
    assert [step.left for step in freezes] == [0.25, 0.0]
    assert all("security" in step.exempt for step in freezes)


def games(catalogue: Catalogue, first: str, last: str) -> list[tuple[str, str, float]]:
    """Local start, name and hours of the games between two days."""
    zone = ZoneInfo("America/New_York")
    span = [int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in (first, last)]
    return [
        (datetime.fromtimestamp(each.start, zone).strftime("%m-%d %H:%M"), each.name, (each.end - each.start) / 3600)
        for each in intervals(catalogue.calendar.events, span[0], span[1], catalogue.timezone, catalogue.folder)
    ]


def test_games_of_september_are_those_of_the_season(catalogue: Catalogue) -> None:
    assert games(catalogue, "2026-09-14", "2026-09-22") == [
        ("09-17 20:15", "Thursday night game", 3.5),
        ("09-19 16:00", "Charity game", 3.5),
        ("09-20 13:00", "Sunday games", 3.5),
    ]


def test_games_keep_their_local_time_after_the_clock_change_and_thanksgiving_is_special(catalogue: Catalogue) -> None:
    assert games(catalogue, "2026-11-22", "2026-11-30") == [
        ("11-22 13:00", "Sunday games", 3.5),
        ("11-26 12:00", "Thanksgiving games", 12.0),
        ("11-29 13:00", "Sunday games", 3.5),
    ]


def test_game_that_was_called_off_is_no_event(catalogue: Catalogue) -> None:
    assert games(catalogue, "2026-08-01", "2026-09-01") == []


def test_maintenance_says_why_and_who_approved_it(catalogue: Catalogue) -> None:
    for occasion in catalogue.calendar.maintenance:
        assert occasion.reason
        assert occasion.approved_by.endswith("@astralfield.com")
    zone, folder = catalogue.timezone, catalogue.folder
    start = int(datetime(2026, 9, 23, tzinfo=UTC).timestamp())
    [upgrade] = intervals(catalogue.calendar.maintenance, start, start + 86_400, zone, folder)
    assert datetime.fromtimestamp(upgrade.start, UTC) == datetime(2026, 9, 23, 7, tzinfo=UTC)
    assert upgrade.end - upgrade.start == 1800
    assert upgrade.services == ("postgres", "api")


@pytest.mark.parametrize("environment", [None, "dev", "staging", "production"])
def test_the_example_of_logs_sets_them_beside_metrics(environment: str | None) -> None:
    found, mistakes = check(EXAMPLE.parent / "logs", environment)
    assert mistakes == []
    assert found is not None
    [compared] = [(slo.compare_with, found.source(service, slo)) for service, slo in found.slos() if slo.compare_with]
    assert compared[0] is not None
    assert compared[0].target("api") == ("api", "availability")
    assert compared[1] == "logs"
