"""Generated OpenSLO documents: they come back meaning the same, and broken ones are told, never a traceback."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue import Catalogue, check_catalogue
from sla_kit.errors import ForeignFileError, Mistake
from sla_kit.interchange import Tool, import_text
from tests.interchange.meaning import meaning
from tests.interchange.test_openslo_round_trip import WHOLE, assert_comes_back

names = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=20).map(str.strip)
labels = st.dictionaries(names, names | st.lists(names, min_size=1, max_size=3), max_size=2)
durations = st.builds(lambda n, u: f"{n}{u}", st.integers(1, 9), st.sampled_from("mhdw"))
selectors = st.sampled_from(["hits", 'hits{job="api"}', 'hits{job="api",code=~"5.."}', 'hits{job!="x"}'])


@st.composite
def metadata(draw: st.DrawFn, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name}
    if title := draw(words):
        found["displayName"] = title
    if more := draw(labels):
        found["labels"] = more
    if draw(st.booleans()):
        found["annotations"] = {"example.com/key": draw(words)}
    return found


def source(kind: str, query: dict[str, Any]) -> dict[str, Any]:
    return {"metricSource": {"type": kind, "spec": query}}


@st.composite
def indicator(draw: st.DrawFn, name: str) -> tuple[dict[str, Any], bool]:
    """An SLI's metadata and spec, and whether it is a threshold."""
    kind = draw(st.sampled_from(["Prometheus", "Datadog", "SQL"]))
    whole: dict[str, Any]
    side: dict[str, Any]
    ratio: dict[str, Any]
    said: dict[str, Any] = {"description": draw(words)} if draw(st.booleans()) else {}
    foreign = st.dictionaries(names, st.integers() | words | st.booleans() | st.lists(words, max_size=2), min_size=1)
    if kind == "Prometheus":
        total, part = draw(selectors), draw(selectors)
        pairs = {
            "counter": (f"sum({total})", f"sum({part})"),
            "rate": (f"sum(rate({total}[{{{{.window}}}}]))", f"sum(rate({part}[{{{{.window}}}}]))"),
            "fixed": (f"sum(rate({total}[5m]))", f"sum(rate({part}[5m])) or vector(0)"),
            "odd": (f"count(max_over_time({total}[{{{{.window}}}}]) > 3)", f"sum(delta({part}[{{{{.window}}}}]))"),
        }
        whole, side = ({"query": text} for text in pairs[draw(st.sampled_from(sorted(pairs)))])
        value: dict[str, Any] = {"query": draw(st.sampled_from([f"max({total})", f"sum(min_over_time({total}[2m]))"]))}
        ratio = {"query": f"{side['query']} / {whole['query']}"}
    else:
        whole, side, value, ratio = (draw(foreign) for _ in range(4))
    form = draw(st.sampled_from(["good", "bad", "success", "failure", "threshold"]))
    if form == "threshold":
        said["thresholdMetric"] = source(kind, value)
    elif form in ("good", "bad"):
        said["ratioMetric"] = {"counter": draw(st.booleans()), form: source(kind, side), "total": source(kind, whole)}
    else:
        said["ratioMetric"] = {"rawType": form, "raw": source(kind, ratio)}
    return {"metadata": draw(metadata(name)), "spec": said}, form == "threshold"


@st.composite
def slo(draw: Any, number: int, policies: list[str]) -> dict[str, Any]:
    method = draw(st.sampled_from(["Occurrences", "Timeslices", "RatioTimeslices"]))
    calendar = {
        "startTime": draw(st.sampled_from(["2026-01-01 00:00:00", "2022-03-31 12:30:00"])),
        "timeZone": "Asia/Tokyo",
    }
    aligned = {"duration": draw(st.sampled_from(["1d", "1w", "1M", "1Q", "1Y", "2w", "12h"])), "isRolling": False}
    window = {"duration": draw(st.sampled_from(["1d", "4w", "12h", "30d"])), "isRolling": True}
    composite = draw(st.booleans()) and draw(st.booleans())
    count = draw(st.integers(1, 3))
    whole, threshold = draw(indicator(f"sli-{number}"))
    objectives = []
    for index in range(count):
        item: dict[str, Any] = {}
        if title := draw(words):
            item["displayName"] = title
        if composite:
            own, threshold = draw(indicator(f"sli-{number}-{index}"))
            item |= {
                "indicator": own,
                "compositeWeight": draw(st.sampled_from([1, 0.5, 3])) if method != "Timeslices" else 1,
            }
        if threshold:
            item |= {
                "op": draw(st.sampled_from(["lt", "lte", "gt", "gte"])),
                "value": draw(st.integers(-9, 99) | st.just(0.25)),
            }
        target = draw(st.sampled_from([0.5, 0.9, 0.99, 0.9995]))
        item |= {"target": target} if draw(st.booleans()) else {"targetPercent": round(target * 100, 6)}
        if method == "Timeslices":
            item["timeSliceTarget"] = draw(st.sampled_from([0.5, 0.95, 1.0]))
        if method != "Occurrences":
            item["timeSliceWindow"] = draw(st.sampled_from(["1m", "5m", 10]))
        objectives.append(item)
    spec: dict[str, Any] = {
        "service": draw(st.sampled_from(["web", "api"])),
        "timeWindow": [{**aligned, "calendar": calendar} if draw(st.booleans()) else window],
        "budgetingMethod": method,
        "objectives": objectives,
    }
    if not composite:
        spec["indicator"] = whole
    if policies and draw(st.booleans()):
        spec["alertPolicies"] = [{"alertPolicyRef": draw(st.sampled_from(policies))}]
    return {"apiVersion": "openslo/v1", "kind": "SLO", "metadata": draw(metadata(f"slo-{number}")), "spec": spec}


