"""Figures from PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

from sla_kit.configuration.values import Duration
from sla_kit.exporters.business.sources import Source
from sla_kit.exporters.sidecar.secrets import Secret


class PostgresqlSource(Source, frozen=True, kw_only=True, tag="postgresql"):
    """A PostgreSQL database. ``url`` is libpq's (``postgresql://reader@host/shop?sslmode=verify-full``), without a
    password. A connection is kept from one run of a query to the next if that is due within ``keep``."""

    asked_by: ClassVar[str] = "sql"

    url: str
    password: Secret | None = None
    keep: Duration = 60.0
