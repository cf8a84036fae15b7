"""Figures from an SQLite file."""

from __future__ import annotations

from typing import ClassVar

from sla_kit.exporters.business.sources import Source


class SqliteSource(Source, frozen=True, kw_only=True, tag="sqlite"):
    """An SQLite database in a ``file``, relative to the configuration's folder."""

    asked_by: ClassVar[str] = "sql"

    file: str
