"""A world in which all is well, with every value that the exporters' labels take: no alert may fire in it."""

from __future__ import annotations

from collections.abc import Sequence

from sla_kit.alert_rules.expanding import Wording
from sla_kit.alert_rules.notation import Phase, written
from sla_kit.alert_rules.proving import kept_value, with_labels
from sla_kit.alert_rules.settings import Settings
from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.model import AlertCheck, RuleTest

#: How long all is well, and how often it is looked at: closely for an afternoon, and over nine days for what compares
#: with the week before. In seconds.
_RUNS = ((60.0, 4 * 3600.0), (900.0, 9 * 86400.0))


def healthy_tests(catalogue: Catalogue, settings: Sequence[Settings]) -> tuple[RuleTest, ...]:
    """One test a run: every alert that is on is silent, but for those that fire always."""
    silent = list(dict.fromkeys(each.alert.name for each in settings if not each.alert.always))
    return tuple(
        RuleTest(
            f"all is well for {lasts / 3600:g} hours",
            step,
            world(catalogue, settings, step, lasts),
            tuple(AlertCheck(name, at) for at in (lasts / 2, lasts) for name in silent),
        )
        for step, lasts in _RUNS
    )


def world(catalogue: Catalogue, settings: Sequence[Settings], step: float, lasts: float) -> dict[str, str]:
    """The series of every area that has an alert that is on, once for each service that such an alert watches."""
    found: dict[str, str] = {}
    phases = [Phase("good", int(lasts // step) + 1)]
    for each in settings:
        wording = Wording.of(catalogue, each)
        kept = {wording.label(label): kept_value(label) for label in wording.keep}
        for name, shape in each.area.healthy.items():
            series = with_labels(wording.series(name), kept)
            if series not in found:
                found[series] = written(shape, phases, step, each.values({}))
    return found
