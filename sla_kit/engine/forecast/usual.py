"""The usual week: how much traffic there is at each local hour of it outside live events, and how that level moves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from sla_kit.engine.forecast.hours import HOUR, Past
from sla_kit.timeline import Floats, Ints

WEEK_HOURS = 168


@dataclass(frozen=True, slots=True)
class Usual:
    """Events per second as they usually are: ``shape`` (168,) by local hour of the week, Monday 00:00 first, times the
    level of the week. ``levels`` (weeks,) are those of the weeks before ``at``, the newest first; 1 is their mean."""

    at: int
    timezone: str
    shape: Floats
    levels: Floats

    def rate(self, times: Ints) -> Floats:
        """The usual events per second at some moments (epoch seconds), shape of ``times``; the future is as high as
        the last week was."""
        weeks = np.clip((self.at - 1 - times) // (WEEK_HOURS * HOUR), 0, max(0, len(self.levels) - 1))
        level = self.levels[weeks] if len(self.levels) else np.ones(len(times))
        return np.asarray(self.shape[local_hours(times, self.timezone)] * level, dtype=np.float64)

    @classmethod
    def of(cls, past: Past, timezone: str) -> Usual:
        """The usual week of the hours that are past.

        A week's level is its traffic against that of the mean week in the same hours, and the shape is the mean of
        the weeks, each divided by its level, so that growth does not blur it. Hours of the week that were never
        quiet (a game every Sunday) lie on the line between their neighbours.
        """
        known = past.quiet_seconds > 0
        rates = np.divide(past.quiet_total, past.quiet_seconds, out=np.zeros(past.count), where=known)
        hour = local_hours(past.middles, timezone)
        week = (past.at - 1 - past.middles) // (WEEK_HOURS * HOUR)
        weeks = int(week[0]) + 1 if past.count else 0

        def mean_by_hour(values: Floats) -> Floats:
            # Part of an hour counts in part.
            weight = np.bincount(hour, past.quiet_seconds, WEEK_HOURS)
            sums = np.bincount(hour, values * past.quiet_seconds, WEEK_HOURS)
            mean: Floats = np.divide(sums, weight, out=np.full(WEEK_HOURS, np.nan), where=weight > 0)
            return mean

        flat = np.nan_to_num(mean_by_hour(rates))
        seen = np.bincount(week, rates * past.quiet_seconds, weeks)
        expected = np.bincount(week, flat[hour] * past.quiet_seconds, weeks)
        levels = np.divide(seen, expected, out=np.ones(weeks), where=(expected > 0) & (seen > 0))
        shape = mean_by_hour(np.divide(rates, levels[week], out=np.zeros(past.count)))
        return cls(past.at, timezone, _filled(shape), levels)


def local_hours(times: Ints, timezone: str) -> Ints:
    """The local hour of the week of each moment, 0 is Monday's first; each hour's offset is looked up once."""
    zone = ZoneInfo(timezone)
    hours, where = np.unique(times // HOUR, return_inverse=True)
    offsets = [datetime.fromtimestamp(int(hour) * HOUR, zone).utcoffset() for hour in hours]
    seconds = np.array([int(offset.total_seconds()) if offset else 0 for offset in offsets], dtype=np.int64)
    # The epoch was a Thursday, 72 hours after a Monday's midnight.
    local = times + seconds[where.reshape(-1)] if len(times) else times
    return np.asarray((local // HOUR + 72) % WEEK_HOURS, dtype=np.int64)


def _filled(shape: Floats) -> Floats:
    """A week without holes: between known hours a straight line, around the end of the week; zero where none is."""
    known = np.flatnonzero(~np.isnan(shape))
    if not len(known):
        return np.zeros(WEEK_HOURS)
    return np.asarray(np.interp(np.arange(WEEK_HOURS), known, shape[known], period=WEEK_HOURS), dtype=np.float64)
