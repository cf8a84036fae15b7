"""Metrics as the text that a scrape answers with, in pieces that can be put together later.

prometheus-client's encoders write each family; a family's lines are told from its header, so that several collectors
can add to one family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

_END = b"# EOF\n"


class Format(Enum):
    """The forms of text that Prometheus reads."""

    #: Prometheus's text format 0.0.4.
    TEXT = "text"
    #: OpenMetrics 1.0.0.
    OPENMETRICS = "openmetrics"

    @property
    def content_type(self) -> str:
        """The value of the header Content-Type."""
        return str(CONTENT_TYPE_LATEST if self is Format.OPENMETRICS else CONTENT_TYPE_PLAIN_0_0_4)

    @property
    def end(self) -> bytes:
        """What ends a whole body."""
        return _END if self is Format.OPENMETRICS else b""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One family of one collector: its ``header`` (HELP, TYPE, UNIT) and the ``lines`` of its samples."""

    name: str
    header: bytes
    lines: bytes


def rendered(metric: Metric, form: Format) -> Chunk:
    """A family as text."""
    if form is Format.OPENMETRICS:
        text = bytes(generate_openmetrics(_One(metric))).removesuffix(_END)  # type: ignore[no-untyped-call]
    else:
        text = generate_latest(_One(metric))
    end = 0
    while text.startswith(b"# ", end):  # a label's line break is escaped: only headers begin so
        end = text.index(b"\n", end) + 1
    return Chunk(metric.name, text[:end], text[end:])


def joined(chunks: Iterable[Chunk]) -> bytes:
    """Chunks as one text, each family once with the lines of all; without the body's end."""
    families: dict[str, list[bytes]] = {}
    for chunk in chunks:
        families.setdefault(chunk.name, [chunk.header]).append(chunk.lines)
    return b"".join(piece for pieces in families.values() for piece in pieces)


@dataclass(frozen=True, slots=True)
class _One:
    """What the encoders ask of a registry."""

    metric: Metric

    def collect(self) -> Iterator[Metric]:
        yield self.metric
