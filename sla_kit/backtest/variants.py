"""Rules set otherwise, to stand beside those as given: other thresholds, other times to wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from sla_kit.backtest.rule_files import Group, PlacedRule, RuleSet
from sla_kit.configuration.places import nearest
from sla_kit.configuration.quantities import parse_duration
from sla_kit.errors import SlaKitError
from sla_kit.rules.model import AlertingRule

_SETTING = re.compile(r"\s*([^.=,\s]+)\.([^.=,\s]+)\s*=\s*(.+?)\s*", re.DOTALL)
_THRESHOLD = re.compile(r"threshold([1-9]?)")
_NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+)"
#: Writes a catalogue's rules anew: the groups, and the settings that it does not know.
Anew = Callable[[Sequence["Setting"]], tuple[tuple[Group, ...], list["Setting"]]]
#: A comparison with a number, or with a product of numbers in parentheses; strings are stepped over.
_COMPARISON = re.compile(
    rf"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\#[^\n]*|\{{[^}}]*\}})
      | (?P<sign>(?:>=|<=|==|!=|>|<)\s*(?:bool\s+)?)
        (?P<number>{_NUMBER}(?:\s*[*/]\s*{_NUMBER})*(?![\w.:(\[])|\(\s*{_NUMBER}(?:\s*[-+*/]\s*{_NUMBER})*\s*\))""",
    re.VERBOSE,
)


class SettingError(SlaKitError):
    """A --set that can't be followed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """``key`` of one alert is to be ``value``."""

    alert: str
    key: str
    value: str


def parse_settings(text: str) -> tuple[Setting, ...]:
    """The settings of one variant: "Alert.threshold=0.05,Other.for=10m"."""
    found = []
    for part in text.split(","):
        match = _SETTING.fullmatch(part)
        if match is None:
            raise SettingError(
                f"{part.strip()!r} is no setting", place="--set", remedy="write ALERT.threshold=0.05 or ALERT.for=10m"
            )
        found.append(Setting(*match.groups()))
    return tuple(found)


def changed(rules: RuleSet, text: str, made: Anew | None = None) -> RuleSet:
    """A rule set with what one --set says; its name is the setting.

    ``for``, ``keep_firing_for`` and ``threshold`` are those of any alert (``threshold2`` is the second number that its
    expression compares with). ``made`` writes the rules of a catalogue anew with the settings that its alerts know, and
    says which are left. Raises `SettingError`.
    """
    settings = list(parse_settings(text))
    groups = rules.groups
    if made is not None:
        groups, settings = made(settings)
    known = [alert.alert for group in groups for alert in group.alerts]
    for setting in settings:
        if setting.alert not in known:
            raise SettingError(
                f"there is no alert {setting.alert!r}", place="--set", remedy=nearest(setting.alert, known)
            )
        groups = tuple(replace(group, rules=tuple(_each(group.rules, setting))) for group in groups)
    return RuleSet(text, groups, rules.notes)


def _each(rules: Iterable[PlacedRule], setting: Setting) -> Iterable[PlacedRule]:
    for placed in rules:
        rule = placed.rule
        if isinstance(rule, AlertingRule) and rule.alert == setting.alert:
            yield replace(placed, rule=_set(rule, setting))
        else:
            yield placed


def _set(rule: AlertingRule, setting: Setting) -> AlertingRule:
    place = f"--set {setting.alert}.{setting.key}"
    if setting.key in ("for", "keep_firing_for"):
        try:
            seconds = parse_duration(setting.value)
        except ValueError as error:
            raise SettingError(f"{setting.value!r} {error}", place=place, remedy="write 30s, 5m or 1h") from error
        return (
            msgspec.structs.replace(rule, pending_seconds=seconds)
            if setting.key == "for"
            else msgspec.structs.replace(rule, keep_firing_seconds=seconds)
        )
    match = _THRESHOLD.fullmatch(setting.key)
    if match is None:
        raise SettingError(
            f"there is no {setting.key!r} to set", place=place, remedy="set threshold, for or keep_firing_for"
        )
    number = _number(setting.value, place)
    found = [one for one in _COMPARISON.finditer(rule.expression) if one["number"] is not None]
    if not found:
        raise SettingError(
            "its expression compares with no number", place=place, remedy="edit the rule, and --compare it"
        )
    if len(found) > 1 and not match[1]:
        shown = ", ".join(f"threshold{at} is {one['number']}" for at, one in enumerate(found, 1))
        raise SettingError("its expression compares with several numbers", place=place, remedy=shown)
    wanted = int(match[1] or 1)
    if wanted > len(found):
        raise SettingError(f"its expression compares with {len(found)} numbers only", place=place)
    at = found[wanted - 1]
    expression = rule.expression[: at.start("number")] + number + rule.expression[at.end("number") :]
    return msgspec.structs.replace(rule, expression=expression)


def _number(text: str, place: str) -> str:
    """A number for PromQL; a percentage is a share, a duration its seconds."""
    if re.fullmatch(_NUMBER, text):
        return text
    if re.fullmatch(_NUMBER + r"\s*%", text):
        return f"{float(text.rstrip('% ')) / 100:.12g}"
    try:
        return f"{parse_duration(text):.12g}"
    except ValueError as error:
        raise SettingError(f"{text!r} is no number", place=place, remedy="write 0.05, 5% or 15m") from error
