"""What dashboards ask of SLOs, as expressions over what the rules record: error ratios, budgets, burn rates.

Every expression has a value for each SLO that is chosen, with the labels of its objective (``service``, ``slo``,
``promise``, ``sli``, ``window``): an SLO finds its recorded error ratio by the label ``sli``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue, Composite, External, Recovery
from sla_kit.dashboards.remembering import once
from sla_kit.engine.alert_windows import nominal_seconds
from sla_kit.rules.conditions import BurnCondition, conditions_of
from sla_kit.rules.facts import BURN_LIMIT, OBJECTIVE, WHOLE
from sla_kit.rules.recordings import ratio_name
from sla_kit.rules.sides import promql_duration, sides_of
from sla_kit.rules.slo import watched_slos

_PER_PAIR = "on (pairs, $keep) group_left (service, slo)"


@dataclass(frozen=True, slots=True)
class Promises:
    """The windows that a catalogue's SLOs are judged over, and those that their alerts read, in seconds: the page's
    long ones first. ``excluded`` tells that maintenance is left out."""

    own: tuple[int, ...]
    pages: tuple[int, ...]
    read: tuple[int, ...]
    excluded: bool

    @classmethod
    def of(cls, catalogue: Catalogue) -> Promises:
        """What can be asked of a catalogue."""
        return _promises(catalogue)

    def objective(self, chosen: str) -> str:
        """The objective of the SLOs that the matchers ``chosen`` choose."""
        return f"{OBJECTIVE}{{$scope, {chosen}}}"

    def error_ratio(self, chosen: str) -> str:
        """The error ratio of each SLO over its own window."""
        return self._either(chosen, (self._recorded(seconds, chosen, _window(seconds)) for seconds in self.own))

    def indicator(self, chosen: str) -> str:
        """The share of good events of each SLO over its own window, outside maintenance of its service."""
        return f"1 - ({self.error_ratio(chosen)})"

    def with_maintenance(self, chosen: str) -> str:
        """The same with what happened during maintenance, which is left out otherwise."""
        if not self.excluded:
            return self.indicator(chosen)
        whole = [
            f"{self.objective(f'{chosen}, {_window(seconds)}')} * 0 + on (sli, $keep) group_left () "
            f"{WHOLE}:{promql_duration(seconds)}{{$scope}}"
            for seconds in self.own
        ]
        return f"1 - ({self._either(chosen, [*whole, self.error_ratio(chosen)])})"

    def budget_left(self, chosen: str) -> str:
        """The share of its error budget that each SLO has left; below zero where more is spent than there was."""
        return f"1 - ({self.error_ratio(chosen)})\n/\n(1 - {self.objective(chosen)} > 0)"

    def burn(self, seconds: int, chosen: str) -> str:
        """The burn rate of each SLO over a window."""
        return f"({self._recorded(seconds, chosen)})\n/\n(1 - {self.objective(chosen)} > 0)"

    def burn_now(self, chosen: str) -> str:
        """The burn rate of each SLO over the long window of its most urgent alert."""
        return self._either(chosen, (self.burn(seconds, chosen) for seconds in self.pages))

    def burn_limits(self, chosen: str) -> str:
        """The burn rates at which the alerts of one SLO fire, by their windows."""
        return f"{BURN_LIMIT}{{$scope}} * {_PER_PAIR} ({self.objective(chosen)} * 0 + 1)"

    def burn_at_limits(self, chosen: str, label: str) -> str:
        """The burn rate of one SLO over the ``long_window`` or ``short_window`` (``label``) of each of its alerts."""
        found = (
            f'{BURN_LIMIT}{{$scope, {label}="{promql_duration(seconds)}"}} * 0 + {_PER_PAIR}\n'
            f"({self.burn(seconds, chosen)})"
            for seconds in self.read
        )
        return self._either(chosen, found)

    def _either(self, chosen: str, expressions: Iterable[str]) -> str:
        """The one that there is of some expressions. Where no SLO has an error budget there is none, ever."""
        nothing = f"{self.objective(chosen)} unless {self.objective(chosen)}"
        return "\nor\n".join(f"({each})" for each in expressions) or nothing

    def _recorded(self, seconds: int, *chosen: str) -> str:
        """The recorded error ratio over a window with the labels of each SLO that it is of."""
        return (
            f"{self.objective(', '.join(chosen))} * 0 + on (sli, $keep) group_left () {ratio_name(seconds)}{{$scope}}"
        )


def _window(seconds: int) -> str:
    return f'window="{promql_duration(seconds)}"'


@once
def _promises(catalogue: Catalogue) -> Promises:
    told = _told(catalogue)
    own = sorted({window for window, _ in told})
    pages = sorted({conditions[0].long for _, conditions in told})
    read = sorted({seconds for _, conditions in told for each in conditions for seconds in each.windows})
    return Promises(tuple(own), tuple(pages), tuple(read), bool(catalogue.calendar.maintenance))


def _told(catalogue: Catalogue) -> set[tuple[int, tuple[BurnCondition, ...]]]:
    """The windows in seconds of SLOs that rules can read, with the conditions of their alerts. Many SLOs have the same,
    of which one has to be looked at; what is made of others takes the whole plan."""
    found: set[tuple[int, tuple[BurnCondition, ...]]] = set()
    unsure = set()
    for service, slo in catalogue.slos():
        if slo.objective >= 1 or (each := (nominal_seconds(slo.window), conditions_of(catalogue, slo))) in found:
            continue
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Composite | Recovery | External):
            unsure.add(each)
        elif sides_of(catalogue, service, slo, sli) is not None:
            found.add(each)
    if unsure <= found:
        return found
    return {(each.window, each.conditions) for each in watched_slos(catalogue) if each.slo.objective < 1}
