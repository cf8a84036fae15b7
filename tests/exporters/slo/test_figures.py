"""What is published is what the report says: of a real Prometheus, at any moment, after any number of collections."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from sla_kit import evaluate
from sla_kit.catalogue.model import (
    Calendar,
    Catalogue,
    Composite,
    Occasion,
    Part,
    PolicyStep,
    Requests,
    Service,
    Slo,
    Window,
)
from sla_kit.catalogue.writing import to_yaml
from sla_kit.cli import main
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from tests.exporters.slo.promises import Series, collected, configured, loaded, value
from tests.servers import prometheus
from tests.test_same_figures import HOUR, START, catalogue, scenario

pytestmark = pytest.mark.xdist_group("slo_prometheus")

END = int(START + 48 * HOUR)
EVENT_END = int(START + 31 * HOUR)


def shop() -> Catalogue:
    """The SLOs of every kind, with composites, a policy, live events and maintenance."""
    plain = catalogue([])
    [service] = plain.services
    slos = [
        *service.slos,
        Slo(name="both", sli=Composite(combine="all", of=[Part(slo="errors"), Part(slo="up")]), objective=0.98),
        Slo(
            name="mean",
            sli=Composite(combine="weighted", of=[Part(slo="errors", weight=3.0), Part(slo="lag", weight=1.0)]),
            objective=0.98,
        ),
        Slo(name="month", sli=Requests(metric="http_requests_total", bad={"status_code": "=~5.."}), objective=0.999,
            window=Window(calendar="month"), policy=[PolicyStep(left=0.5, action="slow down")]),
        Slo(name="day", sli=Requests(metric="http_requests_total", bad={"status_code": "=~5.."}), objective=0.99,
            window=Window(rolling=86400.0)),
    ]  # fmt: skip
    events = [Occasion(name="match", start=_time(START + 28 * HOUR), end=_time(EVENT_END))]
    maintenance = [Occasion(name="upgrade", start=_time(START + 9 * HOUR), end=_time(START + 10 * HOUR))]
    return msgspec.structs.replace(
        plain,
        services=[msgspec.structs.replace(service, slos=slos)],
        calendar=Calendar(events=events, maintenance=maintenance),
        policy=[PolicyStep(left=0.0, action="freeze"), PolicyStep(incident=0.2, action="review")],
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    simulate(scenario()).write(folder)
    return folder


@pytest.fixture(scope="module")
def url(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import gzip

    text = tmp_path_factory.mktemp("prometheus") / "history.om"
    text.write_bytes(gzip.decompress((recording / "history.om.gz").read_bytes()))
    with prometheus("2", openmetrics=text) as server:
        yield server.url


def report(folder: Path, url: str, window: str, at: int) -> dict[str, Any]:
    """What `sla-kit report` says, by SLO."""
    (folder / "sla.yml").write_text(to_yaml(shop()))
    arguments = ["report", "-c", str(folder / "sla.yml"), "--source", url, "--window", window, "--at", _time(at)]
    done = CliRunner().invoke(main, [*arguments, "--format", "json", "--out", str(folder / "out")])
    assert done.exit_code in (0, 1, 2), done.output
    [file] = (folder / "out").glob("*.json")
    return {slo["slo"]: slo for slo in json.loads(file.read_bytes())["slos"]}


def assert_figures(found: Mapping[Series, float], slo: str, window: str, figure: Mapping[str, Any]) -> None:
    """The published figures are those of a report, absent where it has none."""

    def of(name: str) -> float | None:
        return value(found, name, slo=slo, window=window)

    def same(name: str, expected: float | None) -> None:
        assert of(name) == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-12)), (name, slo)

    budget = figure["budget"]
    same("sla_slo_sli_ratio", figure["sli"])
    same("sla_slo_good_events", figure["good"])
    same("sla_slo_bad_events", figure["bad"])
    same("sla_slo_events", figure["total"])
    same("sla_slo_coverage_ratio", figure["coverage"])
    same("sla_slo_error_budget_left_ratio", budget["left_ratio"])
    same("sla_slo_error_budget_allowed_events", budget["allowed"])
    same("sla_slo_error_budget_spent_events", budget["spent"])
    same("sla_slo_met", {True: 1.0, False: 0.0, None: None}[figure["met"]])


def test_every_figure_is_that_of_the_report(url: str, tmp_path: Path) -> None:
    said = report(tmp_path, url, "2d", END)
    found = collected(loaded(configured(tmp_path, shop(), f"source: {url}\nwindows: [2d]\n"), lambda: END))
    assert len(said) == len(shop().services[0].slos)
    for name, slo in said.items():
        assert_figures(found, name, "2d", slo)
        own = {"month": "month", "day": "1d"}.get(name, "30d")
        assert_figures(found, name, own, slo["own"])
        assert value(found, "sla_slo_objective_ratio", slo=name) == slo["objective"]
        for rate in slo["burn_rates"]:
            window = {300: "5m", 1800: "30m", 3600: "1h", 21600: "6h", 259200: "3d"}.get(rate["window_seconds"])
            if window is not None and rate["rate"] is not None:
                burning = value(found, "sla_slo_burn_rate_ratio", slo=name, burn_window=window)
                assert burning == pytest.approx(rate["rate"], rel=1e-9, abs=1e-12)


def test_collection_after_collection_the_figures_stay_those_of_a_fresh_reading(url: str, tmp_path: Path) -> None:
    """Over gaps, restarts, an outage and the end of a day: what was closed on the way is what a first reading finds."""
    now = int(START + 29 * HOUR)
    state = loaded(configured(tmp_path, shop(), f"source: {url}\nwindows: [2d]\n"), lambda: now)
    for step in (0, 60, 60, 1800, 1800, 300, 300, 3600, 7 * 3600, 2 * 3600, 60):
        now += step
        found = collected(state)
        said = evaluate(shop(), url, "2d", now)
        for slo in said.slos:
            left, sli = slo.own.budget.left_ratio, slo.figure.sli
            own = {"month": "month", "day": "1d"}.get(slo.slo, "30d")
            assert value(found, "sla_slo_sli_ratio", slo=slo.slo, window="2d") == _near(sli), (slo.slo, now)
            assert value(found, "sla_slo_error_budget_left_ratio", slo=slo.slo, window=own) == _near(left)
            assert value(found, "sla_slo_events", slo=slo.slo, window="2d") == _near(slo.figure.total)


def _near(expected: float | None) -> Any:
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_live_events_exclusions_policies_and_parts_are_told(url: str, tmp_path: Path) -> None:
    now = int(START + 30.5 * HOUR)  # in the live event, and while half of the requests of an outage have failed
    state = loaded(configured(tmp_path, shop(), f"source: {url}\n"), lambda: now)
    found = collected(state)
    said = evaluate(shop(), url, f"{_time(START + 28 * HOUR)}/{_time(now)}", now)
    assert value(found, "sla_slo_event_active", slo="errors") == 1
    assert value(found, "sla_slo_exclusion_active", slo="errors") == 0
    assert value(found, "sla_slo_sli_ratio", slo="errors", window="event") == _near(said["api", "errors"].figure.sli)
    parts_of = {
        key: value(found, "sla_slo_part_sli_ratio", slo="mean", part_slo=key) for key in ("errors", "lag", "up")
    }
    assert parts_of["up"] is None
    for part in said["api", "mean"].parts:
        assert parts_of[part.slo] == _near(part.own.sli)
    policy = said["api", "errors"].policy
    assert policy is not None
    assert {step.reached for step in policy.steps} == {True}
    for step, action in (("left 0", "freeze"), ("incident 0.2", "review")):
        assert value(found, "sla_slo_policy_step_reached", slo="errors", step=step, action=action) == 1
    assert value(found, "sla_slo_policy_step_reached", slo="month", step="left 0.5", action="slow down") == 1
    assert value(found, "sla_slo_policy_step_reached", slo="backup", step="left 0", action="freeze") == 0
    now = END
    assert value(collected(state), "sla_slo_event_active", slo="errors") == 0
    assert value(collected(state), "sla_slo_sli_ratio", slo="errors", window="event") is None
    now = int(START + 9.5 * HOUR)
    assert value(collected(state), "sla_slo_exclusion_active", slo="errors") == 1


def test_a_service_without_data_has_no_coverage_and_no_sli(url: str, tmp_path: Path) -> None:
    found = collected(loaded(configured(tmp_path, shop(), f"source: {url}\n"), lambda: END))
    assert value(found, "sla_slo_coverage_ratio", slo="nobody", window="30d") == 0
    assert value(found, "sla_slo_events", slo="nobody", window="30d") == 0
    for name in ("sla_slo_sli_ratio", "sla_slo_met", "sla_slo_error_budget_left_ratio"):
        assert value(found, name, slo="nobody") is None
    assert value(found, "sla_slo_info", slo="nobody", kind="requests", window="30d") == 1


def test_figures_are_the_truth_of_a_simulated_history(tmp_path: Path) -> None:
    labels = {"service": "api"}
    api = parts.Workload(
        name="api",
        labels=labels,
        rps=50,
        error_ratio=0.001,
        outages=[parts.Outage(start=START + 30 * HOUR, length=1800.0, error_ratio=0.3)],
    )
    simulation = simulate(Scenario(start=START, days=3, services=[api]))
    simulation.write(tmp_path / "history")
    truth = json.loads((tmp_path / "history" / "truth.json").read_bytes())["services"]["api"]
    requests = Requests(metric="http_requests_total", matchers={"service": "api"}, bad={"status_code": "=~5.."})
    slos = [Slo(name="availability", sli=requests, objective=0.999, window=Window(rolling=3 * 86400.0))]
    promised = Catalogue(name="true", services=[Service(name="api", slos=slos)])
    found = collected(loaded(configured(tmp_path, promised, "source: history\n"), lambda: START + 72 * HOUR))
    bad, total = (value(found, f"sla_slo_{name}", slo="availability") for name in ("bad_events", "events"))
    assert bad is not None
    assert total is not None
    assert bad / total == pytest.approx(truth["error_ratio"], rel=1e-3)
    left = value(found, "sla_slo_error_budget_left_ratio", slo="availability")
    assert left == pytest.approx(1 - truth["error_ratio"] / 0.001, rel=1e-3)
