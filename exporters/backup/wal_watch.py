"""How old the oldest change is that PostgreSQL has written and not yet archived."""

from __future__ import annotations

from dataclasses import dataclass, field

#: At a segment's beginning stand its header (40 bytes at most) and, once it was switched to, records that keep no
#: change of anyone's: a quiet server's log ends within these many bytes.
_HEADER = 40
#: How long after `archive_timeout` the server may need to switch: it looks when its checkpointer wakes up.
_SLACK_SECONDS = 120.0
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Moment:
    """The server's log at one time (Unix time of the server): how far it is written, and what had been done.

    ``done`` is one more than the newest transaction that had ended, and ``idle`` whether none before it was running.
    """

    time: float
    written: int
    done: int
    idle: bool


@dataclass(frozen=True, slots=True)
class Archived:
    """How far the archive goes: the first byte that is not in it, and a time at which that was so.

    ``timeout_seconds`` is the server's `archive_timeout`, 0 where it has none; ``size`` that of its segments in bytes.
    """

    end: int
    time: float
    timeout_seconds: float
    size: int


@dataclass(slots=True)
class Watch:
    """Remembers how far the log was written, to know since when what is not archived has been there."""

    _seen: list[Moment] = field(default_factory=list)

    def gap_seconds(self, now: Moment, archived: Archived) -> float:
        """Seconds since which there have been changes that a restore from the archive would lose; 0 without any.

        Where nobody watched when the log went past the archive's end, it counts from when that was archived, or from
        what was seen first, whichever is earlier. What the server itself did not find worth archiving is no change;
        a change may be taken for that until the server switches, which it does within its `archive_timeout`.
        """
        if self._seen and (now.written < self._seen[-1].written or now.time < self._seen[-1].time):
            self._seen.clear()  # another server, or one that was restored to an earlier state
        self._remember(now)
        before = self._forget(archived.end)
        if now.written <= archived.end + _HEADER:
            return 0.0
        if before is not None and before.idle and before.done == now.done and not _whole(now, archived):
            return 0.0
        since = archived.time if before is None else before.time
        if before is None and self._seen:
            since = min(since, self._seen[0].time)
        if _only_noise(now, archived, since):
            return 0.0
        return max(0.0, now.time - since)

    def _remember(self, now: Moment) -> None:
        if len(self._seen) > 1 and self._seen[-1].written == now.written:
            self._seen[-1] = now
        else:
            self._seen.append(now)
        if len(self._seen) > _MOST:
            self._seen[1:-1] = self._seen[1:-1:2]

    def _forget(self, end: int) -> Moment | None:
        """The last moment at which nothing beyond ``end`` was written, if one was seen; forgets those before it."""
        at = -1
        while at + 1 < len(self._seen) and self._seen[at + 1].written <= end + _HEADER:
            at += 1
        if at < 0:
            return None
        del self._seen[:at]
        return self._seen[0]


def _whole(now: Moment, archived: Archived) -> bool:
    """Whether a whole segment waits: it counts as a change whatever is in it, since the archiver should take it."""
    return now.written >= archived.end + archived.size


def _only_noise(now: Moment, archived: Archived, since: float) -> bool:
    """Whether the server itself has found nothing worth archiving: it switches after `archive_timeout` if there is."""
    if not archived.timeout_seconds or _whole(now, archived):
        return False
    return now.time - since > archived.timeout_seconds + _SLACK_SECONDS
