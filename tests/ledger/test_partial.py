"""What only a part of a server answered for is never closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sla_kit.history import HistorySource
from sla_kit.ledger import open_ledger
from sla_kit.ledger.rereading import reread
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.timeline import Finding, Grid, Timeline
from tests.ledger.keeping import DAY, START, STEP, Content, content, differences, shop, update


class Half:
    """A source of whose answers a stretch (epoch seconds) is but a part: half the events, half the coverage."""

    def __init__(self, source: HistorySource, since: int, until: int) -> None:
        self.name = source.name
        self._source = source
        self._since, self._until = since, until

    def span(self) -> tuple[int, int] | None:
        return self._source.span()

    def close(self) -> None:
        pass

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        for indicator, timeline in self._source.fetch(indicators, grid, progress):
            where = grid.slice(self._since, self._until)
            if where.stop > where.start:
                start = grid.start + where.start * grid.step
                end = grid.start + where.stop * grid.step
                finding = Finding(
                    "partial-answer", "1 of 2 shards did not answer", where.stop - where.start, start, end
                )
                timeline = replace(timeline, findings=(*timeline.findings, finding))
                for array in (timeline.good, timeline.total, timeline.coverage):
                    array[where] /= 2
            yield indicator, timeline


def test_buckets_stay_open_until_all_of_the_server_answers(
    recording: HistorySource, tmp_path: Path, expected: Content
) -> None:
    address = str(tmp_path / "ledger.db")
    since = START + 9 * DAY + 3 * STEP
    update(address, Half(recording, since, since + 20 * STEP))
    kept = content(address)["day"]
    assert 0 < len(kept) < len(expected["day"])
    for _, day, _, first, count, *_ in kept:
        start = day * DAY + first * STEP
        assert start + count * STEP <= since or start >= since + 20 * STEP
    update(address, recording)
    assert not differences(content(address), expected, in_parts=True)


def test_a_day_is_not_read_again_from_a_part(recording: HistorySource, tmp_path: Path, filled: Path) -> None:
    since = START + 9 * DAY
    with open_ledger(str(filled)) as ledger:
        half = Half(recording, since, since + 20 * STEP)
        found = reread(ledger, shop(), half, since, since + DAY, author="somebody", reason="to see")
    assert found == (None, 0)
