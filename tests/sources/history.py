"""A small recorded history for the tests of sources, and the reductions computed straight from its samples."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sla_kit.sources.series import Labels, Reduction, SeriesQuery, sorted_labels
from sla_kit.timeline import Floats, Grid

START = 1_700_000_040  # a multiple of 60
_REDUCE: dict[Reduction, Callable[[Floats], float]] = {
    Reduction.MAX: lambda found: float(found.max()),
    Reduction.MIN: lambda found: float(found.min()),
    Reduction.LAST: lambda found: float(found[-1]),
    Reduction.SUM: lambda found: float(found.sum()),
    Reduction.COUNT: lambda found: float(found.size),
    Reduction.MEAN: lambda found: float(found.mean()),
}


@dataclass
class Recorded:
    """Samples by metric and labels: times in whole milliseconds, ascending, and values."""

    samples: dict[tuple[str, Labels], list[tuple[int, float]]] = field(default_factory=dict)

    def series(self, metric: str, times: list[int], values: list[float], **labels: str) -> None:
        """Adds a series."""
        self.samples[(metric, sorted_labels(labels))] = list(zip(times, values, strict=True))

    def write(self, path: Path) -> Path:
        """Writes OpenMetrics text, samples in order of time within each metric."""
        lines = []
        for metric in dict.fromkeys(metric for metric, _ in self.samples):
            lines.append(f"# TYPE {metric} unknown")
            for (name, labels), samples in self.samples.items():
                if name == metric:
                    text = ",".join(f'{label}="{value}"' for label, value in labels)
                    for time, value in samples:
                        lines.append(f"{metric}{{{text}}} {value!r} {time // 1000}.{time % 1000:03d}")
        path.write_text("\n".join([*lines, "# EOF", ""]))
        return path

    def answer(self, query: SeriesQuery, grid: Grid) -> dict[Labels, Floats]:
        """What a source must answer, computed sample by sample."""
        result: dict[Labels, Floats] = {}
        for (metric, labels), samples in self.samples.items():
            texts = dict(labels)
            wanted = all(match.predicate()(texts.get(match.label, "")) for match in query.selector.matchers)
            if metric != query.selector.metric or not wanted:
                continue
            row = np.full(grid.count, np.nan)
            for index in range(grid.count):
                after, until = (grid.start + index * grid.step) * 1000, (grid.start + (index + 1) * grid.step) * 1000
                found = np.array([value for time, value in samples if after < time <= until])
                if found.size:
                    row[index] = _REDUCE[query.reduction](found)
            if np.isnan(row).all():
                continue
            kept = tuple(pair for pair in labels if pair[0] not in query.sum_labels)
            if kept in result:
                both = np.isnan(result[kept]) & np.isnan(row)
                row = np.where(both, np.nan, np.nan_to_num(result[kept]) + np.nan_to_num(row))
            result[kept] = row
        return result


def counters() -> Recorded:
    """Three services with two routes each and codes 200 and 500: jittered scrapes, some exactly on the edges of
    buckets, a gap, a reset, a series that appears and one that vanishes; a histogram and a gauge with fractions."""
    chance = random.Random(7)
    history = Recorded()
    for service in ("api", "web", "db.x|y"):
        for route in ("/", "/list"):
            for code in ("200", "500"):
                times = list(_scrapes(chance, edges=service == "api"))
                if service == "web" and code == "500":
                    times = times[50:]
                if service == "db.x|y" and route == "/list":
                    times = times[:60]
                value, values = chance.randrange(1000), []
                for index in range(len(times)):
                    value = 0 if index == 70 else value + chance.randrange(30)
                    values.append(float(value))
                history.series(
                    "requests_total", times, values, service=service, route=route, code=code, team=service[:2]
                )
    for le in ("0.1", "1.0", "5.0", "+Inf"):
        times = list(_scrapes(chance))
        history.series("latency_bucket", times, [float(n) for n in range(len(times))], service="api", le=le)
    # One millisecond before, on, and after the edges of buckets.
    times = [(START + minute * 60) * 1000 + off for minute in range(40) for off in (-1, 0, 1)]
    history.series("edges", times, [float(2**index % 1009) for index in range(len(times))])
    times = list(_scrapes(chance))
    history.series("temperature", times, [chance.gauss(0, 1) * 10 ** chance.randrange(-8, 8) for _ in times])
    return history


def _scrapes(chance: random.Random, edges: bool = False) -> Iterator[int]:
    for index in range(160):
        if 80 <= index < 95:
            continue  # a gap of almost four minutes
        yield START * 1000 + index * 15_000 + (0 if edges else chance.randrange(1000))
