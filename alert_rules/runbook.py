"""The text of an alert's runbook: the user's own page beside the catalogue, or the one that comes with the alert."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def source(area: str, alert: str, folder: str = "") -> str:
    """The Markdown of an alert's runbook without its title; empty where nobody wrote one.

    ``folder`` is the catalogue's: a page ``runbooks/<alert>.md`` there replaces ours.
    """
    own = Path(folder) / "runbooks" / f"{alert}.md"
    if folder and own.is_file():
        return own.read_text(encoding="utf-8")
    page = files("sla_kit.alert_rules") / "runbooks" / area / f"{alert}.md"
    return page.read_text(encoding="utf-8") if page.is_file() else ""
