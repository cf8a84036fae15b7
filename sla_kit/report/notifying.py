"""What the router is told of an evaluation: the report with its files, and each step of an error-budget policy as an
alert that fires while the step is reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sla_kit.engine.results import Evaluation, SloResult, StepState
from sla_kit.report import formats
from sla_kit.report.content import headline, page
from sla_kit.report.rows import because, slo_name, worst_first
from sla_kit.routing.notifications import AlertToTell, ReportToTell

#: The alertname of a budget's alerts.
POLICY_STEP = "ErrorBudgetPolicyStep"
_MOST_LINES = 10
#: What of a report is sent along: what people read, and what a spreadsheet does.
_SENT = (("report.pdf", "report.html"), ("report.csv",))


def report_notice(evaluation: Evaluation, to: Sequence[str] = ()) -> ReportToTell:
    """The report in a few lines: the verdict, each promise, and the SLOs that were missed. The same evaluation has the
    same ``id``, so that a job that runs again tells nothing twice."""
    window, audience = evaluation.window, evaluation.audience
    whose = audience.owner if audience is not None else ""
    missed = [slo for slo in worst_first(evaluation.slos) if slo.figure.met is False]
    lines = [_missed(slo) for slo in missed[:_MOST_LINES]]
    if len(missed) > _MOST_LINES:
        lines.append(f"… and {len(missed) - _MOST_LINES} more")
    days = formats.span(window.start, window.end, evaluation.timezone)
    named = (evaluation.catalogue, evaluation.environment, whose, window.name, str(window.start), str(window.end))
    return ReportToTell(
        id="report/" + "/".join(named),
        title=page(evaluation).title,
        text="\n\n".join(
            each for each in (f"{headline(evaluation)} {days} ({evaluation.timezone}).", "\n".join(lines)) if each
        ),
        environment=evaluation.environment,
        team=whose,
        to=list(to),
        fields={each.title: f"{_verdict(each.met)}: {because(each, evaluation.slos)}" for each in evaluation.promises},
    )


def files_to_send(written: Iterable[Path]) -> list[Path]:
    """Which of a report's files go along: the PDF, or the page where there is none, and the table."""
    by_name = {path.name: path for path in written}
    found = [next((by_name[name] for name in names if name in by_name), None) for names in _SENT]
    return [path for path in found if path is not None]


def budget_alerts(evaluation: Evaluation) -> list[AlertToTell]:
    """An alert for each step of each SLO's policy, firing while it is reached and resolved while it is not; a step of
    which that can't be told is left as it was. Told again and again, they are the same alerts."""
    found = []
    for slo in evaluation.slos:
        for step in slo.policy.steps if slo.policy is not None else ():
            if step.reached is not None:
                found.append(_alert(evaluation, slo, step))
    return found


def _alert(evaluation: Evaluation, slo: SloResult, step: StepState) -> AlertToTell:
    name, named = slo_name(slo), _step(step)
    team = next(iter(step.to), slo.owner)
    return AlertToTell(
        key=POLICY_STEP,
        status="firing" if step.reached else "resolved",
        title=f"{name}: {named}",
        text=f"{step.because[:1].upper()}{step.because[1:]}. {step.action}",
        severity="warning" if {"freeze", "escalate"} & set(step.effects) else "info",
        service=slo.service,
        slo=slo.slo,
        team=team,
        environment=evaluation.environment,
        labels={"step": named},
    )


def _step(step: StepState) -> str:
    if step.left is not None:
        return "error budget spent" if step.left == 0 else f"error budget at {step.left * 100:.4g} % or less"
    return f"one incident spent {(step.incident or 0.0) * 100:.4g} % of the error budget or more"


def _missed(slo: SloResult) -> str:
    figure = slo.figure
    measured = "nothing measured" if figure.sli is None else formats.percent(figure.sli, slo.objective)
    return f"{slo_name(slo)}: {measured}, {formats.objective_percent(slo.objective)} promised"


def _verdict(met: bool | None) -> str:
    return {True: "kept", False: "missed", None: "open"}[met]
