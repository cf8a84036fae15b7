"""Whether answers to searches are what an Elasticsearch says: what is not one is an error, and not taken for no
documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sla_kit.elastic.cluster import ClusterError

Answer = dict[str, Any]


def responses(answer: object, count: int, place: str) -> list[Answer]:
    """The answers to ``count`` searches that were asked in one request, each an error or with what its shards say.
    Raises `ClusterError`."""
    found = answer.get("responses") if isinstance(answer, Mapping) else None
    if not isinstance(found, list) or len(found) != count or not all(_is_answer(each) for each in found):
        raise no_answer(place)
    return found


def sound(value: object) -> bool:
    """Whether aggregations are of the shape that they must have, with counts that can be some."""
    if not isinstance(value, Mapping):
        return True
    buckets = value.get("buckets", ())
    if not isinstance(buckets, list | tuple | Mapping) or not _is_count(value.get("doc_count", 0)):
        return False
    inner = list(buckets.values() if isinstance(buckets, Mapping) else buckets)
    return all(isinstance(each, Mapping) and sound(each) for each in inner) and all(
        sound(each) for name, each in value.items() if name not in ("buckets", "key", "after_key")
    )


def no_answer(place: str) -> ClusterError:
    """What is told of an answer that is none."""
    return ClusterError(
        "the answer to a search is none",
        place=place,
        remedy="check that the address is an Elasticsearch's, and what stands before it",
    )


def _is_answer(found: object) -> bool:
    if not isinstance(found, Mapping) or not _is_count(found.get("status", 200)):
        return False
    if found.get("error") is not None:
        return isinstance(found["error"], Mapping | str)
    shards, clusters = found.get("_shards"), found.get("_clusters", {})
    if not isinstance(shards, Mapping) or not isinstance(clusters, Mapping):
        return False
    failures = shards.get("failures", [])
    return (
        all(_is_count(shards.get(name, 0)) for name in ("total", "successful", "failed"))
        and all(_is_count(clusters.get(name, 0)) for name in ("total", "skipped", "partial", "failed"))
        and isinstance(failures, list)
        and all(isinstance(each, Mapping) for each in failures)
        and isinstance(found.get("pit_id", ""), str)
        and isinstance(found.get("aggregations", {}), Mapping)
        and _are_hits(found.get("hits", {}))
    )


def _are_hits(found: object) -> bool:
    if not isinstance(found, Mapping):
        return False
    total, hits = found.get("total", {}), found.get("hits", [])
    return (
        isinstance(total, Mapping)
        and _is_count(total.get("value", 0))
        and isinstance(hits, list)
        and all(isinstance(each, Mapping) and isinstance(each.get("fields", {}), Mapping) for each in hits)
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
