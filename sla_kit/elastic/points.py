"""Points in time: the state of an index that many searches see alike, opened before them and closed afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sla_kit.elastic.cluster import Cluster, ClusterError
from sla_kit.elastic.failures import types_of

#: How long a point in time is kept after its last use.
_KEPT = "5m"
#: Closing is a courtesy, and not waited for any longer.
_CLOSING_SECONDS = 5
#: What is said of a point in time that is gone: a node that held it went away, or it was not used for too long.
LOST = "search_context_missing_exception"


def open_point(cluster: Cluster, pattern: str, *, partly: bool = False, attempts: int | None = None) -> str:
    """The identity of a new point in time of an index expression; ``partly``: of the shards that are there, where
    others are away. Raises `ClusterError`."""
    options: dict[str, Any] = {"allow_partial_search_results": True} if partly else {}
    found = cluster.ask(
        f"open a point in time of {pattern}",
        lambda es: es.open_point_in_time(index=pattern, keep_alive=_KEPT, ignore_unavailable=True, **options),
        attempts=attempts,
    )
    return str(found["id"])


def close_point(cluster: Cluster, id: str) -> None:
    """Closes a point in time. It ends by itself after a while: what keeps it from being closed hides no answer."""
    with suppress(ClusterError):
        cluster.ask(
            "close a point in time",
            lambda es: es.options(request_timeout=_CLOSING_SECONDS).close_point_in_time(id=id),
            attempts=1,
        )


def at_point(body: Mapping[str, Any], id: str) -> dict[str, Any]:
    """A search that sees the state of a point in time, which is kept on by that."""
    return {**body, "pit": {"id": id, "keep_alive": _KEPT}}


def is_lost(failed: Any) -> bool:
    """Whether an error, or the failures of shards, say that the point in time is gone."""
    return LOST in types_of(failed)
