"""How much is asked of a cluster at once, and how long is waited before it is asked again."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch

from sla_kit.elastic.failures import types_of

#: Searches that the cluster works at for us at the same time.
CONCURRENT = 4
#: A search that the cluster had no room for is asked so often: for about a minute.
TRIES_FULL = 12
_LONGEST_PAUSE_SECONDS = 10.0


@dataclass(slots=True)
class Pace:
    """How much is asked for at once: one shard of one search from when on the cluster has refused for want of room.
    Asked as before it would refuse again, for it may be these very searches that fill its queue."""

    full: bool = False

    def msearch(self, es: Elasticsearch, searches: Sequence[Mapping[str, Any]], **options: Any) -> Any:
        """Many searches in one request."""
        try:
            return es.msearch(
                searches=searches,
                max_concurrent_searches=1 if self.full else CONCURRENT,
                max_concurrent_shard_requests=1 if self.full else None,
                **options,
            )
        except ApiError as error:
            self.full |= error.meta.status == 429  # the same request is asked again
            raise

    def refused(self, answer: Mapping[str, Any]) -> bool:
        """Whether a node had no room for a search, or for a part of it; from then on less is asked at once."""
        error = answer.get("error")
        full = bool(error) and int(answer.get("status") or 0) == 429
        failed = [error, (answer.get("_shards") or {}).get("failures")]
        full = full or any("rejected" in one for one in types_of(failed))
        self.full |= full
        return full


def pause_seconds(tries: int) -> float:
    """How long to wait after so many tries in vain, the longer the more of them; by chance, so that several that were
    refused together do not come back together."""
    return min(0.25 * 2.0**tries, _LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311
