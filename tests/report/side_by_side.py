"""An evaluation with SLOs that are measured by logs and by metrics."""

from __future__ import annotations

from dataclasses import replace

from sla_kit.engine.agreement import Divergence, Means, Measured, SideBySide
from sla_kit.engine.results import Evaluation, SloResult
from sla_kit.timeline import Finding
from tests.report.sample import WEEK, figure, sample

REASON = "availability by logs 99.91 % and by metrics 99.99 % differ by 0.08 %, more than 0.05 %"


def measured(slo: SloResult, means: Means, bad: float, total: float, coverage: float = 1.0) -> Measured:
    found = figure(bad, total, 0.999, coverage=coverage)
    return Measured(slo.service, slo.slo, "log-events" if means == "logs" else "requests", means, 0.999, found, found)


def compared(agree: bool | None = False, reason: str = REASON, second: Means = "metrics") -> SideBySide:
    one, two = sample().slos[:2]
    hour = Divergence(WEEK.start, WEEK.start + 3600, (0.0, 60.0), (900.0, 1000.0))
    most = () if agree is None else (hour,)
    return SideBySide(
        measured(one, "logs", 900, 1_000_000),
        measured(two, second, 100, 1_000_000, 0.97),
        0.0005,
        0.01,
        -0.0008,
        -0.0011,
        0.0,
        agree,
        reason,
        most,
    )


def with_comparison(*comparisons: SideBySide) -> Evaluation:
    finding = Finding("disagreement", REASON, 0, WEEK.start, WEEK.end)
    first, *rest = sample().slos
    slos = (replace(first, findings=(finding,)), *rest)
    return replace(sample(), comparisons=comparisons, slos=slos, findings=(finding,))
