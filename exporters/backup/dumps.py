"""The collector of one target whose backups are files or folders, in one place or in several."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client.metrics_core import Metric

from sla_kit.exporters.backup.configuration import Dumps
from sla_kit.exporters.backup.contents import HEAD_BYTES, WholeReading
from sla_kit.exporters.backup.judging import CLOCK_SECONDS, STATES, Backup, State, judge
from sla_kit.exporters.backup.metrics import PlaceSeen, dump_metrics
from sla_kit.exporters.backup.naming import Pattern, zone_of
from sla_kit.exporters.backup.reading import WholeReader, agreement, declare, look_into
from sla_kit.exporters.backup.remembering import Memory, Read
from sla_kit.exporters.backup.store import BackupStore
from sla_kit.exporters.backup.surveying import OTHERS, Candidate, Survey, survey
from sla_kit.exporters.sidecar.collector import CollectError, Schedule

_log = logging.getLogger(__name__)
#: Which share of the time that is left is spent on looking into backups; listing may take all of it, and publishing
#: needs some.
_LOOKING_SHARE = 0.7
#: What is left of the time for publishing what was found.
_PUBLISHING_SECONDS = 0.2
#: By which share of its time, and by how many seconds at most, a place gives up sooner than it is given up: what takes
#: too long can then say so itself, and is not taken for what hangs.
_SOONER_SHARE, _SOONER_SECONDS = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class DumpsPlace:
    """A place of a target: its region, its store, and whether files appear in it only once they are whole."""

    region: str
    store: BackupStore
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class DumpsCollector:
    """Looks at all places of a target. Equal to another one that was told the same."""

    name: str
    schedule: Schedule
    target: str
    dumps: Dumps
    root: str
    places: Sequence[DumpsPlace] = field(compare=False, repr=False)
    memory: Memory = field(compare=False, repr=False)
    _watched: list[_Watched] = field(default_factory=list, compare=False, repr=False)

    def collect(self, deadline: float) -> Iterable[Metric]:
        """What there is of the target's backups. A place that can't be read takes nothing from the others; raises
        `CollectError` where none can be read."""
        if not self._watched:
            self._watched.extend(_Watched(place, self.dumps, self.target, self.memory) for place in self.places)
        for each in self._watched:
            each.begin(deadline)
        for each in self._watched:
            each.wait(deadline)
        seen = {each.place.region: each.seen for each in self._watched if each.seen is not None}
        errors = {each.place.region: each.error for each in self._watched if each.error is not None}
        if not seen:
            raise next(iter(errors.values()))
        judgement = judge(
            {region: each.backups for region, each in seen.items()},
            now=time.time(),
            every_seconds=self.dumps.every,
            history=self.dumps.history,
            gaps_seconds=self.dumps.gaps_over,
            zone=zone_of(self.dumps.timezone),
            several=len(self.places) > 1,
        )
        return dump_metrics(self.dumps.kind, self.target, judgement, seen, [each.region for each in self.places])

    def close(self) -> None:
        """Lets go of the places' connections."""
        for place in self.places:
            place.store.close()


