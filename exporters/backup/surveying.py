"""Which files in a place are backups of a target, and which are something else: by names, sizes and times alone."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

from sla_kit.exporters.backup.checksums import described, is_list
from sla_kit.exporters.backup.naming import Named, Pattern, made
from sla_kit.exporters.backup.store import BackupStore, StoredObject
from sla_kit.exporters.sidecar.collector import CollectError

#: What else may lie there: links (and second names), hidden files, those that a job writes to before it renames them,
#: checksums, and what is named otherwise.
Other = Literal["link", "hidden", "temporary", "checksum", "foreign"]
OTHERS: Final[tuple[Other, ...]] = ("link", "hidden", "temporary", "checksum", "foreign")
Item = TypeVar("Item")
_TEMPORARY: Final = (".tmp", ".temp", ".part", ".partial", ".filepart", ".inprogress", ".incomplete", ".writing", "~")


@dataclass(slots=True)
class Candidate:
    """What by its name is a backup.

    ``file`` is its file; None where it is a folder, whose files `parts_of` lists: there may be very many of them.
    ``time`` is when it was made, ``since`` the beginning of what its name leaves open of that (None where it tells
    nothing), ``key`` is the same for its copies in other places, ``mark`` changes whenever anything of it does.
    ``done`` is false of a folder without the file that says so.
    """

    name: str
    key: str
    time: float
    modified: float
    size_bytes: int
    mark: str
    file: StoredObject | None = None
    writing: bool = False
    done: bool = True
    since: int | None = None

    @property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.file is None


@dataclass(slots=True)
class Survey:
    """What a place holds of a target: ``candidates``, newest first; ``older`` is how many more there are.

    ``sums`` are files of checksums by the name of the file that each is for, or by that of the folder whose files they
    list (with ``/`` at the end, "" for the place itself).
    """

    candidates: list[Candidate]
    older: int
    others: dict[Other, int]
    sums: dict[str, list[StoredObject]]

    def sums_of(self, name: str) -> list[StoredObject]:
        """The files that may hold the checksum of a file: its own, then the lists in its folder and in those above."""
        return [*self.sums.get(name, ()), *self._lists_of(name)]

    def sums_for(self, candidate: Candidate) -> list[StoredObject]:
        """All files that may hold a checksum of anything of a backup."""
        if not candidate.folder:
            return self.sums_of(candidate.name)
        inside = [each for name, some in self.sums.items() if name.startswith(candidate.name) for each in some]
        return [*inside, *self._lists_of(candidate.name)]

    def _lists_of(self, name: str) -> list[StoredObject]:
        found: list[StoredObject] = []
        folder = name
        while folder:
            folder = folder.rstrip("/").rpartition("/")[0]
            folder += "/" if folder else ""
            found += self.sums.get(folder, ())
        return found


def survey(store: BackupStore, pattern: Pattern, limit: int, deadline: float, *, complete: str = "") -> Survey:
    """Lists a place, and keeps only the newest ``limit`` candidates. Raises `CollectError`.

    A folder is done once it has the file ``complete``, if there is to be one.
    """
    others: dict[Other, int] = dict.fromkeys(OTHERS, 0)
    seen: set[str] = set()
    newest: _Newest[Candidate] = _Newest(limit)
    # There may be as many checksums as backups, each about as old as its backup.
    sums: _Newest[StoredObject] = _Newest(2 * limit)
    folders: dict[str, _Folder] = {}
    for found in _listed(store, pattern, deadline):
        other = _other(found)
        if other == "temporary" and pattern.folders:
            named = pattern.match(found.name)
            if named is not None and not _temporary(named.backup):
                _folder(folders, named, complete).writing = True
        if other == "checksum":
            sums.put(found.modified, found.name, found)
        if other is not None and not (other == "checksum" and pattern.folders):
            others[other] += 1
            continue
        named = pattern.match(found.name)
        if named is None:
            others[other or "foreign"] += 1
        elif pattern.folders:
            others["checksum"] += other == "checksum"
            _folder(folders, named, complete).add(found)
        elif found.shares in seen:
            others["link"] += 1
        else:
            if found.shares:  # of folders, many files may be those of the folder before
                seen.add(found.shares)
            mark = f"{found.size_bytes}-{found.modified}-{found.etag}"
            candidate = Candidate(
                found.name, _key(named), made(named, found.modified), found.modified, found.size_bytes, mark, found
            )
            candidate.since = named.time
            newest.put(candidate.time, candidate.name, candidate)
    for each in folders.values():
        candidate = each.candidate()
        newest.put(candidate.time, candidate.name, candidate)
    by_name: dict[str, list[StoredObject]] = {}
    for said in sums.items():
        folder, slash, _ = said.name.rpartition("/")
        by_name.setdefault(described(said.name) or f"{folder}{slash}", []).append(said)
    return Survey(newest.items(), newest.left_out, others, by_name)


def parts_of(store: BackupStore, candidate: Candidate, deadline: float) -> list[StoredObject]:
    """The files of a backup, by name. Raises `CollectError`: ``data`` where they are no longer those of the survey."""
    if candidate.file is not None:
        return [candidate.file]
    folder = _Folder(Named(candidate.name), "")
    found = [each for each in store.list(candidate.name, deadline) if _other(each) in (None, "checksum")]
    for each in found:
        folder.add(each)
    if folder.text() != candidate.mark:
        raise CollectError("data", f"{candidate.name} has changed while it was looked at", place=store.place)
    return sorted(found, key=lambda each: each.name)


def _listed(store: BackupStore, pattern: Pattern, deadline: float) -> Iterable[StoredObject]:
    """What begins as the target's backups do, and the lists of checksums that may lie beside them."""
    yield from store.list(pattern.prefix, deadline, depth=pattern.depth)
    folder, slash, start = pattern.prefix.rpartition("/")
    if start:
        for beginning in ("SHA", "MD5", "sha", "md5"):
            if not beginning.startswith(start) and not start.startswith(beginning):
                for found in store.list(f"{folder}{slash}{beginning}", deadline, depth=pattern.depth):
                    if is_list(found.name):
                        yield found


