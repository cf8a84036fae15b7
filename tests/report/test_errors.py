"""Errors in the report: what is told first, in every format, as an owner sees it, and as other programs read it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sla_kit.catalogue.model import Catalogue, Service
from sla_kit.error_tracking.results import Estimate
from sla_kit.report import render, write
from sla_kit.report.as_markdown import markdown
from sla_kit.report.blocks import Bullets, Fold, Paragraph, Table
from sla_kit.report.content import page
from sla_kit.report.document import Report
from sla_kit.report.document_errors import CSV_COLUMNS, errors_csv, errors_document
from sla_kit.report.errors import errors, errors_page, estimate, headline, named, sparkline, told_of
from sla_kit.report.markup import trend
from sla_kit.report.owners import for_owner
from sla_kit.report.terminal import print_page
from tests.report.errors_sample import BACK, IGNORED, NEW, USUAL, errors_sample, group
from tests.report.sample import ZONE, sample

OWNERS = {"api": "platform", "web": "front"}
EVALUATION = replace(sample(), errors=errors_sample())


def test_the_headline_counts_what_is_worth_telling_and_nothing_that_is_ignored() -> None:
    assert headline(errors_sample()) == (
        "4,300 ± 110 errors (2,700 in the time before): 1 group is new, 1 group came back, 1 group is surging."
    )
    assert headline(errors_sample(USUAL, IGNORED, total=Estimate.exactly(1.0))) == (
        "1 error (2,700 in the time before): no group is new, came back or is surging."
    )
    assert told_of(errors_sample()) == [NEW, BACK]


def test_what_changed_stands_before_what_is_frequent() -> None:
    found = errors(errors_sample(), ZONE, OWNERS)
    changed, frequent = [block for block in found if isinstance(block, Table)]
    assert [row[0].note for row in changed.rows] == [f"api · {NEW.key}", f"web · {BACK.key}"]
    assert [row[0].note for row in frequent.rows] == [f"api · {USUAL.key}", f"api · {IGNORED.key}"]
    kind, count, drawn, seen, users, owner, releases, incidents = changed.rows[0][1:]
    assert (kind.text, kind.tone) == ("new, surging", "missed")
    assert (count.text, count.note) == ("999", "before: 0")
    assert drawn.trend == NEW.trend
    assert seen.note == "first: 19 Sep, 18:40"
    assert users.text == "12"
    assert (releases.text, releases.note) == ("1.4.2", "after 1.4.2, 19 Sep, 18:30")
    assert incidents.text == "api / availability; api / latency +1"
    assert (owner.text, owner.note) == ("platform", "")
    back = changed.rows[1]
    assert (back[2].text, back[5].text) == ("1,200 ± 110", "40 ± 7")
    assert (back[6].text, back[6].note) == ("sre", "resolved in 1.4.1, 15 Sep, R. Byrd")
    assert frequent.rows[1][1].tone == ""  # nobody is to look at what is ignored


def test_many_groups_are_folded_and_what_is_in_none_is_said() -> None:
    found = errors(errors_sample(*(group(number) for number in range(30))), ZONE, OWNERS)
    (fold,) = [block for block in found if isinstance(block, Fold)]  # nothing is new: no example
    assert fold.title == "20 more groups of errors"
    text = markdown(errors_page(errors_sample(), ZONE, OWNERS))
    assert "In none of these groups: 106 ± 110 errors." in text
    assert "2 of 5 shards did not answer" in text
    assert "estimated from a sample of 10,000" in text


def test_a_trend_keeps_its_blanks_in_markdown() -> None:
    text = markdown(errors_page(errors_sample(replace(group(1), trend=(0.0, 0.0, 9.0, 0.0))), ZONE, OWNERS))
    assert "| ··█· |" in text


def test_users_that_a_sample_saw_are_the_least_there_were() -> None:
    text = markdown(errors_page(errors_sample(replace(group(1), users=Estimate(500, 500, 8711))), ZONE, OWNERS))
    assert "| ≥ 500 |" in text


def test_what_is_new_comes_with_its_frames_an_example_and_the_deployments_of_the_window() -> None:
    found = errors(errors_sample(), ZONE, OWNERS)
    (fold,) = [block for block in found if isinstance(block, Fold)]
    assert fold.title == "Frames and an example of each group"
    (bullets,) = fold.blocks
    assert isinstance(bullets, Bullets)
    (_, first), (_, second) = bullets.items
    assert first.startswith(
        "in shop/db.py query ← shop/orders.py place; can't read 'x' of <email>, Authorization: Bearer <"
    )
    assert first.endswith("(19 Sep, 18:40, api-7f9c, 1.4.2, 4bf92f3577b34da6a3ce929d0e0e4736)")
    assert second == "in shop/db.py query ← shop/orders.py place"
    assert Paragraph("Deployed in the window: api 1.4.2, 19 Sep, 18:30.") in found


def test_no_error_at_all_is_good_news_only_where_everything_was_read() -> None:
    none = errors_sample(total=Estimate.exactly(0), elsewhere=Estimate.exactly(0), findings=())
    none = replace(none, groups=())
    assert errors_page(none, ZONE, {}).tone == "met"
    unread = replace(none, findings=errors_sample().findings)
    assert errors_page(unread, ZONE, {}).tone == "unknown"
    assert "No error was found" not in markdown(errors_page(unread, ZONE, {}))


def test_every_format_tells_of_errors_and_nothing_of_an_address_gets_into_it(tmp_path: Path) -> None:
    paths = write(EVALUATION, tmp_path, ["html", "md", "json", "csv"])
    html, text, document = (path.read_text() for path in paths[:3])
    assert '<h2 id="errors">Errors</h2>' in html
    assert html.count('<svg class="trend"') == 4
    assert "<script>" not in html
    assert "## Errors" in text
    assert "█" in text
    for each in (html, text, document):
        assert "ann@example.com" not in each
        assert "abcdefghijklmnop" not in each
        assert "<email>" in each or "&lt;email&gt;" in each
    assert json.loads(document)["errors"]["groups"][0]["kinds"] == ["new", "surging"]


def test_a_report_without_errors_has_no_such_section() -> None:
    assert "errors" not in [section.id for section in page(sample()).sections]
    assert json.loads(render(sample(), "json"))["errors"] is None


def test_errors_read_back_from_report_json_as_typed_values() -> None:
    read = msgspec.json.decode(render(EVALUATION, "json"), type=Report).errors
    assert read is not None
    assert read.total.low == 4200
    assert read.slice_seconds == 7 * 86400 / 5
    first, second, third, _ = read.groups
    assert (first.service, first.key, first.count.value, first.users and first.users.value) == ("api", NEW.key, 999, 12)
    assert first.deployment is not None
    assert first.deployment.version == "1.4.2"
    assert [one.end for one in first.incidents][1] is None
    assert first.last_seen == "2026-09-21T03:58:59.750000Z"
    assert (second.owner, second.state.owner, second.state.status, second.state.release) == (
        "sre", "sre", "resolved", "1.4.1",
    )  # fmt: skip
    assert (third.users, third.state.at, third.state.by) == (None, None, None)


def test_the_csv_has_one_row_a_group_and_nothing_that_a_spreadsheet_runs() -> None:
    odd = group(5, type="=cmd()", message="+1")
    (header, first, back, *_, last) = csv.reader(io.StringIO(errors_csv((*errors_sample().groups, odd), OWNERS)))
    assert tuple(header) == CSV_COLUMNS
    new, returned = dict(zip(header, first, strict=True)), dict(zip(header, back, strict=True))
    assert (new["kinds"], new["count"], new["count_low"], new["owner"]) == ("new surging", "999", "999", "platform")
    assert (returned["count_low"], returned["count_high"], returned["status"]) == ("1100", "1310", "resolved")
    assert last[header.index("type")] == "'=cmd()"


def test_an_owner_sees_the_groups_of_their_services_and_totals_that_hold() -> None:
    catalogue = Catalogue(
        name="shop",
        services=[Service(name="api", owner="platform", slos=[]), Service(name="web", owner="front", slos=[])],
    )
    mine = for_owner(EVALUATION, catalogue, "front").errors
    assert mine is not None
    assert mine.groups == (BACK,)
    assert (mine.total.value, mine.total.low, mine.total.high) == (1200.0, 1100.0, 1310.0 + 216.0)
    assert mine.deployments == ()
    asked = errors_sample(BACK, services=("web",))  # read for this owner alone
    assert for_owner(replace(EVALUATION, errors=asked), catalogue, "front").errors == asked
    nobody = for_owner(EVALUATION, catalogue, "").errors
    assert nobody is not None
    assert nobody.groups == ()


def test_the_document_of_the_command_says_its_version() -> None:
    document = errors_document(errors_sample(), OWNERS)
    assert document["version"] == 1
    assert set(document["groups"][0]["count"]) == {"value", "low", "high"}
    assert document["findings"][0]["kind"] == "partial-answer"
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Estimate.exactly(0), "0"),
        (Estimate.exactly(1234), "1,234"),
        (Estimate(1234.4, 1200, 1300), "1,234 ± 66"),
        (Estimate(3, 2.9, 3.1), "3 ± 1"),
    ],
)
def test_a_number_says_how_far_it_may_be_off(number: Estimate, text: str) -> None:
    assert estimate(number) == text


@given(st.lists(st.floats(0, 1e12), max_size=60))
def test_a_trend_has_a_bar_for_every_slice_with_something_in_it(counts: list[float]) -> None:
    line = sparkline(counts)
    assert len(line) == len(counts)
    assert [bar != " " for bar in line] == [count > 0 for count in counts]
    if any(counts):
        assert line[counts.index(max(counts))] == "█"
        drawn = trend(counts)
        assert len(re.findall(r"M\d+ 20v", drawn)) == sum(count > 0 for count in counts)
        assert "nan" not in drawn


def test_a_group_is_called_by_its_type_and_message_on_one_line() -> None:
    assert named(group(1, type="", message="a\nb")) == "a b"
    assert named(group(1, type="E", message="")) == "E"
    assert named(group(1, type="", message="")) == "no message"
    assert len(named(group(1, message="x" * 1000))) == 160
    assert named(group(1, type="E", message="of ann@example.com")) == "E: of <email>"


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140, 200])
def test_a_terminal_shows_the_columns_that_it_has_room_for(width: int) -> None:
    busy = tuple(replace(one, trend=(1.0, 2.0) * 12) for one in (NEW, BACK))
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=False)
    print_page(errors_page(errors_sample(*busy), ZONE, OWNERS), console)
    text = out.getvalue()
    assert "\x1b" not in text
    assert NEW.key in text
    for title, least in (("Count", 60), ("Last seen", 80), ("Owner", 120), ("Incidents", 200)):
        assert (title in text) or width < least
    assert all(len(line) <= width for line in text.splitlines())
