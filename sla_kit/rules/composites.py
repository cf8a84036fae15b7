"""Error ratios of promises that are made of others, from those of their parts."""

from __future__ import annotations

from collections.abc import Sequence

from sla_kit.catalogue.model import Composite
from sla_kit.rules.model import RecordingRule
from sla_kit.rules.recordings import Recorded, ratio_name, ratio_series, summed


def composite_rule(
    sli: Composite, name: str, parts: Sequence[tuple[str, Recorded | None]], seconds: int
) -> RecordingRule | None:
    """The error ratio of a composite over a window; ``parts`` are the names under which those of its parts are
    recorded, and what is recorded of them, None for what is a composite itself.

    A part without events is left out, as the engine leaves it out. A journey (``all``) fails where one of its parts
    does, taken to fail apart from each other over the whole window; the engine reckons so bucket by bucket. None where
    events would have to be added whose number is not known (of a composite in a composite).
    """
    ratios = [ratio_series(part, seconds) for part, _ in parts]
    if sli.combine == "worst":
        expression = f"max({' or '.join(ratios)})"
    elif sli.combine == "all":
        good = [f"(1 - (sum({ratio}) or vector(0)))" for ratio in ratios]
        expression = f"(1 - {' * '.join(good)})\nand on () {ratios[0]}"
    elif sli.counts_events:
        recorded = [each for _, each in parts if each is not None]
        if len(recorded) < len(parts):
            return None
        totals = [summed(each, each.sides.total, seconds) for each in recorded]
        bad = [f"(sum({ratio}) * {total} or vector(0))" for ratio, total in zip(ratios, totals, strict=True)]
        every = " + ".join(f"({total} or vector(0))" for total in totals)
        expression = f"({' + '.join(bad)})\n/\n(({every}) > 0)"
    else:
        # Parts may share an indicator, of which `or` would keep one.
        shares: dict[str, float] = {}
        for part, ratio in zip(sli.of, ratios, strict=True):
            shares[ratio] = shares.get(ratio, 0.0) + (part.weight or 0.0)
        weighed = " or ".join(f"{weight:g} * {ratio}" for ratio, weight in shares.items())
        whole = " or ".join(f"{weight:g} + 0 * {ratio}" for ratio, weight in shares.items())
        expression = f"sum({weighed})\n/\nsum({whole})"
    return RecordingRule(ratio_name(seconds), expression, {"sli": name})