def _other(found: StoredObject) -> Other | None:
    if found.link:
        return "link"
    parts = found.name.split("/")
    if any(part.startswith(".") for part in parts):
        return "hidden"
    if any(_temporary(part) for part in parts):
        return "temporary"
    try:
        found.name.encode()
    except UnicodeEncodeError:
        return "foreign"
    return "checksum" if described(found.name) or is_list(found.name) else None


def _temporary(name: str) -> bool:
    return name.rstrip("/").lower().endswith(_TEMPORARY)


def _key(named: Named) -> str:
    return named.backup if named.time is None else f"@{named.time}"


def _folder(folders: dict[str, _Folder], named: Named, complete: str) -> _Folder:
    if named.backup not in folders:
        folders[named.backup] = _Folder(named, f"{named.backup}{complete}" if complete else "")
    return folders[named.backup]


@dataclass(slots=True)
class _Folder:
    """The files of a folder, summed up as they come."""

    named: Named
    complete: str
    count: int = 0
    modified: float = 0.0
    size_bytes: int = 0
    mark: int = 0
    writing: bool = False
    done: bool = False

    def add(self, found: StoredObject) -> None:
        self.count += 1
        self.done = self.done or found.name == self.complete
        self.modified = max(self.modified, found.modified)
        self.size_bytes += found.size_bytes
        # In any order the same, and cheap to hold.
        text = f"{found.name} {found.size_bytes} {found.modified} {found.etag}"
        self.mark ^= zlib.crc32(text.encode()) << 32 | zlib.adler32(text.encode())

    def text(self) -> str:
        return f"{self.count}-{self.size_bytes}-{self.modified}-{self.mark:x}"

    def candidate(self) -> Candidate:
        named = Named(self.named.backup, "", self.named.time, self.named.until)
        time = made(named, self.modified)
        return Candidate(
            named.backup,
            _key(named),
            time,
            self.modified,
            self.size_bytes,
            self.text(),
            writing=self.writing,
            done=self.done or not self.complete,
            since=named.time,
        )


class _Newest(Generic[Item]):
    """Keeps the items with the highest times."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[float, str, Item]] = []
        self.left_out = 0

    def put(self, time: float, name: str, item: Item) -> None:
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, (time, name, item))
        else:
            heapq.heappushpop(self._heap, (time, name, item))
            self.left_out += 1

    def items(self) -> list[Item]:
        """Newest first."""
        return [item for _, _, item in sorted(self._heap, key=lambda each: each[:2], reverse=True)]
