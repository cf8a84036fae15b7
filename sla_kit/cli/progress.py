"""A progress bar on standard error, for people only: silent where that is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sla_kit.sources import Progress as Report

#: Work that is over sooner than this needs no bar.
_PATIENCE_SECONDS = 0.5


@contextmanager
def progress_bar(title: str, console: Console | None = None) -> Iterator[Report]:
    """A function to call with (done, of all, what); it draws a bar while the block runs."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, what: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task(title, total=None)
    begun = time.monotonic()
    started = False

    def report(done: int, total: int, what: str) -> None:
        nonlocal started
        if not started and time.monotonic() - begun > _PATIENCE_SECONDS:
            bar.start()
            started = True
        bar.update(task, completed=done, total=total, description=f"{title}: {what}" if what else title)

    try:
        yield report
    finally:
        if started:
            bar.stop()


@contextmanager
def working(title: str, console: Console | None = None) -> Iterator[None]:
    """A spinner with a title while a block runs of which nobody knows how far it is."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(title):
        yield
