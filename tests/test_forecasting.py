"""Forecasts end to end: a simulated season, its catalogue, the command and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

import sla_kit
from sla_kit.catalogue.model import (
    Calendar,
    Capacity,
    Catalogue,
    Composite,
    Occasion,
    Part,
    Recovery,
    Requests,
    Resource,
    Service,
    Slo,
    Window,
)
from sla_kit.cli import main
from sla_kit.engine.forecast.results import Forecast
from sla_kit.errors import SlaKitError
from sla_kit.history import HistorySource
from sla_kit.report import render
from sla_kit.report.document_forecast import forecast_document
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate.scenario import Burst, Gauge, Outage, Workload

START = 1_788_134_400.0  # Monday, 31 August 2026
DAY = 86400.0
WEEKS = 6
SUNDAY = 6 * DAY + 18 * 3600
API = Requests(metric="http_requests_total", matchers={"service": "api"}, bad={"status_code": "=~5.."})


def catalogue() -> Catalogue:
    """Promises of an API with a game on each Sunday at 18:00 UTC, for two hours."""
    month = Window(rolling=28 * DAY)
    return Catalogue(
        name="league",
        bucket=300.0,
        services=[
            Service(
                name="api",
                slis={"requests": API},
                slos=[
                    Slo(name="availability", sli="requests", objective=0.999, window=month),
                    Slo(name="monthly", sli="requests", objective=0.999, window=Window(calendar="month")),
                    Slo(name="recovery", sli=Recovery(of="availability", within=900), objective=0.99),
                    Slo(
                        name="journey",
                        objective=0.999,
                        window=month,
                        sli=Composite(combine="all", of=[Part(slo="availability"), Part(slo="monthly")]),
                    ),
                ],
                capacity=Capacity(
                    requests="requests",
                    pods=Resource(metric="pods", matchers={"deployment": "api"}, limit=8),
                    connections=Resource(metric="connections", limit=40),
                ),
            )
        ],
        calendar=Calendar(
            events=[
                Occasion(name="Sunday game", start="2026-09-06T18:00", duration=7200, repeat="FREQ=WEEKLY;BYDAY=SU")
            ]
        ),
    )


@pytest.fixture(scope="module")
def source() -> HistorySource:
    """Six weeks, the games of which are 35, 40 or 45 times as busy as usual, and an outage in the fourth."""
    games = [START + week * 7 * DAY + SUNDAY for week in range(WEEKS)]
    factors = [35, 45, 40, 40, 45, 35]
    scenario = Scenario(
        start=START,
        days=WEEKS * 7,
        scrape_interval=300.0,
        services=[
            Workload(
                name="api",
                labels={"service": "api"},
                rps=5,
                daily=0.5,
                error_ratio=1e-4,
                pods=2,
                pods_most=20,
                pod_rps=40,
                outages=[Outage(start=games[3] + 3600, length=600, error_ratio=0.1)],
            )
        ],
        events=[
            Burst(start=game, length=7200, factor=factor, ramp=300) for game, factor in zip(games, factors, strict=True)
        ],
        gauges=[
            Gauge(metric="pods", labels={"deployment": "api"}, service="api", per_pod=1),
            Gauge(metric="connections", value=4, service="api", per_rps=0.2),
        ],
    )
    return HistorySource(simulate(scenario).history, "season")


@pytest.fixture(scope="module")
def found(source: HistorySource) -> Forecast:
    return sla_kit.forecast(catalogue(), source, horizon="14d")


def test_every_slo_has_an_outlook_or_a_reason(found: Forecast) -> None:
    assert [one.slo for one in found.outlooks] == ["availability", "monthly", "recovery", "journey"]
    assert [bool(one.reason) for one in found.outlooks] == [False, False, True, False]
    assert (found.at, found.until) == (START + WEEKS * 7 * DAY, START + (WEEKS * 7 + 14) * DAY)
    for one in found.outlooks:
        if not one.reason:
            assert 0 <= one.probability <= 1  # type: ignore[operator]
            assert one.left_low <= one.left_expected <= one.left_high  # type: ignore[operator]


def test_what_is_left_now_is_what_the_evaluation_says_of_a_rolling_window(
    found: Forecast, source: HistorySource
) -> None:
    evaluation = sla_kit.evaluate(catalogue(), source, "7d")
    for name in ("availability", "journey"):
        own = evaluation["api", name].own
        assert found["api", name].left == pytest.approx(own.budget.left_ratio, abs=1e-9)


def test_the_coming_games_need_what_past_games_needed(found: Forecast) -> None:
    assert [event.name for event in found.events] == ["Sunday game", "Sunday game"]
    [need] = found.events[0].needs
    assert need.events == WEEKS
    assert need.factor == pytest.approx(40, rel=0.1)
    rate, pods, connections = need.needs
    # 18:00 UTC has 5 x (1 + 0.5 sin 135 deg) requests per second.
    assert rate.value == pytest.approx(40 * 5 * 1.354, rel=0.1)
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < rate.value < rate.high
    assert pods.value == pytest.approx(rate.value / 40, abs=1)
    assert connections.value == pytest.approx(4 + 0.2 * rate.value, rel=0.05)
    assert connections.exceeds
    assert pods.limit == 8


def test_it_is_the_same_from_any_moment_before_the_end(source: HistorySource) -> None:
    at = datetime.fromtimestamp(START + 35 * DAY, UTC)
    early = sla_kit.forecast(catalogue(), source, at, horizon="7d", services=["api"])
    assert early.at == START + 35 * DAY
    assert early == sla_kit.forecast(catalogue(), source, at, horizon=7 * DAY, services=["api"])
    assert early.events[0].needs[0].events == WEEKS - 1


@pytest.mark.parametrize("horizon", ["soon", "10m", "99y"])
def test_a_horizon_that_cannot_be_is_refused(source: HistorySource, horizon: str) -> None:
    with pytest.raises(SlaKitError, match="horizon"):
        sla_kit.forecast(catalogue(), source, horizon=horizon)


def test_the_document_is_plain_and_complete(found: Forecast) -> None:
    document = json.loads(json.dumps(forecast_document(found), allow_nan=False))
    assert document["catalogue"] == "league"
    assert [one["slo"] for one in document["outlooks"]] == [one.slo for one in found.outlooks]
    needs = document["events"][0]["needs"][0]["needs"]
    assert [one["what"] for one in needs] == ["requests", "pods", "connections"]
    assert document["outlooks"][2]["left"] is None


def test_the_report_has_a_section_where_a_forecast_was_asked_for(found: Forecast, source: HistorySource) -> None:
    evaluation = sla_kit.evaluate(catalogue(), source, "7d")
    assert "## Forecast" not in render(evaluation, "md")
    text = render(replace(evaluation, forecast=found), "md")
    assert "## Forecast" in text
    assert "At risk from Sunday game" in text
    assert json.loads(render(replace(evaluation, forecast=found), "json"))["forecast"]["outlooks"]
    assert json.loads(render(evaluation, "json"))["forecast"] is None


def test_a_forecast_of_some_services_is_part_of_the_whole(found: Forecast) -> None:
    assert found.of({"api"}) == found
    nothing = found.of({"web"})
    assert nothing.outlooks == ()
    assert all(not event.needs and not event.risks for event in nothing.events)


def test_the_command_prints_tables_or_json(tmp_path: Path) -> None:
    scenario = Scenario(
        start=START, days=10, scrape_interval=300.0, services=[Workload(name="api", labels={"service": "api"})]
    )
    simulate(scenario).write(tmp_path / "history")
    (tmp_path / "sla.yml").write_text(
        "name: shop\nbucket: 5m\nservices:\n  - name: api\n    slos:\n      - name: availability\n"
        "        objective: 99%\n        window: 7d\n        sli: {kind: requests, metric: http_requests_total, "
        "matchers: {service: api}, bad: {status_code: =~5..}}\n"
    )
    arguments = ["forecast", "-c", str(tmp_path / "sla.yml"), "--source", str(tmp_path / "history")]
    tables = CliRunner().invoke(main, arguments)
    assert tables.exit_code == 0, tables.output
    assert "api / availability" in tables.output
    document = json.loads(CliRunner().invoke(main, [*arguments, "--json", "--horizon", "3d"]).output)
    assert document["until"] == "2026-09-13T00:00:00Z"
    assert document["outlooks"][0]["notes"]
