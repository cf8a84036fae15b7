"""Trees in the report: nested where things are made of others, the same figures in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sla_kit.engine.results import (
    BoundResult,
    DependencyResult,
    Evaluation,
    PartResult,
    PolicyState,
    SloResult,
    StepState,
)
from sla_kit.report import render
from sla_kit.report.language import Language
from tests.report.sample import MONTH, WEEK, figure, sample
from tests.report.test_language import Cyrillic

PART = figure(30, 10_000, 0.999)


def part(name: str, *inner: PartResult, weight: float | None = None, loss: float | None = None) -> PartResult:
    return PartResult("eu", name, "requests", "requests", 0.999, weight, PART, PART, loss, inner)


def dependency(name: str, *through: DependencyResult, **more: object) -> DependencyResult:
    values = {
        "service": "eu",
        "slo": name,
        "provider": "",
        "objective": 0.999,
        "sli": 0.9995,
        "copies": 1,
        "share": 1.0,
    }
    return DependencyResult(**{**values, **more}, through=through)  # type: ignore[arg-type]


def composite(name: str, combine: str, *parts: PartResult, **more: object) -> SloResult:
    whole = figure(80, 10_000, 0.995)
    slo = SloResult("all", name, "composite", "requests", 0.995, WEEK, whole, whole, MONTH, whole)
    return replace(slo, combine=combine, parts=parts, **more)  # type: ignore[arg-type]


STEPS = PolicyState(
    (
        StepState("Stop.", 0.0, None, ("freeze", "escalate"), ("head",), ("security",), True, "overspent", WEEK.end),
        StepState("Look.", 0.5, None, ("review",), (), (), True, "overspent", None),
        StepState("Write it down.", None, 0.2, ("review",), (), (), True, "one incident", None),
    )
)


def with_trees() -> Evaluation:
    """The sample with composites of every kind, dependencies and a policy."""
    bound = BoundResult(
        0.9944,
        None,
        (
            dependency("web", dependency("database", sli=None), dependency("", provider="DNS", service="", copies=2)),
            dependency("database", share=0.25, repeated=True),
        ),
    )
    journey = composite(
        "journey",
        "all",
        part("web", loss=0.25),
        part("inner", part("a"), part("b"), loss=0.75),
        sli_range=(0.991, 0.9925),
        bound=BoundResult(0.998, 0.9971, (dependency("web"),)),
        policy=STEPS,
        action="Stop.",
    )
    web = replace(composite("web", ""), kind="requests", bound=bound)
    extra = (
        journey,
        composite("worst", "worst", part("web")),
        composite("added", "weighted", part("web")),
        composite("weighed", "weighted", part("web", weight=3.0), part("api", weight=0.5)),
        web,
    )
    one = sample()
    return replace(one, slos=(*one.slos, *extra))


class Lists(HTMLParser):
    """The text of every item of the trees with how deep it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.items: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "ul" and (self.depth or ("class", "tree") in attrs):
            self.depth += 1
        elif tag == "li" and self.depth:
            self.items.append((self.depth, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "ul" and self.depth:
            self.depth -= 1

    def handle_data(self, data: str) -> None:
        if self.depth and self.items:
            depth, text = self.items[-1]
            self.items[-1] = (depth, text + data)


def in_html() -> list[tuple[int, str]]:
    reader = Lists()
    reader.feed(render(with_trees(), "html"))
    return [(depth, " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())) for depth, text in reader.items]


def test_parts_are_nested_lists_in_html() -> None:
    items = in_html()
    at = next(index for index, (_, text) in enumerate(items) if text.startswith("all / journey"))
    names = [(depth, text.split(":")[0]) for depth, text in items[at : at + 5]]
    assert names == [
        (1, "all / journey"),
        (2, "eu / web"),
        (2, "eu / inner"),
        (3, "eu / a"),
        (3, "eu / b"),
    ]
    whole, web = items[at][1], items[at + 1][1]
    assert "Missed: 99.20 % of requests, 99.5 % promised" in whole
    assert "99.10 % if its parts never failed the same event, 99.25 % if they did wherever they could" in whole
    assert web == "eu / web: Missed: 99.70 % of requests, 99.9 % promised25 % of the loss"


def test_dependencies_say_how_many_suffice_who_needs_them_and_what_was_counted_before() -> None:
    items = {text.split(":")[0]: (depth, text) for depth, text in in_html() if not text.startswith("eu / web")}
    assert items["all / web"][1].startswith("all / web: 99.5 % promised, 99.44 % possible")
    assert items["DNS"] == (3, "DNS: 99.9 % by contractany one of 2 suffices")
    assert "needed by 25 % of the events; counted once, above" in items["eu / database"][1]
    text = render(with_trees(), "html").replace("\N{NO-BREAK SPACE}", " ")
    assert "Promised is more than the dependencies allow of: all / web." in text


def test_markdown_has_the_same_nesting() -> None:
    lines = render(with_trees(), "md").splitlines()
    at = next(index for index, line in enumerate(lines) if "**all / journey**" in line)
    assert lines[at].startswith("- ❌ **all / journey**: Missed: 99.20 % of requests")
    assert lines[at + 2].startswith("  - ❌ **eu / inner**")
    assert lines[at + 3].startswith("    - ❌ **eu / a**")


def test_json_nests_parts_and_dependencies_with_full_numbers() -> None:
    slos = {(slo["service"], slo["slo"]): slo for slo in json.loads(render(with_trees(), "json"))["slos"]}
    journey = slos["all", "journey"]
    assert [(each["slo"], each["loss_share"], len(each["parts"])) for each in journey["parts"]] == [
        ("web", 0.25, 0),
        ("inner", 0.75, 2),
    ]
    assert (journey["combine"], journey["sli_range"]) == ("all", [0.991, 0.9925])
    assert [step["reached"] for step in journey["policy"]["steps"]] == [True, True, True]
    assert (journey["policy"]["effects"], journey["policy"]["to"]) == (["freeze", "escalate", "review"], ["head"])
    bound = slos["all", "web"]["bound"]
    assert (bound["by_objectives"], bound["by_measured"]) == (0.9944, None)
    assert bound["dependencies"][0]["through"][1]["provider"] == "DNS"
    assert slos["all", "worst"]["bound"] is None


def test_actions_are_the_gravest_step_and_that_of_an_incident() -> None:
    text = render(with_trees(), "md")
    part = text[text.index("## What to do now") : text.index("## Objectives")]
    assert "**Stop.**" in part
    assert "**Write it down.**" in part
    assert "**Look.**" not in part
    assert "Escalate to head." in part


@pytest.mark.parametrize("format", ["html", "md"])
def test_every_text_of_a_tree_is_in_the_template_of_translations(format: str) -> None:
    from babel.messages.pofile import read_po

    from sla_kit.report.messages import TEMPLATE

    cyrillic = Cyrillic()
    text = render(with_trees(), format, language=Language("xx", cyrillic))
    with TEMPLATE.open("rb") as file:
        ids = [message.id for message in read_po(file)]
    known = {text for each in ids for text in ([each] if isinstance(each, str) else each)}
    assert cyrillic.asked <= known
    for english in ("journey through", "of the loss", "suffices", "by contract", "possible by", "promised"):
        assert english not in text


def test_a_report_without_composites_and_dependencies_has_no_such_section() -> None:
    assert "Journeys and dependencies" not in render(sample(), "md")
