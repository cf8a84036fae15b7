"""The exporters that run as sidecars, one module each, and `job`, which tells Prometheus of batch jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sla_kit.exporters.jobs import Job, Pushgateway, Run, Textfile, job

__all__ = ["Job", "Pushgateway", "Run", "Textfile", "job"]


def __getattr__(name: str) -> Any:
    """What is of jobs, imported when it is first asked for: sidecars do without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sla_kit.exporters import jobs

    return getattr(jobs, name)
