"""Months and quarters in every format."""

from __future__ import annotations

import csv
import io
import json

from sla_kit.report import formats, render
from tests.report.page import Page
from tests.report.sample import rolled, sample


def test_each_objective_and_promise_has_a_column_for_each_period() -> None:
    page = Page.of(render(rolled(), "html"))
    objectives = page.tables[
        "The SLI of each objective over each period, with what is left of the period's error budget"
    ]
    titles = [cell.text for cell in objectives[0]]
    assert titles == [
        "Objective of",
        "2026-09: Tue 1 Sep 2026 – Sun 20 Sep 2026",
        "2026-Q3: Wed 1 Jul 2026 – Sun 20 Sep 2026",
    ]
    assert len(objectives) == len(rolled().slos) + 1
    rows = {row[0].text: row for row in objectives}
    for slo in rolled().slos:
        for cell, rollup in zip(rows[f"{slo.service} / {slo.slo}"][1:], slo.rollups, strict=True):
            assert cell.text == formats.percent(rollup.figure.sli, slo.objective)
    promises = page.tables["The promises over each period"]
    assert [cell.text for cell in promises[1]] == ["Available whenever fans look", "Met", "Can't tell"]


def test_coverage_stands_beside_a_period_that_history_does_not_fill() -> None:
    section = render(rolled(), "md").split("## Months, quarters and years")[1].split("\n## ")[0]
    assert "coverage 50 %" in section
    assert "of the budget left" in section


def test_json_holds_them_by_slo_and_by_promise() -> None:
    document = json.loads(render(rolled(), "json"))
    (month, quarter) = document["slos"][3]["rollups"]
    assert month["window"] == {"name": "2026-09", "start": "2026-09-01T04:00:00Z", "end": "2026-09-21T04:00:00Z"}
    assert month["figure"]["bad"] == 62_917
    assert quarter["figure"]["coverage"] == 0.5
    assert [one["met"] for one in document["promises"][0]["rollups"]] == [True, None]


def test_csv_has_columns_named_after_the_period() -> None:
    rows = list(csv.DictReader(io.StringIO(render(rolled(), "csv"))))
    slo = rolled().slos[3]
    assert float(rows[3]["rollup_2026-09_sli"]) == slo.rollups[0].figure.sli
    assert float(rows[3]["rollup_2026-Q3_budget_left_ratio"]) == slo.rollups[1].figure.budget.left_ratio
    assert rows[3]["rollup_2026-Q3_met"] == str(slo.rollups[1].figure.met).lower()


def test_without_any_nothing_is_said_of_them() -> None:
    assert "Months, quarters" not in render(sample(), "md")
    assert "rollup_" not in render(sample(), "csv")
    assert all(slo["rollups"] == [] for slo in json.loads(render(sample(), "json"))["slos"])
