"""The decision over a release, as a truth table, and its one sentence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sla_kit.engine.figures import budget
from sla_kit.engine.gate import decide, undecided
from sla_kit.engine.results import Figure, Period, PolicyState, SloResult, StepState

NOON = 1790596800  # 2026-09-28T12:00:00Z


def step(reached: bool | None, *, left: float = 0.0, freeze: bool = True, exempt: tuple[str, ...] = ()) -> StepState:
    effects = ("freeze",) if freeze else ("review",)
    return StepState("Only fixes. Ask first!", left, None, effects, (), exempt, reached, "no data", NOON)  # type: ignore[arg-type]


def slo(name: str, left: float | None, *steps: StepState) -> SloResult:
    spent = 100.0 if left is None else 100.0 * (1 - left)
    found = Figure(0.5, 0, spent, 1e4, 1.0, True, budget(1e4, spent, 0.01, 86400.0))
    if left is None:
        found = replace(found, sli=None, met=None, reason="no data", budget=budget(0.0, 0.0, 0.01, 86400.0))
    period = Period("30d", 0, 1)
    return SloResult(
        "web", name, "requests", "requests", 0.99, period, found, found, period, found, policy=PolicyState(steps)
    )


@pytest.mark.parametrize(
    ("slos", "change", "passing", "go"),
    [
        ([], "", False, True),
        ([slo("a", 0.9)], "", False, True),
        ([slo("a", 0.9, step(False))], "", False, True),
        ([slo("a", -1, step(True, freeze=False))], "", False, True),
        ([slo("a", -1, step(True))], "", False, False),
        ([slo("a", -1, step(True))], "security", False, False),
        ([slo("a", -1, step(True, exempt=("security",)))], "security", False, True),
        ([slo("a", -1, step(True, exempt=("security",)))], "feature", False, False),
        ([slo("a", -1, step(True, exempt=("security",)))], "", False, False),
        # each reached step must let it pass
        ([slo("a", -1, step(True, exempt=("security",)), step(True, left=0.25))], "security", False, False),
        ([slo("a", None, step(None))], "", False, None),
        ([slo("a", None, step(None))], "", True, True),
        ([slo("a", None, step(None, freeze=False))], "", False, True),
        ([slo("a", None, step(None, exempt=("security",)))], "security", False, True),
        ([slo("a", None, step(None)), slo("b", -1, step(True))], "", True, False),
        ([slo("a", 0.9, step(False)), slo("b", 0.1, step(True, left=0.25))], "", False, False),
    ],
)
def test_decision(slos: list[SloResult], change: str, passing: bool, go: bool | None) -> None:
    found = decide(slos, "UTC", change, pass_unknown=passing)
    assert found.go is go
    assert found.verdict == {True: "go", False: "stop", None: "unknown"}[go]
    assert one_sentence(found.sentence)


def one_sentence(text: str) -> bool:
    return "\n" not in text and text.endswith(".") and not re.search(r"[.!?] ", text)


def test_a_stop_names_the_worst_slo_its_budget_the_step_and_until_when() -> None:
    found = decide([slo("a", 0.1, step(True, left=0.25)), slo("b", -0.5, step(True))], "Europe/Berlin")
    assert found.sentence == (
        'Stop: web/b has -50 % of its error budget left (30d), and the policy\'s step at 0 % left ("Only fixes") holds '
        "releases back until 2026-09-28 14:00 Europe/Berlin if nothing else goes wrong; 1 more SLO holds them back as "
        "well."
    )
    assert [hold.slo.slo for hold in found.holds] == ["b", "a"]


def test_until_when_is_left_out_where_one_of_them_does_not_know() -> None:
    unknown = replace(step(True), frees_at=None)
    assert "until" not in decide([slo("a", -1, step(True)), slo("b", -2, unknown)], "UTC").sentence


def test_a_budget_that_allows_less_than_one_bad_event_is_not_the_worst() -> None:
    small = slo("tiny", -99, step(True))
    small = replace(small, own=replace(small.own, budget=budget(1.0, 1.0, 0.01, 86400.0)))
    assert "web/big has -50 %" in decide([small, slo("big", -0.5, step(True))], "UTC").sentence


def test_a_go_tells_how_much_is_left_at_worst() -> None:
    found = decide([slo("a", 0.9, step(False)), slo("b", 0.3, step(False))], "UTC")
    assert found.sentence == (
        "Go: no step that freezes is reached; at worst web/b has 30 % of its error budget left (30d)."
    )


def test_an_exempt_change_is_told_what_it_passes() -> None:
    found = decide([slo("a", -1, step(True, exempt=("security",)))], "UTC", "security")
    assert found.sentence == (
        "Go: web/a has -100 % of its error budget left (30d), but the policy's step at 0 % left exempts security "
        "changes."
    )


def test_what_can_not_be_told_is_named() -> None:
    found = decide([slo("a", None, step(None)), slo("b", None, step(None))], "UTC")
    assert found.sentence == "Can't tell: the error budget of web/a is not known (no data), nor of 1 more SLO."


def test_a_source_that_does_not_answer_is_no_verdict() -> None:
    assert undecided("no answer").go is None
    assert undecided("no answer", pass_unknown=True).go is True
    assert undecided("no answer").sentence == "Can't tell: nothing could be judged (no answer)."
