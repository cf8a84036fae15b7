"""report.json: plain, complete, and as its schema says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sla_kit.report import render
from sla_kit.report.document import Report, schema, to_document
from tests.report.sample import sample

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [value]


def test_json_is_the_document_and_reads_back_as_typed_values() -> None:
    text = render(sample(), "json")
    assert json.loads(text) == to_document(sample())
    report = msgspec.json.decode(text, type=Report)
    assert report.version == 1
    assert [slo.service for slo in report.slos] == [slo.service for slo in sample().slos]


def test_the_shape_that_other_programs_rely_on_is_there() -> None:
    document = to_document(sample())
    assert set(document["window"]) == {"name", "start", "end"}
    needed = {"service", "slo", "objective", "sli", "good", "bad", "total", "coverage", "met", "budget"}
    for slo in document["slos"]:
        assert needed | {"without_exclusions"} <= set(slo)
        assert {"allowed", "spent", "left_ratio"} <= set(slo["budget"])
        assert needed - {"service", "slo", "objective"} <= set(slo["without_exclusions"])
    for incident in document["incidents"]:
        assert {"service", "slo", "start", "detected", "recovered", "seconds", "budget_spent"} <= set(incident)
    assert document["incidents"][-1]["recovered"] is None
    assert document["incidents"][0]["recover_seconds"] == 28 * 60


def test_what_is_not_known_is_null_and_never_nan() -> None:
    one = sample()
    slo = one.slos[0]
    odd = replace(slo.figure, sli=math.nan, value=math.inf, good=np.float64("nan"))
    evaluation = replace(one, slos=(replace(slo, figure=odd),))
    document = to_document(evaluation)["slos"][0]
    assert document["sli"] is None
    assert document["value"] is None
    assert document["good"] is None
    text = render(evaluation, "json")
    assert "NaN" not in text
    assert "Infinity" not in text


def test_numpys_numbers_become_plain_ones() -> None:
    one = sample()
    slo = one.slos[0]
    figure = replace(slo.figure, sli=np.float64(0.5), total=np.float64(4.0), met=np.bool_(True))  # type: ignore[arg-type]
    document = to_document(replace(one, slos=(replace(slo, figure=figure),)))
    assert all(type(leaf) in (str, int, float, bool, type(None)) for leaf in leaves(document))
    assert document["slos"][0]["total"] == 4
    assert document["slos"][0]["met"] is True


def test_the_documented_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "write docs/report.schema.json anew: see docs/report.md"
