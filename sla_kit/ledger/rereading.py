"""Reading closed days again, as a correction: the rows that were there stay, what differs stands beside them."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.errors import LedgerError
from sla_kit.ledger import Ledger
from sla_kit.ledger.closing import MARGIN_SECONDS, digest_of, partial_since, row_values, write_marks
from sla_kit.ledger.corrections import Correction, append
from sla_kit.ledger.identity import Identity, indicators_of
from sla_kit.ledger.reading import Row, read_rows
from sla_kit.ledger.rows import DAY_SECONDS, DayRow, digest, marks, split, unpack
from sla_kit.ledger.tables import day as days
from sla_kit.sources import Progress, Source, no_progress
from sla_kit.sources.indicators import summed_alone
from sla_kit.timeline import Grid


def reread(
    ledger: Ledger,
    catalogue: Catalogue,
    source: Source,
    since: int,
    until: int,
    *,
    author: str,
    reason: str,
    progress: Progress = no_progress,
) -> tuple[Correction | None, int]:
    """Reads the closed days from ``since`` to ``until`` (epoch seconds) again, and appends those that have changed.
    Returns the correction, None where nothing had, and how many days had.

    Only days that the ledger holds are read. A day is never replaced by one of which the source knows less: what a
    server has forgotten, or has answered for only in part, is not corrected. Raises `LedgerError` and `SourceError`.
    """
    step = int(catalogue.bucket)
    since, until = since // DAY_SECONDS * DAY_SECONDS, -(-until // DAY_SECONDS) * DAY_SECONDS
    if until <= since:
        raise LedgerError("the stretch to read again ends before it starts", remedy="swap --since and --until")
    indicators = summed_alone(indicators_of(catalogue))
    ids = {one.key: Identity.of(catalogue, one).id for one in indicators}
    with ledger.store.reading() as connection:
        held = read_rows(connection, list(ids.values()), since, until)
    changed: list[tuple[int, DayRow]] = []
    margin = -(-MARGIN_SECONDS // step) * step
    grid = Grid(since - margin, step, (until - since + 2 * margin) // step)
    wanted = [one for one in indicators if held.get(ids[one.key])]
    for indicator, timeline in source.fetch(wanted, grid, progress):
        id = ids[indicator.key]
        for kept in held[id]:
            start = kept.day * DAY_SECONDS + kept.first * step
            end = start + kept.count * step
            if partial_since(timeline, start, end) < end:
                continue
            (row,) = split(timeline, start, end)
            if row.timeline.coverage.any() and digest(row.timeline, row.first) != _content(kept, row.timeline.grid):
                changed.append((id, row))
    if not changed:
        return None, 0
    content = {"since": since, "until": until, "days": len(changed)}
    with ledger.store.writing() as connection:
        made = append(
            connection,
            catalogue=catalogue.name,
            environment=catalogue.environment,
            kind="reading",
            author=author,
            reason=reason,
            content=content,
        )
        rows = [row_values(id, row, made.number) for id, row in changed]
        connection.execute(days.insert(), rows)
        found = {digest_of(values): marks(row.timeline) for values, (_, row) in zip(rows, changed, strict=True)}
        write_marks(connection, found)
    return made, len(changed)


def _content(kept: Row, grid: Grid) -> bytes | None:
    """The digest of what a row really holds; None where it can't be read."""
    try:
        return digest(unpack(kept.payload, grid), kept.first)
    except LedgerError:
        return None
