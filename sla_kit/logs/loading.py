"""Files of log lines into an index: nothing lost, nothing twice, and every line accounted for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sla_kit.elastic import Cluster
from sla_kit.errors import SlaKitError
from sla_kit.logs import files as log_files
from sla_kit.logs.bulk import Bulk, Sender
from sla_kit.logs.dead_letters import DeadLetters, Refused
from sla_kit.logs.documents import Document
from sla_kit.logs.reading import Reading, Tally, Trouble, Unreadable, read
from sla_kit.logs.target import Create, prepare
from sla_kit.sources import Progress, no_progress

DEAD_LETTERS = Path("dead-letters.ndjson")
_TOLD_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of files: ``documents`` = ``loaded`` + ``already_there`` + ``dead`` + ``unsent``; the ``unreadable``
    lines went to the dead letters as well.

    ``lines`` counts lines as they stand in the files (of them ``blank``; ``damaged`` with bytes that were no UTF-8,
    which are replaced; ``cut`` too long or broken off); a trace has several and is one document. ``statuses`` and
    ``levels`` count documents, ``first_ms`` and ``last_ms`` are their times (milliseconds since the epoch, None without
    documents).
    ``troubles`` tells of files that could not be read to their end. ``interrupted`` is the place where reading was
    stopped (file:line), empty where all was read. ``seconds`` is how long it took.
    """

    documents: int
    loaded: int
    already_there: int
    dead: int
    unsent: int
    unreadable: int
    lines: int
    blank: int
    damaged: int
    cut: int
    statuses: dict[int, int]
    levels: dict[str, int]
    first_ms: int | None
    last_ms: int | None
    formats: dict[str, str]
    seconds: float
    requests: int = 0
    retried: int = 0
    bytes: int = 0
    dead_letters: Path | None = None
    troubles: tuple[Trouble, ...] = ()
    interrupted: str = ""

    @property
    def complete(self) -> bool:
        """Whether every line of every file is in the index."""
        return not (self.dead or self.unsent or self.unreadable or self.troubles or self.interrupted)


class LoadError(SlaKitError):
    """Loading ended early; ``loaded`` says how far it came. Loading the same files again goes on, as nothing is loaded
    twice."""

    def __init__(self, cause: SlaKitError, loaded: Loaded) -> None:
        super().__init__(cause.message, place=cause.place, remedy=cause.remedy)
        self.loaded = loaded


@dataclass(slots=True)
class _Count:
    documents: int = 0
    unreadable: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    first_ms: int | None = None
    last_ms: int | None = None
    troubles: list[Trouble] = field(default_factory=list)
    place: str = ""

    def add(self, document: Document) -> None:
        self.documents += 1
        self.place = f"{document.file}:{document.line}"
        if document.status:
            self.statuses[document.status] += 1
        if document.level:
            self.levels[document.level] += 1
        moment = document.time_ms
        if self.first_ms is None or moment < self.first_ms:
            self.first_ms = moment
        if self.last_ms is None or moment > self.last_ms:
            self.last_ms = moment


