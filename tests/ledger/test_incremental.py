"""Only what is new is asked for, and it makes no difference in how many runs a ledger was filled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_kit
from sla_kit.catalogue.model import Keeping
from sla_kit.history import HistorySource
from sla_kit.ledger import open_ledger
from sla_kit.ledger.closing import BLOCK_SECONDS, GAP_SECONDS, MARGIN_SECONDS
from sla_kit.ledger.identity import indicators_of
from sla_kit.report.document import to_document
from sla_kit.simulate import simulate
from sla_kit.sources import open_source
from tests.ledger.keeping import (
    DAY,
    DAYS,
    END,
    LATER,
    START,
    STEP,
    Content,
    Counting,
    asof,
    content,
    differences,
    scenario,
    shop,
    update,
)
from tests.servers import prometheus


def test_a_second_update_asks_for_nothing(recording: HistorySource, filled: Path) -> None:
    source = Counting(recording)
    assert update(str(filled), source).rows == 0
    assert source.asked == []


def test_an_update_after_new_data_asks_only_for_the_new_stretch_and_its_margin(
    recording: HistorySource, tmp_path: Path, expected: Content
) -> None:
    address, until = str(tmp_path / "ledger.db"), START + 18 * DAY
    source = Counting(recording)
    update(address, source, until)
    source.asked.clear()
    update(address, source, until + 6 * 3600)
    ((keys, grid),) = source.asked
    assert keys == {one.key for one in indicators_of(shop())}
    assert grid.start == until - MARGIN_SECONDS
    assert grid.end == until + 6 * 3600 + MARGIN_SECONDS
    update(address, source)
    assert not differences(content(address), expected, in_parts=True)


def test_a_new_indicator_is_asked_for_alone_and_as_far_back_as_the_rest(
    recording: HistorySource, tmp_path: Path
) -> None:
    address = str(tmp_path / "ledger.db")
    whole = shop()
    smaller = msgspec.structs.replace(whole, services=whole.services[:1])
    source = Counting(recording)
    with open_ledger(address) as ledger:
        ledger.update(smaller, source, until=END, now=LATER)
        source.asked.clear()
        ledger.update(whole, source, until=END, now=LATER)
    assert {key for keys, _ in source.asked for key in keys} == {("web", "availability:sli"), ("web", "up:sli")}
    assert min(grid.start for _, grid in source.asked) <= START


def test_no_block_is_asked_for_twice(recording: HistorySource, tmp_path: Path) -> None:
    source = Counting(recording)
    update(str(tmp_path / "ledger.db"), source)
    seen: set[tuple[tuple[str, str], int]] = set()
    for keys, grid in source.asked:
        wide = grid.count * STEP > BLOCK_SECONDS + 2 * MARGIN_SECONDS
        assert grid.count * STEP <= BLOCK_SECONDS + 2 * (GAP_SECONDS if wide else MARGIN_SECONDS)
        for key in keys:
            assert (key, grid.start) not in seen
            seen.add((key, grid.start))


def test_however_many_runs_fill_it_the_rows_are_the_same(
    recording: HistorySource, tmp_path_factory: pytest.TempPathFactory, expected: Content
) -> None:
    @settings(max_examples=4, deadline=None)
    @given(st.lists(st.integers(1, DAYS * DAY // STEP - 1), min_size=1, max_size=4))
    def run(ends: list[int]) -> None:
        address = str(tmp_path_factory.mktemp("runs") / "ledger.db")
        for end in [*sorted(ends), DAYS * DAY // STEP]:
            update(address, recording, START + end * STEP)
        assert not differences(content(address), expected, in_parts=True)

    run()


def test_day_by_day_as_the_data_come_the_rows_are_those_of_one_run(
    recording: HistorySource, tmp_path: Path, expected: Content
) -> None:
    """Each night the server knows nothing of the morning yet: gaps that are still open then must wait."""
    address = str(tmp_path / "ledger.db")
    with open_ledger(address) as ledger:
        for now in range(START + DAY // 2, END + DAY, DAY):
            ledger.update(shop(), Counting(asof(recording, now), (START, now)), until=now, now=now)
        ledger.update(shop(), recording, until=END, now=LATER)
        assert not differences(content(ledger), expected, in_parts=True)


def test_late_data_within_the_lag_are_read_and_beyond_it_are_not(
    recording: HistorySource, tmp_path: Path, expected: Content
) -> None:
    now = START + 4 * DAY + 7 * 3600
    late = asof(recording, now, missing=(now - 2400, now - 600))
    found: dict[float, Content] = {}
    for lag in (3600.0, 0.0):
        keeping = Keeping(lag=lag)
        with open_ledger(str(tmp_path / f"{lag:g}.db")) as ledger:
            ledger.update(shop(ledger=keeping), Counting(late, (START, now)), until=now, now=now)
            ledger.update(shop(ledger=keeping), recording, until=END, now=LATER)
            found[lag] = content(ledger)
    assert not differences(found[3600.0], expected, in_parts=True)
    assert differences(found[0.0], expected, in_parts=True)  # what was closed too early stays


def test_a_gap_at_the_end_waits_for_what_its_counters_counted(recording: HistorySource, tmp_path: Path) -> None:
    gap = scenario().gaps[0]
    now = int(gap.start) + 8 * 3600  # in the middle of it, and any lag is over
    with open_ledger(str(tmp_path / "ledger.db")) as ledger:
        ledger.update(shop(), Counting(asof(recording, now), (START, now)), until=now, now=now)
        assert max(end for end in ledger._ends(shop()).values() if end is not None) == gap.start
        # After a week it is closed as it is: nobody knows whether it will ever end.
        later = now + GAP_SECONDS
        ledger.update(shop(), Counting(asof(recording, now), (START, later)), until=later, now=later)
        assert min(end or 0 for end in ledger._ends(shop()).values()) == now


def test_a_definition_changed_in_the_middle_goes_on_with_the_earlier_rows_and_says_so(
    recording: HistorySource, tmp_path: Path
) -> None:
    middle = START + 18 * DAY
    before = shop()
    sli = msgspec.structs.replace(before.services[0].slis["requests"], bad={"status_code": "500"})
    api = msgspec.structs.replace(before.services[0], slis={"requests": sli})
    after = msgspec.structs.replace(before, services=[api, *before.services[1:]])
    with open_ledger(str(tmp_path / "ledger.db")) as ledger:
        ledger.update(before, recording, until=middle, now=LATER)
        ledger.close_buckets(after, recording, since=middle, until=END, now=LATER)
        found = sla_kit.evaluate(after, None, "14d", END, ledger=ledger)["api", "availability"]
    straight = sla_kit.evaluate(before, recording, "14d", END)["api", "availability"]
    assert (found.figure.bad, found.figure.total) == (straight.figure.bad, straight.figure.total)
    said = [one for one in found.findings if one.kind == "earlier-definition"]
    assert [one.end for one in said] == [middle]


def document(evaluation: Any) -> dict[str, Any]:
    """What a report says, without where it was read and the proof of it."""
    found = to_document(evaluation)
    for slo in found["slos"]:
        slo["findings"] = sorted(slo["findings"], key=json.dumps)
    return {name: value for name, value in found.items() if name not in ("source", "proof")}


def test_a_report_is_the_same_from_a_prometheus_and_from_a_ledger_of_it(tmp_path: Path) -> None:
    simulate(scenario()).write(tmp_path)
    address = str(tmp_path / "ledger.db")
    with (
        prometheus(openmetrics=tmp_path / "history.om.gz") as server,
        open_ledger(address) as ledger,
    ):
        straight = document(sla_kit.evaluate(shop(), server.url, "14d", END))
        assert straight["slos"][0]["total"] > 0
        assert document(sla_kit.evaluate(shop(), server.url, "14d", END, ledger=ledger)) == straight
        ledger.update(shop(), Counting(open_source(server.url), None), until=END, now=END + 10 * DAY)
        assert document(sla_kit.evaluate(shop(), server.url, "14d", END, ledger=ledger)) == straight
    with open_ledger(address) as ledger:
        assert document(sla_kit.evaluate(shop(), None, "14d", END, ledger=ledger)) == straight
