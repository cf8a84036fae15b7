"""Error-budget policies: which steps an SLO has reached, what they ask for, and when they are left again.

Policies with a budget's thresholds and with single incidents: SRE Workbook, appendix B, "Example Error Budget Policy".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sla_kit.catalogue.model import PolicyStep, Service, Slo
from sla_kit.engine.budgeting import SLACK, Counted
from sla_kit.engine.context import Context, Counts
from sla_kit.engine.figures import ALL_EXCLUDED, NO_TRAFFIC, TOO_FEW
from sla_kit.engine.results import Figure, Incident, Period, PolicyState, StepState
from sla_kit.engine.windows import whole_period


def policy_state(
    context: Context,
    service: Service,
    slo: Slo,
    own: Figure,
    own_window: Period,
    incidents: Sequence[Incident],
    counts: Counts,
) -> PolicyState | None:
    """How an SLO stands by its policy, or the catalogue's: by the budget left of its ``own`` window and by the
    ``incidents`` in it. None where no steps are declared."""
    steps = context.catalogue.policy if slo.policy is None else slo.policy
    if not steps:
        return None
    judging = _Judging(context, service, slo, own, own_window, incidents, counts)
    ordered = sorted(steps, key=lambda step: (step.left is None, -(step.left or 0.0), step.incident or 0.0))
    return PolicyState(tuple(judging.state(step) for step in ordered))


class _Judging:
    """One SLO at one moment, held against steps."""

    def __init__(
        self,
        context: Context,
        service: Service,
        slo: Slo,
        own: Figure,
        own_window: Period,
        incidents: Sequence[Incident],
        counts: Counts,
    ) -> None:
        self.owner = service.owner
        self.own, self.window, self.counts = own, own_window, counts
        self.rolling = None if slo.window.rolling is None else int(slo.window.rolling)
        whole = whole_period(slo.window, context.at, context.catalogue.timezone)
        self.calendar_end = None if whole is None else whole.end
        self.incidents = [incident for incident in incidents if _touches(incident, own_window)]

    def state(self, step: PolicyStep) -> StepState:
        reached, because = (
            self._by_left(step.left) if step.left is not None else self._by_incident(step.incident or 0.0)
        )
        frees = None
        if reached:
            frees = self._left_again(step.left) if step.left is not None else self._forgotten(step.incident or 0.0)
        to = tuple(step.to) or ((self.owner,) if self.owner else ())
        return StepState(
            action=step.action,
            left=step.left,
            incident=step.incident,
            effects=tuple(step.effects),
            to=to if "escalate" in step.effects else (),
            exempt=tuple(step.exempt),
            reached=reached,
            because=because,
            frees_at=frees,
        )

    @property
    def _untold(self) -> bool:
        """Whether there is too little data to tell what was spent."""
        return self.own.met is None and self.own.reason not in (ALL_EXCLUDED, NO_TRAFFIC)

    def _by_left(self, threshold: float) -> tuple[bool | None, str]:
        left, reason = self.own.budget.left_ratio, self.own.reason
        over = left is not None and left > threshold + SLACK
        if self._untold and not (over and reason == TOO_FEW):
            return None, reason
        if left is None:
            return False, reason or "nothing was spent"
        if over:
            return False, f"{_share(left)} of the error budget is left, more than {_share(threshold)}"
        if left < 0:
            return True, f"the error budget is overspent by {_share(-left)}"
        return True, f"{_share(left)} of the error budget is left, {_share(threshold)} or less"

    def _by_incident(self, threshold: float) -> tuple[bool | None, str]:
        worst = max((incident.budget_spent or 0.0 for incident in self.incidents), default=0.0)
        if worst >= threshold * (1.0 - SLACK) and worst > 0:
            return True, f"one incident spent {_share(worst)} of the error budget, {_share(threshold)} or more"
        if self._untold and self.own.reason != TOO_FEW:
            return None, self.own.reason
        return False, f"no incident spent {_share(threshold)} of the error budget"

    def _left_again(self, threshold: float) -> int | None:
        """When the budget left is above a threshold again, if nothing else goes wrong and as much happens as in the
        window now: what went wrong leaves a rolling window bit by bit, and a calendar's at its end."""
        counted = self.counts.counted
        if self.rolling is None or threshold >= 1:
            return self.calendar_end if threshold < 1 else None
        if not isinstance(counted, Counted):
            return None
        grid = counted.grid
        where = grid.slice(self.window.start, self.window.end)
        remaining = np.cumsum(counted.bad[where][::-1])[::-1]
        enough = np.flatnonzero(np.append(remaining, 0.0) < (1.0 - threshold) * self.own.budget.allowed * (1 - SLACK))
        if not enough.size:
            return None
        return int(grid.start + (where.start + int(enough[0])) * grid.step + self.rolling)

    def _forgotten(self, threshold: float) -> int | None:
        """When the window no longer holds an incident that spent that much."""
        ends = [each.recovered for each in self.incidents if (each.budget_spent or 0.0) >= threshold * (1.0 - SLACK)]
        known = [end for end in ends if end is not None]
        if len(known) < len(ends):
            return None
        return self.calendar_end if self.rolling is None else max(known) + self.rolling


def _touches(incident: Incident, period: Period) -> bool:
    end = incident.recovered if incident.recovered is not None else incident.until
    return incident.start < period.end and (end is None or end > period.start)


def _share(ratio: float) -> str:
    """A share of a budget for a sentence: "4.5 %", "25 %", "301 %"."""
    value = ratio * 100.0
    return f"{value:.1f} %" if abs(value) < 10 and round(value, 1) != round(value) else f"{value:.0f} %"
