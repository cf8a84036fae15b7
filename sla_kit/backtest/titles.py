"""What a rule is called beside others of its name: one name stands for many rules where each service or promise has
its own, and then their labels tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sla_kit.backtest.results import AlertResult, Variant

#: Labels by which people know a rule: these are kept even where others would do.
_KNOWN_BY = ("service", "slo")


def titles(variants: Sequence[Variant]) -> tuple[tuple[str, ...], ...]:
    """The title of each alert of each variant, unique within it: its name where it is the only one, otherwise with the
    fewest labels that tell it from its namesakes, ``Name{service="api"}``, and a number where no label does. The same
    labels are told in all variants, so that a rule has one title in each."""
    labels = {
        name: _telling([[one for one in variant.alerts if one.alert == name] for variant in variants])
        for name in dict.fromkeys(one.alert for variant in variants for one in variant.alerts)
    }
    return tuple(_numbered([_title(one, labels[one.alert]) for one in variant.alerts]) for variant in variants)


def _telling(namesakes: Sequence[Sequence[AlertResult]]) -> list[str]:
    """The labels that tell the rules of one name apart, within each variant."""
    every = dict.fromkeys(label for several in namesakes for one in several for label, _ in one.labels)
    chosen = [label for label in every if any(_kinds(several, [label]) > 1 for several in namesakes)]
    chosen.sort(key=lambda label: label not in _KNOWN_BY)
    for label in reversed(chosen):
        fewer = [each for each in chosen if each != label]
        enough = all(_kinds(several, fewer) == _kinds(several, chosen) for several in namesakes)
        if enough and label not in _KNOWN_BY:
            chosen = fewer
    return chosen


def _kinds(several: Sequence[AlertResult], labels: Sequence[str]) -> int:
    """How many rules these labels can tell apart."""
    return len({tuple(dict(one.labels).get(label) for label in labels) for one in several})


def _title(one: AlertResult, labels: Sequence[str]) -> str:
    own = dict(one.labels)
    inner = ", ".join(f'{label}="{own[label]}"' for label in labels if label in own)
    return f"{one.alert}{{{inner}}}" if inner else one.alert


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} #{seen[name]}" if seen[name] > 1 else name)
    return tuple(found)
