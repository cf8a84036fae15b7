"""Composites of a simulated history from its file to the result, held against the events that were really drawn."""

from __future__ import annotations

import numpy as np
import pytest

from sla_kit import evaluate
from sla_kit.catalogue import Catalogue, Composite, Dependency, Part, Recovery, Requests, Service, Slo, check_catalogue
from sla_kit.engine.results import Evaluation
from sla_kit.history import HistorySource
from sla_kit.simulate import Scenario, Simulation, simulate
from sla_kit.simulate import scenario as parts
from sla_kit.timeline import Floats

START = 1_788_220_800.0
HOUR = 3600.0
DAYS = 3


def workload(name: str, rps: float, *outages: parts.Outage) -> parts.Workload:
    return parts.Workload(
        name=name, labels={"service": name}, rps=rps, error_ratio=1e-4, pods=2, pods_most=2, outages=list(outages)
    )


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    """Two services that fail together for half an hour, and each alone for another."""
    both, web, api = (START + 12 * HOUR * day for day in (1, 2, 3))
    return simulate(
        Scenario(
            start=START,
            days=DAYS,
            scrape_interval=30.0,
            services=[
                workload(
                    "web",
                    120,
                    parts.Outage(start=both, length=1800.0, error_ratio=0.3),
                    parts.Outage(start=web, length=1800.0, error_ratio=0.2),
                ),
                workload(
                    "api",
                    30,
                    parts.Outage(start=both, length=1800.0, error_ratio=0.5),
                    parts.Outage(start=api, length=1800.0, error_ratio=0.4),
                ),
            ],
        )
    )


def requests(name: str, **more: object) -> Service:
    sli = Requests(metric="http_requests_total", matchers={"service": name}, bad={"status_code": "=~5.."})
    return Service(name=name, slos=[Slo(name="ok", sli=sli, objective=0.999, **more)])  # type: ignore[arg-type]


def whole(name: str, combine: str, *of: str | tuple[str, float], objective: float = 0.99) -> Slo:
    chosen = [Part(slo=part) if isinstance(part, str) else Part(slo=part[0], weight=part[1]) for part in of]
    return Slo(name=name, sli=Composite(combine=combine, of=chosen), objective=objective)  # type: ignore[arg-type]


CATALOGUE = Catalogue(
    name="composites",
    services=[
        requests("web", depends_on=[Dependency(slo="api/ok", share=0.5)]),
        requests("api"),
        Service(
            name="all",
            slos=[
                whole("added", "weighted", "web/ok", "api/ok"),
                whole("weighed", "weighted", ("web/ok", 1.0), ("api/ok", 3.0)),
                whole("worst", "worst", "web/ok", "api/ok"),
                whole("journey", "all", "web/ok", "api/ok", objective=0.999),
                whole("nested", "worst", "weighed", "journey"),
                Slo(name="recovers", sli=Recovery(of="journey", within=900.0), objective=0.9),
            ],
        ),
    ],
)


@pytest.fixture(scope="module")
def evaluation(simulation: Simulation) -> Evaluation:
    assert check_catalogue(CATALOGUE) == []
    return evaluate(CATALOGUE, HistorySource(simulation.history), "3d", START + DAYS * 86400, services=["all"])


@pytest.fixture(scope="module")
def drawn(simulation: Simulation) -> dict[str, tuple[Floats, Floats]]:
    """Total and bad requests of each minute as they were drawn."""
    found = {}
    for name, truth in simulation.counts.items():
        minute = (np.ceil((truth.ends - START) / 60) - 1).astype(int)
        sums = (np.bincount(minute, weights=values, minlength=DAYS * 1440) for values in (truth.total, truth.bad))
        total, bad = (values[: DAYS * 1440].astype(np.float64) for values in sums)
        found[name] = (total, bad)
    return found


def loss(evaluation: Evaluation, name: str) -> float:
    sli = evaluation["all", name].figure.sli
    assert sli is not None
    return 1 - sli


def test_figures_are_those_of_the_drawn_events(evaluation: Evaluation, drawn: dict[str, tuple[Floats, Floats]]) -> None:
    lost = {name: bad.sum() / total.sum() for name, (total, bad) in drawn.items()}
    both = [sum(values[side].sum() for values in drawn.values()) for side in (0, 1)]
    assert loss(evaluation, "added") == pytest.approx(both[1] / both[0], rel=2e-3)
    assert loss(evaluation, "weighed") == pytest.approx((lost["web"] + 3 * lost["api"]) / 4, rel=2e-3)
    assert loss(evaluation, "worst") == pytest.approx(max(lost.values()), rel=2e-3)
    (web, web_bad), (api, api_bad) = drawn["web"], drawn["api"]
    passed = web * (1 - web_bad / web) * (1 - np.divide(api_bad, api, out=np.zeros_like(api), where=api > 0))
    assert loss(evaluation, "journey") == pytest.approx(1 - passed.sum() / web.sum(), rel=5e-3)
    assert loss(evaluation, "nested") == pytest.approx(max(loss(evaluation, "journey"), loss(evaluation, "weighed")))


def test_a_journey_is_not_the_product_of_the_months(evaluation: Evaluation) -> None:
    """Half an hour in which both fail is lost once: the product over the whole time would lose more."""
    journey = evaluation["all", "journey"]
    assert journey.figure.sli is not None
    product = 1.0
    for part in journey.parts:
        assert part.figure.sli is not None
        product *= part.figure.sli
    assert journey.figure.sli > product
    assert journey.sli_range is not None
    low, high = journey.sli_range
    assert low < journey.figure.sli < high


def test_a_journey_has_the_outages_of_its_parts(evaluation: Evaluation) -> None:
    incidents = evaluation["all", "journey"].incidents
    assert [round((incident.start - START) / HOUR) for incident in incidents] == [12, 24, 36]
    recovery = evaluation["all", "recovers"]
    assert (recovery.figure.total, recovery.figure.bad) == (3, 3)


def test_parts_are_judged_though_their_services_were_not_chosen(evaluation: Evaluation) -> None:
    assert {slo.service for slo in evaluation.slos} == {"all"}
    assert [part.key for part in evaluation["all", "nested"].parts] == [("all", "weighed"), ("all", "journey")]


def test_a_part_reads_in_the_composite_as_by_itself(simulation: Simulation, evaluation: Evaluation) -> None:
    alone = evaluate(CATALOGUE, HistorySource(simulation.history), "3d", START + DAYS * 86400)
    for part in evaluation["all", "worst"].parts:
        own = alone[part.key]
        assert (part.figure, part.objective, part.unit) == (own.figure, own.objective, own.unit)


def test_bounds_stand_beside_the_promise(simulation: Simulation, evaluation: Evaluation) -> None:
    web = evaluate(CATALOGUE, HistorySource(simulation.history), "3d", START + DAYS * 86400, services=["web"])[
        "web", "ok"
    ]
    assert web.bound is not None
    assert web.bound.by_objectives == pytest.approx(1 - 0.5 * 0.001)
    [dependency] = web.bound.dependencies
    assert dependency.sli is not None
    assert web.bound.by_measured == pytest.approx(1 - 0.5 * (1 - dependency.sli))
    assert "over-dependencies" not in [finding.kind for finding in web.findings]
    journey = evaluation["all", "journey"]
    assert journey.bound is not None
    # web rests on api for half of it, and api counts once: 0.999, and what web loses beside it.
    assert journey.bound.by_objectives == pytest.approx(0.999 * 0.999 / 0.9995)
    assert "over-dependencies" in [finding.kind for finding in journey.findings]
