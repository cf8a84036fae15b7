"""Two reports against each other: from files and from evaluations, in the terminal and on a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from sla_kit.engine.comparison import compare
from sla_kit.engine.results import Evaluation
from sla_kit.errors import SlaKitError
from sla_kit.report import render
from sla_kit.report.comparing import compared, read_side, side_of
from sla_kit.report.document import schema
from tests.report.page import Page
from tests.report.sample import figure, sample


def later() -> Evaluation:
    """The same week, had the game's outage been a thirtieth, and without the first objective."""
    one = sample()
    slos = list(one.slos[1:])
    assert slos[2].key == ("api", "availability")
    slos[2] = replace(slos[2], figure=figure(2_000.0, 221_480_233.0, 0.9999), incidents=())
    slos[3] = replace(slos[3], figure=figure(8_511_876.0, 221_480_233.0, 0.95, value=0.0931))
    return replace(one, slos=tuple(slos))


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    for name, evaluation in (("a", sample()), ("b", later())):
        (tmp_path / f"{name}.json").write_text(render(evaluation, "json"))
    return str(tmp_path / "a.json"), str(tmp_path / "b.json")


def run(*words: str) -> str:
    result = CliRunner().invoke(main, ["compare", *words], env={"COLUMNS": "160"})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_file_is_read_as_the_evaluation_that_it_was_written_from(files: tuple[str, str]) -> None:
    assert read_side(files[0]) == side_of(sample())
    assert compare(read_side(files[0]), read_side(files[1])) == compared(later(), sample())


def test_a_report_of_an_earlier_sla_kit_without_newer_fields_is_read(files: tuple[str, str], tmp_path: Path) -> None:
    document = json.loads(Path(files[0]).read_text())
    for slo in document["slos"]:
        for newer in ("rollups", "parts", "policy", "bound", "combine", "sli_range"):
            slo.pop(newer, None)
    (tmp_path / "old.json").write_text(json.dumps(document))
    assert read_side(tmp_path / "old.json") == side_of(sample())


def test_the_terminal_tells_the_worst_first_and_whether_it_is_chance(files: tuple[str, str]) -> None:
    text = run(*files)
    assert text.index("api / latency-p95") < text.index("api / availability")
    assert "87 ms → 93 ms" in text
    assert "Missed → Met" in text
    assert "more than chance" in text
    assert "1 objective got worse and 1 got better by more than chance." in text
    assert text.index("Only in A") < text.index("web / availability")


def test_json_holds_both_sides_and_the_interval(files: tuple[str, str]) -> None:
    document = json.loads(run(*files, "--format", "json"))
    rows = {(slo["service"], slo["slo"]): slo for slo in document["slos"]}
    found = rows["api", "availability"]
    assert found["change"] == pytest.approx((62_917 - 2_000) / 221_480_233)
    assert found["interval"][0] < found["change"] < found["interval"][1]
    assert found["beyond_chance"] is True
    assert found["first"]["incident_count"] == 1
    assert rows["web", "availability"]["second"] is None
    assert rows["web", "probe"]["beyond_chance"] is None


def test_markdown_and_html_say_the_same(files: tuple[str, str]) -> None:
    text, page = run(*files, "--format", "md"), Page.of(run(*files, "--format", "html"))
    rows = page.tables["What changed from A to B, the worst first, as a share of what each objective allows"]
    assert len(rows) == len(later().slos) + 1
    assert rows[1][0].text == "api / latency-p95"
    for row in rows[1:3]:
        assert row[1].text in text


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2}', "\xff", '{"mistakes": []}'])
def test_what_is_no_report_is_told_with_its_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(SlaKitError, match=r"no report\.json") as caught:
        read_side(tmp_path / "x.json")
    assert caught.value.place == str(tmp_path / "x.json")
    with pytest.raises(SlaKitError, match="can't be read"):
        read_side(tmp_path / "none.json")


def test_a_report_tells_what_changed_in_a_section_and_in_json() -> None:
    evaluation = replace(later(), comparison=compared(later(), sample()))
    section = render(evaluation, "md").split("## Comparison")[1].split("\n## ")[0]
    assert "A is production 2026-W38" in section
    assert "api / latency-p95" in section
    document = json.loads(render(evaluation, "json"))
    jsonschema.validate(document, schema())
    assert document["comparison"]["slos"][0]["slo"] == "latency-p95"
    assert json.loads(render(sample(), "json"))["comparison"] is None
