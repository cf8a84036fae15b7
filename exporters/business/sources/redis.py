"""Figures from Redis."""

from __future__ import annotations

from typing import ClassVar

from sla_kit.configuration.values import Value
from sla_kit.exporters.business.sources import Source


class RedisQuestion(Value, frozen=True, kw_only=True):
    """What a query asks of Redis."""


class RedisSource(Source, frozen=True, kw_only=True, tag="redis"):
    """A Redis that is asked."""

    asked_by: ClassVar[str] = "redis"
