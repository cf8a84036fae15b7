"""A graph as PNG. matplotlib takes a hundred megabytes and a second to load, so it is drawn in a process of its own,
``python -m sla_kit.routing.context.drawing``: a `Graph` as JSON on standard input, the picture on standard output."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC

import msgspec
from msgspec import Struct

from sla_kit.errors import SlaKitError
from sla_kit.routing.context.asking import Series

_SECONDS = 25.0
_COLOURS = ("#1f6feb", "#b35900", "#1a7f37", "#8250df", "#0598bc", "#bf3989", "#57606a", "#9a6700")
_LIMIT, _SHADE = "#cf222e", "#ffebe9"


class Graph(Struct, frozen=True, kw_only=True):
    """What the picture shows: series over the time from ``start`` to ``end`` (epoch seconds), a ``limit``, and since
    when the alert fires."""

    title: str
    series: list[Series]
    start: float
    end: float
    limit: float | None = None
    since: float | None = None


def draw(graph: Graph) -> bytes:
    """The picture, 1,200 by 450 pixels. Raises `SlaKitError` where it can't be drawn, or not in time."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "sla_kit.routing.context.drawing"],
            input=msgspec.json.encode(graph),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlaKitError(f"a graph could not be drawn: {type(error).__name__}") from None
    if done.returncode or not done.stdout.startswith(b"\x89PNG"):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["nothing was drawn"]
        raise SlaKitError(f"a graph could not be drawn: {said[0][:300]}", remedy="pip install 'sla-kit[report]'")
    return done.stdout


def _drawn(graph: Graph) -> bytes:
    import io

    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.dates as dates
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for number, each in enumerate(graph.series):
        times = [_day(at) for at in each.times]
        axes.plot(
            times, each.values, color=_COLOURS[number % len(_COLOURS)], linewidth=1.6, label=_name(each, graph.series)
        )
    if graph.limit is not None:
        axes.axhline(graph.limit, color=_LIMIT, linewidth=1.2, linestyle="--", label=f"limit {graph.limit:g}")
    if graph.since is not None:
        axes.axvspan(_day(max(graph.since, graph.start)), _day(graph.end), color=_SHADE, zorder=0)
    axes.set_xlim(_day(graph.start), _day(graph.end))
    if all(value >= 0 for each in graph.series for value in each.values):
        axes.set_ylim(bottom=0)
    locator = dates.AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    axes.set_title(_plain(graph.title)[:110], fontsize=10, loc="left", parse_math=False)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if 1 < len(graph.series) + (graph.limit is not None) <= 9:
        for text in axes.legend(fontsize=7, frameon=False, loc="upper left").get_texts():
            text.set_parse_math(False)
    found = io.BytesIO()
    figure.savefig(found, format="png", metadata={"Software": None})
    return found.getvalue()


def _day(at: float) -> float:
    """A moment as matplotlib counts: in days since 1970."""
    return at / 86_400


def _name(series: Series, every: list[Series]) -> str:
    """What tells a series from the others."""
    differing = {
        name: value
        for name, value in series.labels.items()
        if name != "__name__" and any(other.labels.get(name) != value for other in every)
    }
    text = ", ".join(f"{name}={value}" for name, value in sorted(differing.items())) or series.labels.get(
        "__name__", ""
    )
    # A legend leaves out what begins with an underscore.
    return (_plain(text)[:60] or "measured").lstrip("_") or "measured"


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


if __name__ == "__main__":
    sys.stdout.buffer.write(_drawn(msgspec.json.decode(sys.stdin.buffer.read(), type=Graph)))
