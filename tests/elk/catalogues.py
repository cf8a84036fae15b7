"""A catalogue whose logs are shipped, for one test's data stream."""

from __future__ import annotations

from sla_kit.catalogue import Catalogue, LogFields, Logs, Service
from sla_kit.catalogue.model import Server


def shop(
    stream: str = "", url: str = "", *, environment: str = "staging", fields: LogFields | None = None
) -> Catalogue:
    """Two services whose documents go to ``stream`` of the cluster at ``url``."""
    return Catalogue(
        name="shop",
        environment=environment,
        services=[Service(name="web"), Service(name="api")],
        sources=[Server(name="logs", url=f"elasticsearch+{url}")] if url else [],
        logs=Logs(stream=stream, fields=fields or LogFields()),
    )