class _Watched:
    """A place over the runs: each run in a thread of its own, so that one that hangs holds up no other place."""

    def __init__(self, place: DumpsPlace, dumps: Dumps, target: str, memory: Memory) -> None:
        self.place = place
        self.seen: PlaceSeen | None = None
        self.error: CollectError | None = None
        self._dumps = dumps
        self._pattern = Pattern(dumps.pattern, target, zone_of(dumps.timezone))
        self._memory = memory
        self._section = f"{dumps.kind}/{target} {place.region} {place.store.place}"
        self._reader = WholeReader()
        self._marks: dict[str, str] = {}
        self._told = ""
        self._looked = 0.0
        self._said = ""
        self._thread: threading.Thread | None = None
        self._found: tuple[PlaceSeen | None, CollectError | None] = (None, None)

    def begin(self, deadline: float) -> None:
        """Starts looking, unless the last look has not come back yet."""
        self.seen = self.error = None
        if self._thread is None or not self._thread.is_alive():
            self._found = (None, None)
            left = deadline - _PUBLISHING_SECONDS - time.monotonic()
            until = time.monotonic() + left - min(_SOONER_SECONDS, _SOONER_SHARE * left)
            self._thread = threading.Thread(target=self._run, args=(until,), name=f"place-{self.place.region}")
            self._thread.daemon = True  # what hangs in a dead mount can't be ended, and must not keep the process
            self._thread.start()

    def wait(self, deadline: float) -> None:
        """Waits for what was begun, no longer than until shortly before the ``deadline``."""
        thread = self._thread
        if thread is None:
            return
        thread.join(max(0.0, deadline - time.monotonic() - _PUBLISHING_SECONDS))
        if thread.is_alive():
            self.error = CollectError(
                "timeout",
                "the place does not answer",
                place=self.place.store.place,
                remedy="is the volume or the network there? Set a longer timeout if it is only slow",
            )
        else:
            self.seen, self.error = self._found
        self._tell()

    def _run(self, deadline: float) -> None:
        try:
            self._found = (self._look(deadline), None)
        except CollectError as error:
            self._found = (None, error)
        except Exception as error:  # a mistake of ours in one place takes nothing from the others either
            _log.exception("looking at a place failed", extra={"place": self.place.store.place})
            self._found = (None, CollectError("internal", type(error).__name__, place=self.place.store.place))

    def _tell(self) -> None:
        said = str(self.error) if self.error else ""
        if said != self._said:
            extra = {"place": self.place.store.place, "region": self.place.region}
            if self.error:
                _log.warning("a place with backups can't be read: %s", self.error.message, extra=extra)
            else:
                _log.info("a place with backups can be read again", extra=extra)
        self._said = said

    def _look(self, deadline: float) -> PlaceSeen:
        store, dumps = self.place.store, self._dumps
        found = survey(store, self._pattern, dumps.examined, deadline, complete=dumps.complete)
        now = time.time()
        left = deadline - time.monotonic()
        until = time.monotonic() + left * _LOOKING_SHARE
        before = self._memory.of(self._section)
        known: dict[str, Read] = {}
        states: dict[str, State] = {}
        try:
            unreadable = self._look_into(found, known, states, before, now, until, deadline)
            self._read_whole(found, known, states, until, deadline)
        finally:  # what is known by now is known, though the rest could not be asked for
            self._memory.keep(self._section, known)
        self._marks = {each.name: each.mark for each in found.candidates}
        self._looked = now
        backups = [self._backup(each, states[each.name], known.get(each.name)) for each in found.candidates]
        if unreadable is not None and not known:
            raise unreadable
        counts: dict[str, int] = dict.fromkeys([*STATES, *OTHERS], 0)
        for backup in backups:
            counts[backup.state] += 1
        counts["unexamined"] += found.older
        for other, count in found.others.items():
            counts[other] += count
        return PlaceSeen(backups, counts)

    def _look_into(
        self,
        found: Survey,
        known: dict[str, Read],
        states: dict[str, State],
        before: Mapping[str, Read],
        now: float,
        until: float,
        deadline: float,
    ) -> CollectError | None:
        """Fills in what is ``known`` of each, newest first, and its state before it is known.

        Returns why one of them could not be read, if that was for want of rights.
        """
        store = self.place.store
        unreadable: CollectError | None = None
        failures: list[tuple[Candidate, CollectError]] = []
        for candidate in found.candidates:
            states[candidate.name], read = self._early(candidate, now), before.get(candidate.name)
            if states[candidate.name] in ("empty", "writing"):
                continue
            if read is None or read.mark != candidate.mark:
                read = None
                if time.monotonic() < until:
                    try:
                        read = look_into(store, candidate, deadline)
                    except CollectError as error:
                        if error.kind not in ("data", "auth"):
                            raise
                        unreadable = unreadable or (error if error.kind == "auth" else None)
                        failures.append((candidate, error))
            if read is not None:
                known[candidate.name] = read
        self._tell_of(failures)
        return unreadable

    def _tell_of(self, failures: Sequence[tuple[Candidate, CollectError]]) -> None:
        """Says why backups can't be looked at, by the newest one of them; once, as long as that stays the same."""
        said = f"{failures[0][0].name} {failures[0][1].message}" if failures else ""
        if said and said != self._told:
            candidate, error = failures[0]
            why = f"{error.message} ({error.remedy})" if error.remedy else error.message
            place = {"place": self.place.store.place, "region": self.place.region}
            extra = {**place, "backup": candidate.name, "of": len(failures)}
            _log.warning("a backup can't be looked at and does not count: %s", why, extra=extra)
        self._told = said

    def _early(self, candidate: Candidate, now: float) -> State:
        """What is known of a backup before it is looked at."""
        if candidate.time > now + CLOCK_SECONDS:
            return "future"
        age = now - candidate.modified
        if candidate.writing or (not self.place.atomic and age + CLOCK_SECONDS >= 0 and age < self._dumps.settle):
            return "writing"
        mark = self._marks.get(candidate.name, candidate.mark)
        # Whoever changes it has a clock, or a way to write, that does not show in the time of the last change.
        if mark != candidate.mark and candidate.modified < self._looked - self._dumps.settle:
            return "writing"
        return "usable" if candidate.size_bytes else "empty"

    def _read_whole(
        self, found: Survey, known: dict[str, Read], states: Mapping[str, State], until: float, deadline: float
    ) -> None:
        """Reads whole what has to be, newest first, as far as this run's share goes; changes ``known``."""
        which, budget = self._dumps.read.which, self._dumps.read.bytes_per_run
        if which == "never":
            return
        for candidate in found.candidates:
            read = known.get(candidate.name)
            if read is None or states[candidate.name] == "future" or time.monotonic() >= until:
                continue
            try:
                read = declare(self.place.store, candidate, read, found, deadline, weak=which == "always")
                known[candidate.name] = read
                undone = agreement(read) is None and bool(read.declared)
                unsure = which == "always" or (which == "auto" and self._unsure(candidate, read))
                if budget <= 0 or not (undone or (unsure and not read.whole)):
                    continue
                whole, used = self._reader.read_on(self.place.store, candidate, read, budget, until, deadline)
                budget -= used
                if whole is None:
                    budget = 0
                else:
                    known[candidate.name] = whole
            except CollectError as error:
                if error.kind not in ("data", "auth"):
                    raise
                _log.warning("a backup can't be read whole: %s", error, extra={"backup": candidate.name})

    def _unsure(self, candidate: Candidate, read: Read) -> bool:
        """Whether reading it whole, which is no more than work here, would tell whether it is."""
        if self.place.atomic or (candidate.size_bytes <= HEAD_BYTES and not candidate.folder):
            return False
        return candidate.folder or WholeReading(read.contents).tells

    def _backup(self, candidate: Candidate, state: State, read: Read | None) -> Backup:
        told = Backup(candidate.name, candidate.key, candidate.time, candidate.size_bytes, state, since=candidate.since)
        if read is None:
            return told if state != "usable" else replace(told, state="unexamined")
        agreed = agreement(read)
        if state == "usable":
            state = self._state(candidate, read, agreed)
        sealed: bool | None = read.contents.encryption != "none" or bool(read.encryption)
        return replace(
            told,
            state=state,
            contents=read.contents,
            encrypted=sealed,
            key_id=read.key,
            verified=agreed is True,
            finding=read.contents.finding,
        )

    def _state(self, candidate: Candidate, read: Read, agreed: bool | None) -> State:
        if read.missing or not candidate.done:
            return "incomplete"
        if read.contents.ending == "truncated":
            return "truncated"
        if agreed is False:
            return "mismatch"
        return "usable" if read.contents.recognized or self._dumps.accept_unknown else "unrecognized"
