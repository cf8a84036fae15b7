"""Whether a change may be released now, by the error-budget policies of the promises that it could break."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sla_kit.engine.results import SloResult, StepState


@dataclass(frozen=True, slots=True)
class Hold:
    """One SLO that holds a change back, by one reached step of its policy; or, where that can't be told, might."""

    slo: SloResult
    step: StepState


@dataclass(frozen=True, slots=True)
class GateDecision:
    """Whether to ``go``: None where it can't be told. ``sentence`` is one, and says why. ``holds`` are the SLOs that
    stop the change, the worst first, ``untold`` those that might."""

    go: bool | None
    sentence: str
    holds: tuple[Hold, ...] = ()
    untold: tuple[Hold, ...] = ()

    @property
    def verdict(self) -> Literal["go", "stop", "unknown"]:
        """The decision in a word."""
        return "unknown" if self.go is None else "go" if self.go else "stop"


def decide(slos: Iterable[SloResult], timezone: str, change: str = "", *, pass_unknown: bool = False) -> GateDecision:
    """Decides over a change of some kind ("" is any) by the SLOs of the services that it concerns.

    It stops where a reached step freezes and does not exempt that kind of change. Where none does, but one can't be
    told, the answer is None, or to go with ``pass_unknown``. Times are told in ``timezone``.
    """
    judged = list(slos)
    freezing = [
        Hold(slo, step)
        for slo in judged
        for step in (slo.policy.steps if slo.policy is not None else ())
        if "freeze" in step.effects
    ]
    binding = [hold for hold in freezing if not change or change not in hold.step.exempt]
    holds = tuple(sorted((hold for hold in binding if hold.step.reached), key=_gravity))
    untold = tuple(hold for hold in binding if hold.step.reached is None)
    if holds:
        return GateDecision(False, _stop(holds, timezone), holds, untold)
    if untold and not pass_unknown:
        return GateDecision(None, f"Can't tell: {_unknown(untold)}.", (), untold)
    return GateDecision(True, _go(judged, freezing, change, untold), (), untold)


def undecided(reason: str, *, pass_unknown: bool = False) -> GateDecision:
    """The decision where nothing could be judged at all, as when a source does not answer."""
    why = f"nothing could be judged ({_first(reason)})"
    if pass_unknown:
        return GateDecision(True, f"Go, as what can't be told is to pass: {why}.")
    return GateDecision(None, f"Can't tell: {why}.")


def _gravity(hold: Hold) -> tuple[bool, float, bool, float]:
    """By the budget left, and of one SLO's steps the gravest first. Where less than one bad event is allowed, the
    first one is a debt of any depth: these come last."""
    left, step = hold.slo.own.budget.left_ratio, hold.step
    threshold = step.left if step.left is not None else 0.0
    return hold.slo.own.budget.allowed < 1, 1.0 if left is None else left, step.left is None, threshold


def _stop(holds: tuple[Hold, ...], timezone: str) -> str:
    worst = holds[0]
    others = len({hold.slo.key for hold in holds}) - 1
    more = "" if not others else f"; {others} more {'SLO holds' if others == 1 else 'SLOs hold'} them back as well"
    frees = [hold.step.frees_at for hold in holds]
    until = ""
    if all(time is not None for time in frees):
        local = datetime.fromtimestamp(max(time for time in frees if time is not None), ZoneInfo(timezone))
        until = f" until {local:%Y-%m-%d %H:%M} {timezone} if nothing else goes wrong"
    step = f"the policy's step at {_threshold(worst.step)}{_words(worst.step)}"
    return f"Stop: {_stands(worst.slo)}, and {step} holds releases back{until}{more}."


def _unknown(untold: tuple[Hold, ...]) -> str:
    slo = untold[0].slo
    others = len({hold.slo.key for hold in untold}) - 1
    more = "" if not others else f", nor of {others} more {'SLO' if others == 1 else 'SLOs'}"
    return f"the error budget of {slo.service}/{slo.slo} is not known ({untold[0].step.because or 'no data'}){more}"


def _go(judged: list[SloResult], freezing: list[Hold], change: str, untold: tuple[Hold, ...]) -> str:
    if untold:
        return f"Go, as what can't be told is to pass: {_unknown(untold)}."
    if not judged:
        return "Go: the catalogue promises nothing of this."
    if not freezing:
        return "Go: no step of the error-budget policy freezes anything."
    reached = sorted((hold for hold in freezing if hold.step.reached), key=_gravity)
    if reached:
        worst = reached[0]
        held = f"the policy's step at {_threshold(worst.step)} exempts {change} changes"
        return f"Go: {_stands(worst.slo)}, but {held}."
    known = [slo for slo in {hold.slo.key: hold.slo for hold in freezing}.values() if _left(slo) is not None]
    if not known:
        return "Go: nothing has been spent of any error budget."
    return f"Go: no step that freezes is reached; at worst {_stands(min(known, key=_sort_left))}."


def _left(slo: SloResult) -> float | None:
    return slo.own.budget.left_ratio


def _sort_left(slo: SloResult) -> float:
    left = _left(slo)
    return 1.0 if left is None else left


def _stands(slo: SloResult) -> str:
    left = _left(slo)
    name = f"{slo.service}/{slo.slo}"
    if left is None:
        return f"{name} has an error budget that is not known"
    return f"{name} has {_share(left)} of its error budget left ({slo.own_window.name})"


def _threshold(step: StepState) -> str:
    return f"{_share(step.left)} left" if step.left is not None else f"an incident of {_share(step.incident or 0.0)}"


def _words(step: StepState) -> str:
    """The first sentence of what a step asks for, so that the whole stays one."""
    words = _first(step.action)
    return f' ("{words}")' if words else ""


def _first(text: str) -> str:
    return " ".join(text.split()).split(". ")[0].rstrip(".!")


def _share(ratio: float) -> str:
    value = ratio * 100.0 + 0.0
    text = f"{value:.1f}" if abs(value) < 10 and round(value, 1) != round(value) else f"{value:.0f}"
    return f"{text} %"
