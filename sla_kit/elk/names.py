"""What a catalogue's objects are called in the cluster, and how long its documents are kept."""

from __future__ import annotations

import re

from sla_kit.catalogue.model import Catalogue

#: The environment of a catalogue that names none: Elastic's name for it.
DEFAULT_ENVIRONMENT = "default"


def stream_name(catalogue: Catalogue) -> str:
    """The data stream that shippers write to: ``logs.stream``, or ``logs-<catalogue>-<environment>``.

    Elastic's scheme of names has no hyphen within its parts, and no capitals
    (elastic.co/docs/reference/fleet/data-streams).
    """
    return catalogue.logs.stream or f"logs-{dataset(catalogue)}-{namespace(catalogue)}"


def dataset(catalogue: Catalogue) -> str:
    """The middle part of the data stream's name: ``data_stream.dataset`` and ``event.dataset`` of its documents."""
    parts = catalogue.logs.stream.split("-", 2)
    return parts[1] if len(parts) == 3 else _part(catalogue.name) or "sla_kit"


def namespace(catalogue: Catalogue) -> str:
    """The last part of the data stream's name: ``data_stream.namespace``."""
    parts = catalogue.logs.stream.split("-", 2)
    return parts[2] if len(parts) == 3 else _part(environment(catalogue))


def environment(catalogue: Catalogue) -> str:
    """``service.environment`` of the documents."""
    return catalogue.environment or DEFAULT_ENVIRONMENT


def retention_seconds(catalogue: Catalogue) -> float:
    """How long documents of this environment are kept: where ``logs.retention`` does not name it, as long as those of
    the environment that keeps them longest. 30 days where it names none at all."""
    kept = catalogue.logs.retention
    return kept.get(catalogue.environment) or max(kept.values(), default=30 * 86400.0)


def time_units(seconds: float) -> str:
    """A length of time as Elasticsearch writes it, in the largest unit that fits: "30d", "36h", "90s"."""
    whole = max(1, round(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _part(text: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "_", text.lower()).strip("_.")
