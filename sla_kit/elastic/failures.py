"""What failed in an answer: which share of the shards is missing from it, and what an error says at its root.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sla_kit.redacting import redacted

#: Statuses of what passes: a full queue, a proxy without a node behind it, a cluster that elects its master, a shard
#: that moves.
PASSING = (429, 502, 503, 504)


def share_of(
    shards: Mapping[str, Any], clusters: Mapping[str, Any], failures: Sequence[Mapping[str, Any]]
) -> tuple[float, str]:
    """The share of shards that answered, and why the others did not."""
    total, successful = int(shards.get("total", 0)), int(shards.get("successful", 0))
    missing = max(int(shards.get("failed", 0)), total - successful)
    of_clusters, skipped = int(clusters.get("total", 0)), int(clusters.get("skipped", 0))
    skipped = max(skipped, int(clusters.get("partial", 0)))
    share, reasons = 1.0, []
    if total and missing:
        share = (total - missing) / total
        reasons.append(f"{missing} of {total} shards did not answer")
        reasons += _by_shards(failures[:3])
    if of_clusters and skipped:
        share *= (of_clusters - skipped) / of_clusters
        reasons.append(f"{skipped} of {of_clusters} clusters did not answer fully")
    return share, "; ".join(reason for reason in reasons if reason)


def types_of(error: Any) -> Iterator[str]:
    """Every type of error that is named in one."""
    if isinstance(error, Mapping):
        if isinstance(error.get("type"), str):
            yield error["type"]
        for part in error.values():
            yield from types_of(part)
    elif isinstance(error, list):
        for part in error:
            yield from types_of(part)


def reason_of(error: Any) -> str:
    """What an error says at its root, in one line and without secrets."""
    deepest, at = "", error
    while isinstance(at, Mapping):
        if isinstance(at.get("reason"), str):
            deepest = at["reason"] if not deepest or at.get("type") != "search_phase_execution_exception" else deepest
        shards = at.get("failed_shards")
        inner = at.get("caused_by") if isinstance(at.get("caused_by"), Mapping) else at.get("reason")
        at = shards[0] if isinstance(shards, list) and shards else inner
    named = ", ".join(dict.fromkeys(types_of(error)))
    if not deepest and named and isinstance(error, Mapping) and isinstance(error.get("index"), str):
        named = f"{error['index']}: {named}"
    text = redacted(" ".join((deepest or named or str(error)).split()))  # first: half a secret is not known as one
    return text if len(text) <= 200 else text[:190] + "…"


def _by_shards(failures: Sequence[Mapping[str, Any]]) -> list[str]:
    """What failed, each once, with the index where it did first."""
    found: dict[str, str] = {}
    for each in failures:
        found.setdefault(reason_of(each), str(each.get("index") or ""))
    return [f"{index}: {reason}" if index and index not in reason else reason for reason, index in found.items()]
