"""Two at once: both end well, and the ledger is that of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

import sla_kit
from sla_kit.history import HistorySource
from sla_kit.ledger import closing, open_ledger
from sla_kit.ledger.verifying import verify_ledger
from sla_kit.report.document import to_document
from tests.forking import ended_well, in_another_process
from tests.ledger.keeping import (
    DAY,
    END,
    START,
    Content,
    content,
    differences,
    shop,
    update,
)
from tests.waiting import until


def together(works: Sequence[Callable[[], object]]) -> bool:
    """Starts several processes, lets them all go at one moment, and tells whether all ended well."""
    gate, opened = os.pipe()

    def after_the_gate(work: Callable[[], object]) -> None:
        os.close(opened)
        os.read(gate, 1)  # until the other end is closed
        work()

    children = [in_another_process(partial(after_the_gate, work)) for work in works]
    os.close(opened)
    os.close(gate)
    return ended_well(*children)


def test_two_processes_make_the_same_ledger_at_once(address: str) -> None:
    for _ in range(5):
        assert together([lambda: open_ledger(address).close()] * 3)
        with open_ledger(address, create=False) as ledger:
            assert verify_ledger(ledger) == []
            if not ledger.store.is_sqlite:
                return
        Path(address).unlink()


def test_two_writers_leave_the_ledger_of_one(
    address: str, recording: HistorySource, expected: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)  # so that they meet often
    assert together([lambda: update(address, recording)] * 2)
    assert not differences(content(address), expected)


def test_two_writers_that_close_until_different_moments_leave_the_ledger_of_one(
    address: str, recording: HistorySource, expected: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)
    early = START + 17 * DAY + 5 * 3600
    assert together([lambda: update(address, recording), lambda: update(address, recording, early)])
    assert not differences(content(address), expected, in_parts=True)
    with open_ledger(address) as ledger:
        assert verify_ledger(ledger) == []


def test_a_report_is_made_while_another_process_writes(
    address: str, recording: HistorySource, expected: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)
    straight = to_document(sla_kit.evaluate(shop(), recording, "7d", END))
    open_ledger(address).close()
    writer = in_another_process(lambda: update(address, recording))
    # It goes on where rows end: the week of a report that came before its first row would be all that it adds to.
    until(lambda: content(address)["day"], 240, what="the first row")
    found = []
    for _ in range(3):
        with open_ledger(address) as ledger:
            found.append(to_document(sla_kit.evaluate(shop(), recording, "7d", END, ledger=ledger)))
    assert ended_well(writer)
    for document in found:
        assert [slo["sli"] for slo in document["slos"]] == [slo["sli"] for slo in straight["slos"]]
    update(address, recording)
    assert content(address)["day"] == expected["day"]


def test_a_new_file_may_be_made_by_many_at_the_very_same_moment(tmp_path: Path) -> None:
    # SQLite refuses now and then, and at once, while another process sets the journal of a new file.
    for number in range(12):
        path = str(tmp_path / f"{number}.db")
        assert together([partial(_make, path)] * 6)


def _make(path: str) -> None:
    open_ledger(path).close()
