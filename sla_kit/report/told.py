"""Sentences that the engine and the sources say, in the language of the report.

Their values hold plain English, which programs read in report.json. A report for people knows those sentences by their
templates and says them anew in its own language; one that it does not know stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

from sla_kit.report.language import ENGLISH, _, language, marked

_SENTENCES = (
    # verdicts that stay open
    marked("no data"),
    marked("no traffic"),
    marked("no outages"),
    marked("all of it is excluded"),
    marked("too few events to say"),
    marked("coverage {share} is under {least}"),
    marked("no SLO measures it"),
    marked("its part can't be told: {parts}"),
    # evidence
    marked("before the window"),
    marked("not yet recovered"),
    # findings
    marked("measured by an earlier definition of the indicator until then"),
    marked("the histogram's buckets were changed: quantiles are known by those that stayed"),
    marked("no SLO has data in {window}: check the source, and that its history reaches back that far"),
    marked("nothing was observed in {window}"),
    marked("only {share} of {window} was observed"),
    marked("more good events than events in all: taken as all good"),
    marked("fewer than no events: taken as none"),
    marked("{slo} promises {objective}, but what it depends on allows {best} at best"),
    marked("no series of {metric} matches"),
    marked("{metric} has vanished: its last sample is in the bucket that ends then"),
    marked("{metric} has series that are no native histograms"),
    marked("{metric} has no le=+Inf bucket; its last one counts as all"),
    marked("{threshold} s lies between the buckets {low} s and {high} s of {metric}: its share is estimated"),
    marked("{metric} names a time in the future"),
    marked("{metric} is 0: it has never happened"),
    marked("times run backwards in {count} series of {metric}"),
    marked("times run backwards in {file}"),
    marked("a recorded history holds no native histograms, so {metric} is not in it"),
    marked("the server answered from a part of its storage only"),
    marked("{slo} by logs {first} and by metrics {second} differ by {apart}, more than {within}"),
    marked("{slo} by metrics {first} and by logs {second} differ by {apart}, more than {within}"),
    marked("{slo} by logs {first} events and by metrics {second} events differ by {apart}, more than {within}"),
    marked("{slo} by metrics {first} events and by logs {second} events differ by {apart}, more than {within}"),
    marked("{one} {first} and {other} {second} differ by {apart}, more than {within}"),
    marked("{one} {first} events and {other} {second} events differ by {apart}, more than {within}"),
    marked("this source holds no logs: give --source elasticsearch+http://host:9200 as well"),
    marked("this source holds no metrics: give --source http://host:9090 as well"),
    # comparisons that can't be told
    marked("nothing was observed of {slo}"),
    marked("only {share} of {slo} was observed, {least} are needed"),
    marked("one of the two has no events"),
    marked("no events to compare"),
    marked("errors could not be tracked: {reason}"),
    # forecasts
    marked("its window is shorter than a day"),
    marked("too little history: {days} of the {least} days that are needed"),
    marked("outages are too few to forecast; see the SLO that they are of"),
    marked("it is not made of events that could be forecast"),
    marked("nothing bad in {days} of history; the lower bound is what could still have stayed unseen"),
    marked("no past live event to go by: the coming ones are taken as usual time"),
    marked("no past live event to go by: usual traffic"),
    # windows
    marked("the {window} before"),
)
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?) %")


def told(sentence: str) -> str:
    """A sentence of the engine or of a source in the language spoken."""
    if not sentence or language() is ENGLISH:
        return sentence
    for template, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return _(template, **{name: _local(value) for name, value in found.groupdict().items()})
    return sentence


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each template and what recognises it, those with the most words of their own first."""
    ordered = sorted(_SENTENCES, key=lambda template: -len(re.sub(r"\{\w+\}", "", template)))
    return tuple((template, re.compile(_recognising(template), re.DOTALL)) for template in ordered)


def _recognising(template: str) -> str:
    parts = re.split(r"\{(\w+)\}", template)
    return "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))


def _local(value: str) -> str:
    found = _PERCENTAGE.fullmatch(value)
    conventions = language().conventions
    return conventions.percent(conventions.number(found[1])) if found else value