def load(
    files: Sequence[str | Path],
    cluster: Cluster,
    index: str,
    *,
    reading: Reading | None = None,
    bulk: Bulk | None = None,
    create: Create = "",
    dead_letters: Path = DEAD_LETTERS,
    progress: Progress = no_progress,
) -> Loaded:
    """Loads files (names, patterns, ``-`` for standard input) into an index or data stream of a cluster.

    Every document has an identity made from its line and its place in the file: loading a file again, under whatever
    name, adds only what is not there yet. Documents that the cluster refuses for good, and lines that can't be read,
    are appended to ``dead_letters``, a file that can be loaded like any other once it is mended. An interrupt (Ctrl+C)
    lets what is on its way arrive; a second one does not.

    Raises `LogFormatError` and `LogFileError` before anything is sent of a file whose format is unknown, `TargetError`
    for an index that is not there, and `LoadError` where the cluster or the file of dead letters takes no more.
    """
    reading, bulk = reading or Reading(), bulk or Bulk()
    names = log_files.expand([str(file) for file in files])
    if any(name != log_files.STDIN and Path(name).resolve() == dead_letters.resolve() for name in names):
        raise SlaKitError(
            "dead letters can't be loaded while new ones are written into the same file",
            place=str(dead_letters),
            remedy="rename it first, or name another file by --dead-letters",
        )
    stream = prepare(cluster, index, create, reading.labels.fields)
    reading = replace(reading, labels=replace(reading.labels, stream=stream))
    letters = DeadLetters(dead_letters)
    sender = Sender(cluster, index, letters, bulk)
    tally, count, begun = Tally(), _Count(), time.monotonic()
    interrupted, failure = "", None
    try:
        _feed(read(names, reading, tally), sender, letters, count, _Telling(progress, tally, log_files.sizes(names)))
    except KeyboardInterrupt:
        interrupted = count.place or "the first line"
    except SlaKitError as error:
        failure = error
    finally:
        _finish(sender)
    failure = failure or _as_ours(sender.failure)
    unsent, dead = sender.unsent, sender.dead
    if sender.not_sent and log_files.STDIN in names:
        # Standard input can't be read again.
        letters.refuse([Refused(document, 0, "it was not sent") for document in sender.not_sent])
        unsent, dead = 0, dead + len(sender.not_sent)
    letters.close()
    loaded = Loaded(
        count.documents, sender.loaded, sender.already_there, dead, unsent, count.unreadable,
        tally.lines, tally.blank, tally.damaged, tally.cut,
        dict(sorted(count.statuses.items())), dict(sorted(count.levels.items())), count.first_ms, count.last_ms,
        tally.formats, time.monotonic() - begun, sender.requests, sender.retried, sender.bytes,
        dead_letters if letters.written else None, tuple(count.troubles), interrupted,
    )  # fmt: skip
    if failure is not None:
        raise LoadError(failure, loaded) from failure
    return loaded


def survey(
    files: Sequence[str | Path], reading: Reading, shown: int = 0
) -> tuple[Loaded, list[Document], list[Unreadable]]:
    """What loading would do, without a cluster: the counts, and the first documents and unreadable lines."""
    tally, count, begun = Tally(), _Count(), time.monotonic()
    documents: list[Document] = []
    unreadable: list[Unreadable] = []
    for each in read(log_files.expand([str(file) for file in files]), reading, tally):
        if isinstance(each, Document):
            count.add(each)
            if len(documents) < shown:
                documents.append(each)
        elif isinstance(each, Unreadable):
            count.unreadable += 1
            if len(unreadable) < shown:
                unreadable.append(each)
        else:
            count.troubles.append(each)
    found = Loaded(
        count.documents, 0, 0, 0, count.documents, count.unreadable, tally.lines, tally.blank, tally.damaged, tally.cut,
        dict(sorted(count.statuses.items())), dict(sorted(count.levels.items())), count.first_ms, count.last_ms,
        tally.formats, time.monotonic() - begun, troubles=tuple(count.troubles),
    )  # fmt: skip
    return found, documents, unreadable


def _feed(
    found: Iterator[Document | Unreadable | Trouble],
    sender: Sender,
    letters: DeadLetters,
    count: _Count,
    telling: _Telling,
) -> None:
    for each in found:
        if isinstance(each, Document):
            sender.send(each)
            count.add(each)
        elif isinstance(each, Unreadable):
            letters.unread([each])
            count.unreadable += 1
        else:
            count.troubles.append(each)
        telling(count.documents)


def _finish(sender: Sender) -> None:
    try:
        sender.finish()
    except KeyboardInterrupt:
        sender.hurry()
        sender.finish()


def _as_ours(error: Exception | None) -> SlaKitError | None:
    if error is None or isinstance(error, SlaKitError):
        return error
    raise error


class _Telling:
    """Tells how far loading is, now and then: documents, of as many as the files' size lets expect."""

    def __init__(self, progress: Progress, tally: Tally, size: int) -> None:
        self._progress, self._tally, self._size = progress, tally, size
        self._begun = self._told = time.monotonic()

    def __call__(self, documents: int) -> None:
        now = time.monotonic()
        if now - self._told < _TOLD_EVERY_SECONDS:
            return
        self._told = now
        read = max(1, self._tally.characters)
        expected = max(documents, round(documents * self._size / read))
        self._progress(documents, expected, f"{documents / (now - self._begun):,.0f} documents/s")
