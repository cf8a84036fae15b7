"""Which rules are replayed: files, or those that follow from a catalogue; and others to compare them with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sla_kit.backtest.rule_files import Group, RuleSet, groups_of, read_rule_files
from sla_kit.backtest.variants import Setting, changed
from sla_kit.catalogue import load
from sla_kit.catalogue.monitoring import RuleSettings
from sla_kit.errors import SlaKitError
from sla_kit.interchange.documents import read_documents

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue

ENVIRONMENT = "env:"


def file_rules(paths: Sequence[str | Path], name: str = "") -> RuleSet:
    """The rules of some files and folders. Raises `RuleFileError`."""
    return RuleSet(name or ", ".join(map(str, paths)), read_rule_files(paths))


def catalogue_rules(catalogue: Catalogue, at: float, name: str = "") -> RuleSet:
    """The rules that `sla-kit generate` writes for a catalogue at a time (epoch seconds): those of its SLOs and those
    of the systems that it has watched."""
    from sla_kit import alert_rules
    from sla_kit.rules import slo

    files = (*slo.rule_files(catalogue, int(at)), *alert_rules.rule_files(catalogue))
    return RuleSet(name or catalogue.name, groups_of(files))


def other_rules(given: str, catalogue: str | None, at: float) -> RuleSet:
    """What --compare names: rule files, another catalogue, or env:NAME, another environment of the same one."""
    if given.startswith(ENVIRONMENT):
        if catalogue is None:
            raise SlaKitError(
                "there is no catalogue whose environment could be compared", place=given, remedy="give one, by -c"
            )
        return catalogue_rules(load(catalogue, given.removeprefix(ENVIRONMENT)), at, given)
    if not Path(given).exists():
        raise SlaKitError(
            "no such file or folder", place=given, remedy="--compare names rule files, a catalogue, or env:NAME"
        )
    documents, _ = read_documents([given])
    if any("services" in one.entries and "groups" not in one.entries for one in documents):
        return catalogue_rules(load(given), at, given)
    return file_rules([given], given)


def set_otherwise(rules: RuleSet, text: str, catalogue: Catalogue | None, at: float) -> RuleSet:
    """The rules with what one --set says; what the catalogue's alerts know as thresholds is set there, and everything
    in the rules themselves. Raises `SettingError`."""
    if catalogue is None:
        return changed(rules, text)
    known = _thresholds(catalogue)

    def made(settings: Sequence[Setting]) -> tuple[tuple[Group, ...], list[Setting]]:
        thresholds: dict[str, dict[str, str]] = {}
        left = []
        for setting in settings:
            names = known.get(setting.alert, ())
            key = names[0] if setting.key == "threshold" and len(names) == 1 else setting.key
            if key in names:
                thresholds.setdefault(setting.alert, {})[key] = setting.value
            else:
                left.append(setting)
        if not thresholds:
            return rules.groups, left
        return catalogue_rules(_with(catalogue, thresholds), at).groups, left

    return changed(rules, text, made)


def _thresholds(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The thresholds of each alert that a catalogue has watched."""
    from sla_kit import alert_rules

    return {each.alert.name: tuple(each.alert.thresholds) for each in alert_rules.resolved(catalogue)}


def _with(catalogue: Catalogue, thresholds: dict[str, dict[str, str]]) -> Catalogue:
    """A catalogue with other thresholds, everywhere where it names some."""

    def laid_over(rules: dict[str, bool | RuleSettings], everywhere: bool) -> dict[str, bool | RuleSettings]:
        found = dict(rules)
        for alert, values in thresholds.items():
            before = found.get(alert)
            settings = before if isinstance(before, RuleSettings) else RuleSettings(enabled=before is not False)
            if everywhere or (isinstance(before, RuleSettings) and before.thresholds.keys() & values.keys()):
                found[alert] = msgspec.structs.replace(settings, thresholds={**settings.thresholds, **values})
        return found

    services = [
        msgspec.structs.replace(
            service,
            monitoring=msgspec.structs.replace(service.monitoring, rules=laid_over(service.monitoring.rules, False)),
        )
        for service in catalogue.services
    ]
    monitoring = msgspec.structs.replace(catalogue.monitoring, rules=laid_over(catalogue.monitoring.rules, True))
    return msgspec.structs.replace(catalogue, services=services, monitoring=monitoring)
