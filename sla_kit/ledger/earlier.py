"""What an indicator was before it was defined anew: rows of the same name that still tell of days past."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, select

from sla_kit.ledger.identity import Identity
from sla_kit.ledger.tables import indicator as indicators
from sla_kit.timeline import Floats, Grid, Histogram, Timeline


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier definition of an indicator: its ``id`` and the length of its buckets."""

    id: int
    bucket: int


def earlier_definitions(connection: Connection, identity: Identity) -> list[Earlier]:
    """The definitions of the same name and kind whose buckets fit into those of today."""
    query = select(indicators.c.id, indicators.c.bucket, indicators.c.definition).where(
        (indicators.c.catalogue == identity.catalogue)
        & (indicators.c.environment == identity.environment)
        & (indicators.c.service == identity.service)
        & (indicators.c.name == identity.name)
        & (indicators.c.id != identity.id)
    )
    return [
        Earlier(id, bucket)
        for id, bucket, definition in connection.execute(query)
        if replace(identity, definition=definition).kind == identity.kind and identity.bucket % bucket == 0
    ]


def coarser(timeline: Timeline, step: int) -> Timeline:
    """A timeline in longer buckets of ``step`` seconds, as far as whole ones go: events are added, coverage is the
    mean, and of a measured value the last one is taken."""
    grid = timeline.grid
    if grid.step == step:
        return timeline
    each = step // grid.step
    start = -(-grid.start // step) * step
    skipped = (start - grid.start) // grid.step
    count = max(0, (grid.count - skipped) // each)

    def cut(values: Floats) -> Floats:
        part = values[skipped : skipped + count * each]
        return part.reshape(count, each, *values.shape[1:])

    def last(values: Floats | None) -> Floats | None:
        if values is None:
            return None
        parts = cut(values)
        known = ~np.isnan(parts)
        position = each - 1 - np.argmax(known[:, ::-1], axis=1)
        return np.where(known.any(axis=1), parts[np.arange(count), position], np.nan)

    histogram = timeline.histogram
    return Timeline(
        Grid(start, step, count),
        cut(timeline.good).sum(axis=1),
        cut(timeline.total).sum(axis=1),
        cut(timeline.coverage).mean(axis=1) if count else np.zeros(0),
        timeline.unit,
        last(timeline.value),
        last(timeline.completed),
        None if histogram is None else Histogram(histogram.bounds, cut(histogram.counts).sum(axis=1)),
        timeline.findings,
    )


def filled(own: Timeline, before: Timeline) -> Timeline:
    """A day on which an indicator was defined anew: buckets of which its own row knows nothing are those of the row
    before. Both must lie on the same grid; otherwise, and where their histograms differ, the own one stays as it is."""
    left, right = own.histogram, before.histogram
    if own.grid != before.grid or (left is None) != (right is None):
        return own
    dark = (own.coverage <= 0) & (own.total <= 0)
    histogram = left
    if left is not None and right is not None:
        if left.bounds.shape != right.bounds.shape or (left.bounds != right.bounds).any():
            return own
        histogram = Histogram(left.bounds, np.where(dark[:, None], right.counts, left.counts))

    def either(mine: Floats | None, theirs: Floats | None) -> Floats | None:
        return mine if mine is None or theirs is None else np.where(dark, theirs, mine)

    return replace(
        own,
        good=np.where(dark, before.good, own.good),
        total=np.where(dark, before.total, own.total),
        coverage=np.where(dark, before.coverage, own.coverage),
        value=either(own.value, before.value),
        completed=either(own.completed, before.completed),
        histogram=histogram,
        findings=(*before.findings, *own.findings),
    )