@st.composite
def alerting(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A condition, a target and some policies on them."""
    found: list[dict[str, Any]] = []

    def add(kind: str, name: str, spec: dict[str, Any]) -> None:
        found.append({"apiVersion": "openslo/v1", "kind": kind, "metadata": draw(metadata(name)), "spec": spec})

    burn = {
        "kind": "burnrate",
        "op": draw(st.sampled_from(["lt", "lte", "gt", "gte"])),
        "threshold": draw(st.sampled_from([1, 2.5, 14.4])),
        "lookbackWindow": draw(durations),
        "alertAfter": draw(durations),
    }
    add("AlertCondition", "condition", {"severity": draw(names), "condition": burn})
    add("AlertNotificationTarget", "target", {"target": draw(names), "description": draw(words)})
    for number in range(draw(st.integers(0, 2))):
        tell = {f"alertWhen{key}": draw(st.booleans()) for key in ("Breaching", "Resolved", "NoData")}
        refs = {"conditions": [{"conditionRef": "condition"}], "notificationTargets": [{"targetRef": "target"}]}
        add("AlertPolicy", f"policy-{number}", {**tell, **refs})
    return found


@st.composite
def whole_files(draw: st.DrawFn) -> str:
    documents = draw(alerting())
    policies = [each["metadata"]["name"] for each in documents if each["kind"] == "AlertPolicy"]
    documents += [draw(slo(number, policies)) for number in range(draw(st.integers(1, 3)))]
    return str(yaml.safe_dump_all(draw(st.permutations(documents)), sort_keys=False, allow_unicode=True))


@settings(deadline=None, max_examples=60)
@given(text=whole_files())
def test_comes_back(text: str) -> None:
    catalogue = assert_comes_back(text)
    assert check_catalogue(catalogue) == []
    assert meaning(text)


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(found for key, child in items for found in _places(child, (*path, key)))]


JUNK: list[Any] = [
    None,
    "",
    "x",
    "1x",
    -1,
    0,
    2,
    1e999,
    float("nan"),
    [],
    {},
    [[]],
    {"a": {}},
    ["x"],
    True,
    "9" * 40 + "w",
]


@settings(deadline=None, max_examples=120)
@given(data=st.data())
def test_what_is_broken_is_told_with_its_line_and_never_a_traceback(data: st.DataObject) -> None:
    documents = [copy.deepcopy(each) for each in yaml.load_all(WHOLE, yaml.BaseLoader)]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places(documents)[1:]))
        node: Any = documents
        for key in path[:-1]:
            node = node[key] if isinstance(node, (dict, list)) and (isinstance(node, list) or key in node) else {}
        if isinstance(node, dict) and data.draw(st.booleans()):
            node.pop(path[-1], None)
        elif isinstance(node, dict) or (isinstance(node, list) and isinstance(path[-1], int) and path[-1] < len(node)):
            node[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    text = yaml.safe_dump_all(documents, sort_keys=False)
    tools: list[Tool] = ["openslo", "sloth", "pyrra"]
    for tool in tools:
        mistakes, catalogue = _outcome(tool, text)
        assert all(mistake.line > 0 for mistake in mistakes)
        assert catalogue is not None or mistakes
        if catalogue is not None and catalogue.slos():
            assert check_catalogue(catalogue) == []


def _outcome(tool: Tool, text: str) -> tuple[tuple[Mistake, ...], Catalogue | None]:
    try:
        return (), import_text(tool, text).catalogue
    except ForeignFileError as error:
        return error.mistakes, None


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=60) | st.binary(max_size=40).map(lambda data: data.decode("latin-1")))
def test_any_text_is_told(text: str) -> None:
    with pytest.raises(ForeignFileError):
        import_text("openslo", text)
