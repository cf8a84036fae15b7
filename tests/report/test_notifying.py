"""What the router is told of an evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sla_kit.engine.results import Evaluation, PolicyState, StepState
from sla_kit.report.notifying import POLICY_STEP, budget_alerts, files_to_send, report_notice
from sla_kit.report.rows import slo_name
from sla_kit.routing.notifications import Notification
from sla_kit.routing.web.native import arrive
from tests.report import sample as samples


def _step(reached: bool | None, left: float = 0.25) -> StepState:
    return StepState(
        action="Freeze risky releases.", left=left, incident=None, effects=("freeze", "escalate"), to=("on-call",),
        exempt=(), reached=reached, because="12 % of the error budget is left, 25 % or less",
    )  # fmt: skip


def _with_policy(*steps: StepState) -> Evaluation:
    sample = samples.sample()
    first, *others = sample.slos
    rest = [replace(each, policy=None) for each in others]
    return replace(sample, slos=(replace(first, policy=PolicyState(steps)), *rest))


def _accepted(told: Notification) -> None:
    """The router takes it."""
    arrive(told, 1_790_000_000.0)


def test_a_report_says_the_verdict_each_promise_and_what_was_missed() -> None:
    sample = samples.sample()
    told = report_notice(sample, ["on-call"])
    missed = [slo for slo in sample.slos if slo.figure.met is False]
    assert set(told.fields) == {each.title for each in sample.promises}
    assert all(slo_name(slo) in told.text for slo in missed[:10])
    assert told.to == ["on-call"]
    _accepted(told)


def test_the_same_evaluation_is_the_same_report_and_another_window_another() -> None:
    sample = samples.sample()
    later = replace(sample, window=replace(sample.window, end=sample.window.end + 60))
    assert report_notice(sample).id == report_notice(sample).id != report_notice(later).id


def test_a_step_that_is_reached_fires_and_one_that_is_not_is_resolved() -> None:
    [fires, over] = budget_alerts(_with_policy(_step(True), _step(None, 0.1), _step(False, 0.0)))
    assert (fires.key, fires.status, fires.severity, fires.team) == (POLICY_STEP, "firing", "warning", "on-call")
    assert fires.text == "12 % of the error budget is left, 25 % or less. Freeze risky releases."
    assert over.status == "resolved"
    assert over.labels != fires.labels  # or the one would resolve the other
    for told in (fires, over):
        _accepted(told)


def test_the_pdf_and_the_table_go_along_or_the_page_where_there_is_no_pdf(tmp_path: Path) -> None:
    every = [tmp_path / f"report.{kind}" for kind in ("html", "md", "json", "csv", "pdf")]
    assert [path.name for path in files_to_send(every)] == ["report.pdf", "report.csv"]
    assert [path.name for path in files_to_send(every[:2])] == ["report.html"]
