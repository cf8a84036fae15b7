"""Anyone's rule files: Prometheus's own (also as JSON), those of a Mimir or Thanos ruler, and PrometheusRule manifests.

Every mistake is told with file and line; what Prometheus would not load is not replayed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from sla_kit.configuration.nodes import Mapping, Node, Scalar, is_null
from sla_kit.configuration.nodes import Sequence as ListNode
from sla_kit.configuration.places import PYTHON, Place, nearest
from sla_kit.configuration.quantities import parse_duration
from sla_kit.errors import CatalogueError, Mistake
from sla_kit.interchange.documents import read_documents
from sla_kit.rules.model import AlertingRule, RecordingRule, Rule, RuleFile

#: Prometheus's own keys, and those that rulers which take its files have besides.
_FILE_KEYS = ("groups", "namespace")
_GROUP_KEYS = (
    "name", "interval", "query_offset", "limit", "labels", "rules",
    "partial_response_strategy", "source_tenants", "evaluation_delay", "align_evaluation_time_on_interval",
)  # fmt: skip
_RECORD_KEYS = ("record", "expr", "labels")
_ALERT_KEYS = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")
#: Prometheus's durations: units once each, from long to short.
_DURATION = re.compile(r"0|(?=\d)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?", re.ASCII)
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class RuleFileError(CatalogueError):
    """Rule files can't be replayed; ``mistakes`` holds every one that was found, in order of file and line."""

    exit_code = 2

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(mistakes, "rule files")


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule and where its expression was written."""

    rule: Rule
    place: Place = PYTHON


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together every ``interval_seconds`` (0: the server's own interval), each at
    ``query_offset_seconds`` before. More than ``limit`` alerts of one rule are an error of its (0: any number)."""

    file: str
    name: str
    rules: tuple[PlacedRule, ...]
    interval_seconds: float = 0.0
    limit: int = 0
    query_offset_seconds: float = 0.0

    @property
    def alerts(self) -> tuple[AlertingRule, ...]:
        """The alerting rules alone."""
        return tuple(placed.rule for placed in self.rules if isinstance(placed.rule, AlertingRule))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Some groups of rules under a name: the rules as given, or others to compare them with."""

    name: str
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


def groups_of(files: Iterable[RuleFile]) -> tuple[Group, ...]:
    """The groups of rules that were made here."""
    return tuple(
        Group(file.name, group.name, tuple(PlacedRule(rule, Place(file.name, 0, 0)) for rule in group.rules),
              group.interval_seconds)
        for file in files
        for group in file.groups
    )  # fmt: skip


def read_rule_files(paths: Sequence[str | Path]) -> tuple[Group, ...]:
    """The groups of some files and of all rule files in and below some folders, where other YAML is passed over.

    Raises `RuleFileError` with all mistakes.
    """
    groups: list[Group] = []
    mistakes: list[Mistake] = []
    for path in paths:
        documents, wrong = read_documents([path])
        mistakes += wrong
        searched = Path(path).is_dir()
        reading = _Reading()
        found = [group for document in documents for group in reading.document(document, searched)]
        mistakes += reading.mistakes
        if not found and not wrong and not reading.mistakes:
            mistakes.append(Place(str(path), 0, 0).mistake("holds no rules", "a rule file has groups: at its top"))
        groups += found
    if mistakes:
        raise RuleFileError(mistakes)
    return tuple(groups)


class _Reading:
    """One pass over some documents, with the mistakes that were found on the way."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._names: dict[tuple[str, str], int] = {}

    def document(self, node: Mapping, searched: bool) -> list[Group]:
        kind = node.get("kind")
        if isinstance(kind, Scalar):
            if kind.text != "PrometheusRule":
                if not searched:
                    self._wrong(kind.place, f"a {kind.text} holds no rules", "give rule files, or a PrometheusRule")
                return []
            spec = node.get("spec")
            if not isinstance(spec, Mapping):
                self._wrong(node.place, "the PrometheusRule has no spec")
                return []
            node = spec
        elif "groups" not in node.entries:
            if not searched:
                hint = nearest("groups", [key for key in node.entries if key.lower().startswith("gr")])
                self._wrong(node.place, "holds no groups", hint or "a rule file has groups: at its top")
            return []
        self._known(node, _FILE_KEYS, "a rule file")
        return [
            group
            for one in self._list(node, "groups", "the file")
            if isinstance(one, Mapping) and (group := self._group(one)) is not None
        ]

    def _group(self, node: Mapping) -> Group | None:
        self._known(node, _GROUP_KEYS, "a group")
        name = self._text(node, "name", "the group", required=True)
        first = self._names.setdefault((node.place.file, name), node.place.line)
        if name and first != node.place.line:
            self._wrong(node.place, f"the group {name!r} is there twice", f"it is in line {first} already")
        added = self._labels(node, "labels")
        rules = []
        for one in self._list(node, "rules", f"the group {name!r}", required=False):
            if isinstance(one, Mapping) and (placed := self._rule(one)) is not None:
                rules.append(replace(placed, rule=_with_labels(placed.rule, added)))
        return Group(
            file=node.place.file,
            name=name,
            rules=tuple(rules),
            interval_seconds=self._duration(node, "interval"),
            limit=self._count(node, "limit"),
            query_offset_seconds=self._duration(node, "query_offset"),
        )

    def _rule(self, node: Mapping) -> PlacedRule | None:
        before = len(self.mistakes)
        has = [key for key in ("record", "alert") if key in node.entries]
        if len(has) != 1:
            said = "has both record and alert" if has else "has neither record nor alert"
            hint = "" if has else nearest("alert", [key for key in node.entries if key not in _ALERT_KEYS])
            self._wrong(node.place, f"a rule {said}", hint)
            return None
        name = self._text(node, has[0], "the rule", required=True)
        what = f"the rule {name!r}"
        self._known(node, _RECORD_KEYS if has[0] == "record" else _ALERT_KEYS, what)
        expression = self._text(node, "expr", what, required=True)
        labels = self._labels(node, "labels")
        written = node.get("expr")
        place = written.place if written is not None else node.place
        rule: Rule
        if has[0] == "record":
            if name and not _METRIC.fullmatch(name):
                self._wrong(node.entries["record"][0], f"{name!r} is no name of a metric")
            rule = RecordingRule(name, expression, labels)
        else:
            rule = AlertingRule(
                name,
                expression,
                self._duration(node, "for"),
                self._duration(node, "keep_firing_for"),
                labels,
                self._labels(node, "annotations"),
            )
        return PlacedRule(rule, place) if len(self.mistakes) == before else None

    # --- parts of a mapping ---

    def _wrong(self, place: Place, message: str, hint: str = "") -> None:
        self.mistakes.append(place.mistake(message, hint))

    def _known(self, node: Mapping, keys: Collection[str], what: str) -> None:
        for key, (place, _) in node.entries.items():
            if key not in keys:
                self._wrong(place, f"{what} has no key {key!r}", nearest(key, keys))

    def _list(self, node: Mapping, key: str, what: str, *, required: bool = True) -> Sequence[Node]:
        found = node.get(key)
        if found is None or is_null(found):
            if required and found is None:
                self._wrong(node.place, f"{what} has no {key}")
            return ()
        if not isinstance(found, ListNode):
            self._wrong(found.place, f"{key} must be a list")
            return ()
        for item in found.items:
            if not isinstance(item, Mapping):
                self._wrong(item.place, f"each of the {key} is a mapping")
        return found.items

    def _text(self, node: Mapping, key: str, what: str, *, required: bool = False) -> str:
        found = node.get(key)
        if found is None or is_null(found):
            if required:
                place = node.entries[key][0] if found is not None else node.place
                self._wrong(place, f"{what} has no {key}")
            return ""
        if not isinstance(found, Scalar):
            self._wrong(found.place, f"{key} of {what} must be text")
            return ""
        if required and not found.text.strip():
            self._wrong(found.place, f"{key} of {what} is empty")
        return found.text.strip() if key == "expr" else found.text

    def _duration(self, node: Mapping, key: str) -> float:
        found = node.get(key)
        if found is None or is_null(found):
            return 0.0
        if not isinstance(found, Scalar) or not _DURATION.fullmatch(found.text):
            shown = found.text if isinstance(found, Scalar) else "this"
            self._wrong(found.place, f"{key}: {shown!r} is no duration", "write 30s, 5m or 1h30m")
            return 0.0
        return parse_duration(found.text)

    def _count(self, node: Mapping, key: str) -> int:
        text = self._text(node, key, "the group")
        if text and not re.fullmatch(r"\d{1,9}", text):
            self._wrong(node.entries[key][0], f"{key} must be a whole number")
            return 0
        return int(text or 0)

    def _labels(self, node: Mapping, key: str) -> dict[str, str]:
        found = node.get(key)
        if found is None or is_null(found):
            return {}
        if not isinstance(found, Mapping):
            self._wrong(found.place, f"{key} must be a mapping")
            return {}
        texts: dict[str, str] = {}
        for name, (place, value) in found.entries.items():
            if not isinstance(value, Scalar):
                self._wrong(value.place, f"{key}: {name} must be text", "write numbers and on/off in quotes")
            elif not _LABEL.fullmatch(name) or name == "__name__":
                self._wrong(place, f"{key}: {name!r} is no name of a label")
            else:
                texts[name] = value.text if value.type != "null" else ""
        return texts


def _with_labels(rule: Rule, added: dict[str, str]) -> Rule:
    """A rule with its group's labels, of which its own go before."""
    return msgspec.structs.replace(rule, labels={**added, **rule.labels}) if added else rule
