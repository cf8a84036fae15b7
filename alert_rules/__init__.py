"""The Prometheus alert rules of the whole stack, one module an area.

`rule_files` and `test_files` are what `sla-kit generate` writes; `resolved` is every alert with its settings, for
runbooks and routes. `alert` says what an alert is and how one is declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from sla_kit.rules.model import AlertingRule, RuleFile, RuleGroup, RuleTest, RuleTestFile

if TYPE_CHECKING:
    from sla_kit.alert_rules.alert import Alert, Area
    from sla_kit.alert_rules.settings import Settings
    from sla_kit.catalogue.model import Catalogue

#: The areas, each a module of that name with a value ``AREA``.
AREAS = (
    "application",
    "promises",
    "business",
    "live_events",
    "kubernetes",
    "postgresql",
    "redis",
    "ingress",
    "probes",
    "hosts",
    "logging",
    "backups",
    "delivery",
    "security",
    "cloud",
    "monitoring",
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """One alert as a catalogue has it: its settings and its rules (two where live events change it)."""

    settings: Settings
    rules: tuple[AlertingRule, ...]

    @property
    def alert(self) -> Alert:
        """The declaration."""
        return self.settings.alert


@cache
def areas() -> tuple[Area, ...]:
    """Every area, in order."""
    return tuple(import_module(f"{__name__}.{name}").AREA for name in AREAS)


def resolved(catalogue: Catalogue) -> tuple[Resolved, ...]:
    """Every alert that is on, once for each service whose jobs it watches, in the order of the areas."""
    from sla_kit.alert_rules.expanding import rules_of
    from sla_kit.alert_rules.settings import settings_of

    return tuple(Resolved(settings, rules_of(catalogue, settings)) for settings in settings_of(catalogue, areas()))


def rule_files(catalogue: Catalogue) -> tuple[RuleFile, ...]:
    """A file an area, in it a group a service, so that they are evaluated side by side."""
    files: dict[str, dict[str, list[AlertingRule]]] = {}
    for each in resolved(catalogue):
        service, area = each.settings.scope.service, each.settings.area.name
        group = f"{area}-{service.name}" if service else area
        files.setdefault(area, {}).setdefault(group, []).extend(each.rules)
    titles = {area.name: area.title for area in areas()}
    return tuple(
        RuleFile(area, tuple(RuleGroup(name, tuple(rules)) for name, rules in groups.items()), comment=titles[area])
        for area, groups in files.items()
    )


def test_files(catalogue: Catalogue) -> tuple[RuleTestFile, ...]:
    """The tests of each area's rules, and of all of them on a healthy world."""
    from sla_kit.alert_rules.healthy import healthy_tests
    from sla_kit.alert_rules.proving import tests_of
    from sla_kit.alert_rules.settings import settings_of

    found = list(settings_of(catalogue, areas()))
    files = [
        file
        for area in areas()
        for file in paced(
            area.name, (area.name,), [t for each in found if each.area is area for t in tests_of(catalogue, each)]
        )
    ]
    names = tuple(dict.fromkeys(name for file in files for name in file.rule_files))
    if names:
        files += paced("healthy", names, healthy_tests(catalogue, found))
    return tuple(files)


def paced(name: str, rule_files: tuple[str, ...], tests: Sequence[RuleTest]) -> list[RuleTestFile]:
    """Test files that evaluate about as often as their tests have samples: days by the minute would take too long.
    Those of a minute have the name itself, slower ones the number of seconds after it."""
    by_step: dict[float, list[RuleTest]] = {}
    for test in sorted(tests, key=lambda test: test.interval_seconds):
        by_step.setdefault(test.interval_seconds, []).append(test)
    return [
        RuleTestFile(name if step == 60 else f"{name}-{step:g}", rule_files, tuple(paced), _evaluated(step, paced))
        for step, paced in by_step.items()
    ]


def _evaluated(step: float, tests: Sequence[RuleTest]) -> float:
    """How often tests with samples so far apart are evaluated, in seconds: when an alert begins to fire is asked to the
    minute, that it is silent is not."""
    silent = step > 60 and not any(check.firing for test in tests for check in test.alerts)
    return step if step % 900 == 0 or silent else 60.0


test_files.__test__ = False  # type: ignore[attr-defined]  # its name is no test's
