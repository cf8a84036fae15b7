"""From a catalogue's dashboards and a history to pages and pictures in a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sla_kit.backtest.evaluators import EngineName
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.rendering import Rendering
from sla_kit.engine.windows import parse_period
from sla_kit.errors import SlaKitError
from sla_kit.generate.plan import rule_files
from sla_kit.history import read
from sla_kit.preview.answers import asking
from sla_kit.preview.filling import Range
from sla_kit.preview.logs import LogServer
from sla_kit.preview.page import height_of, html
from sla_kit.preview.panels import WIDTH
from sla_kit.preview.screenshot import BrowserError, take
from sla_kit.sources import Progress, no_progress

#: What is shown where neither people nor the dashboard say it.
_WINDOW = "6h"


@dataclass(frozen=True, slots=True)
class Settings:
    """How previews are made. ``window`` "" is what each dashboard shows at first, ``at`` (epoch seconds) the end of
    what is shown, ``scrape_interval`` in seconds (None: the recording's own, or the catalogue's). ``chosen`` are values
    of variables. ``logs`` is the address of the Elasticsearch that panels of logs ask, "" leaves them out. ``picture``
    takes one of each page, by ``browser``."""

    window: str = ""
    at: float | None = None
    scrape_interval: int | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    engine: EngineName = "auto"
    prometheus: str = ""
    logs: str = ""
    picture: bool = True
    browser: str = ""


@dataclass(frozen=True, slots=True)
class Previewed:
    """One dashboard's files, and its panels without data: their titles, each with why, where that is known."""

    name: str
    files: tuple[Path, ...]
    empty: tuple[tuple[str, str], ...]


def preview(
    catalogue: Catalogue,
    source: str,
    names: Sequence[str],
    out: Path,
    *,
    settings: Settings | None = None,
    state: Path | None = None,
    progress: Progress = no_progress,
) -> Iterator[Previewed]:
    """Draws dashboards (all of them where there are no ``names``; a name may also be the path of a dashboard's JSON)
    from what their queries give at ``source``, into ``out``: ``<name>.html`` and ``<name>.png``. Raises `SlaKitError`,
    where no picture can be taken once all pages are written."""
    settings = settings or Settings()
    logs = LogServer(settings.logs) if settings.logs else None
    documents = documents_of(catalogue, names)
    live = source.startswith(("http://", "https://"))
    end = _end(source, live, settings)
    interval = settings.scrape_interval or (
        round(catalogue.monitoring.scrape_interval) if live else _spacing(source) or 60
    )
    out.mkdir(parents=True, exist_ok=True)
    shown = [(name, document, _range(document, settings, end, interval, catalogue)) for name, document in documents]
    untaken: BrowserError | None = None
    for window in dict.fromkeys(each for _, _, each in shown):
        group = [(name, document) for name, document, each in shown if each == window]
        with asking(
            source,
            [document for _, document in group],
            window,
            () if live else rule_files(catalogue, end),
            chosen=settings.chosen,
            engine=settings.engine,
            prometheus=settings.prometheus,
            interval=round(catalogue.monitoring.evaluation_interval),
            state=state or out / ".state",
            logs=logs.answered if logs else None,
            progress=progress,
        ) as pages:
            for (name, _), page in zip(group, pages, strict=True):
                made, picture = [out / f"{name}.html"], out / f"{name}.png"
                made[0].write_text(html(page, _plain(source), catalogue.timezone), encoding="utf-8")
                picture.unlink(missing_ok=True)  # one of an earlier page would show what is no more
                if settings.picture and untaken is None:
                    try:
                        take(made[0], picture, WIDTH, height_of(page.document), settings.browser)
                        made.append(picture)
                    except BrowserError as error:
                        untaken = error
                yield Previewed(name, tuple(made), tuple(page.empty()))
    if logs:
        logs.close()
    if untaken:
        raise untaken


def documents_of(catalogue: Catalogue, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """The documents of some dashboards by their names. Raises `SlaKitError` for a name that there is not."""
    rendering = Rendering.of(catalogue)
    known = {each.name: each for each in dashboards_of(catalogue)}
    found: list[tuple[str, dict[str, Any]]] = []
    for name in names or known:
        if name in known:
            found.append((name, rendering.document(known[name])))
        elif name.endswith(".json"):
            found.append((Path(name).stem, _document(Path(name))))
        else:
            raise SlaKitError(f"there is no dashboard {name!r}", remedy=f"there are {', '.join(known)}")
    return found


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SlaKitError(
            f"the dashboard can't be read: {error}", place=str(path), remedy="give the JSON of a dashboard"
        ) from error
    document = document.get("dashboard", document) if isinstance(document, dict) else {}  # as Grafana's API wraps it
    if not isinstance(document, dict) or not isinstance(document.get("panels"), list):
        raise SlaKitError(
            "this is no dashboard: it has no panels",
            place=str(path),
            remedy="export it from Grafana as JSON of the classic model",
        )
    for number, panel in enumerate(document["panels"], 1):
        where = panel.get("gridPos") if isinstance(panel, dict) else None
        if not isinstance(where, dict) or not all(isinstance(where.get(key), int) for key in "xywh"):
            raise SlaKitError(
                f"panel {number} of the dashboard has no place",
                place=str(path),
                remedy="give it a gridPos of x, y, w, h",
            )
    return {"title": path.stem, **document}


def _range(document: Mapping[str, Any], settings: Settings, end: float, interval: int, catalogue: Catalogue) -> Range:
    window = settings.window or str(document.get("time", {}).get("from", "")).removeprefix("now-")
    try:
        period = parse_period(window, int(end), catalogue.timezone)
    except SlaKitError:
        if settings.window:
            raise
        # What Grafana shows at first need be no length of time before now.
        period = parse_period(_WINDOW, int(end), catalogue.timezone)
    return Range(period.start, period.end, scrape_interval=interval)


def _end(source: str, live: bool, settings: Settings) -> float:
    if settings.at is not None:
        return settings.at
    if live:
        return time.time()
    span = read(Path(source.removeprefix("file://"))).span()
    if span is None:
        raise SlaKitError("the recording is empty", place=source, remedy="give another --source")
    return -(-span[1] // 1000)


def _spacing(source: str) -> int:
    """The seconds between two samples of a recording, as its longest series has them in the middle; 0 where none has
    two."""
    history = read(Path(source.removeprefix("file://")))
    span = history.span()
    if span is None:
        return 0
    for one in history.load([0], span):
        if one.times.size > 1:
            return max(1, round(float(np.median(np.diff(one.times))) / 1000))
    return 0


def _plain(source: str) -> str:
    """The source as it may be shown: an address without what may be secret in it, a recording by its name."""
    if "://" not in source:
        return Path(source).resolve().name
    scheme, _, rest = source.partition("://")
    if scheme == "file":
        return Path(rest).name
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
