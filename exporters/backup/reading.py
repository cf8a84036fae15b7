"""Looking into backups: at their first and last bytes, and at all of them, a bounded part in a run."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

import msgspec

from sla_kit.exporters.backup.checksums import LONGEST_BYTES, Digest, beside, is_list, read_sums, strongest
from sla_kit.exporters.backup.contents import HEAD_BYTES, TAIL_BYTES, Contents, WholeReading, examine
from sla_kit.exporters.backup.pg_archive import read_archive
from sla_kit.exporters.backup.remembering import Read
from sla_kit.exporters.backup.store import CHUNK_BYTES, BackupStore, StoredObject
from sla_kit.exporters.backup.surveying import Candidate, Survey, parts_of

#: No longer table of contents is read.
_TOC_BYTES: Final = 16 << 20
_TOC: Final = "toc.dat"
#: What pg_dump calls the data of tables and large objects in a folder.
_DATA: Final = re.compile(r"(\d+\.dat|blob_\d+\.dat|blobs(_\d+)?\.toc)(\.gz|\.lz4|\.zst)?")
#: Of so many files in a folder without a table of contents the ends are looked at.
_LOOKED_AT: Final = 20
#: What holds nothing is no longer than this once it is compressed: in a folder it may be a table without rows.
_EMPTY_BYTES: Final = 64
#: What pg_dump adds to the names in the table of contents where it compresses.
_ADDED: Final = ("", ".gz", ".lz4", ".zst")


def look(store: BackupStore, found: StoredObject, deadline: float) -> Contents:
    """What a file is, by its first and last bytes. Raises `CollectError`."""
    if not found.size_bytes:
        return examine(b"", b"", 0)
    head = store.read(found, 0, HEAD_BYTES, deadline)
    if found.size_bytes <= HEAD_BYTES:
        return examine(head, head[-TAIL_BYTES:], found.size_bytes)
    return examine(head, store.read(found, found.size_bytes - TAIL_BYTES, TAIL_BYTES, deadline), found.size_bytes)


def look_into(store: BackupStore, candidate: Candidate, deadline: float) -> Read:
    """What a backup is, by the first and last bytes of its files, and by what storage says of it. Raises
    `CollectError`."""
    parts = parts_of(store, candidate, deadline)
    largest = sorted(parts, key=lambda each: each.size_bytes, reverse=True)
    missing = 0
    if candidate.folder:
        contents, missing = _look_into_folder(store, parts, largest[:_LOOKED_AT], deadline)
    else:
        contents = look(store, largest[0], deadline)
    facts = store.facts(largest[0], deadline)
    return Read(
        mark=candidate.mark,
        contents=contents,
        missing=missing,
        encryption=facts.encryption,
        key=facts.key,
        stored={} if candidate.folder else dict(facts.checksums),
    )


def _look_into_folder(
    store: BackupStore, parts: Sequence[StoredObject], largest: Sequence[StoredObject], deadline: float
) -> tuple[Contents, int]:
    """What a folder is, by its tables of contents or else by its ``largest`` files, and how many files it lacks."""
    found: list[tuple[str, Contents]] = []
    missing = 0
    names = {each.name for each in parts}
    for toc in (each for each in parts if each.name.endswith(f"/{_TOC}") and each.size_bytes <= _TOC_BYTES):
        whole = store.read(toc, 0, toc.size_bytes, deadline)
        archive = read_archive(whole)
        if archive is not None:
            folder = toc.name.removesuffix(_TOC)
            missing += sum(not any(f"{folder}{name}{more}" in names for more in _ADDED) for name in archive.files)
        found.append((toc.name, examine(whole, whole[-TAIL_BYTES:], toc.size_bytes)))
    # pg_dump writes the table of contents last: without it, the dump was never finished.
    folders = {each.name.rpartition("/")[0] for each in parts if _DATA.fullmatch(each.name.rpartition("/")[2])}
    missing += sum(f"{folder}/{_TOC}" not in names for folder in folders)
    if not found:
        found = [(each.name, look(store, each, deadline)) for each in largest if each.size_bytes]
    for name, contents in found:
        if contents.ending == "truncated":
            return replace(contents, finding=f"{name}: {contents.finding}"), missing
    return found[0][1] if found else examine(b"", b"", 0), missing


def declare(
    store: BackupStore, candidate: Candidate, read: Read, found: Survey, deadline: float, *, weak: bool = False
) -> Read:
    """The same with the digests that a backup's parts should have, from files beside it, or from storage itself.

    Storage keeps an MD5 of nearly everything unasked; only with ``weak`` does it count, or all of a bucket would have
    to be read for what storage itself looks after.
    """
    stored = {name: value for name, value in read.stored.items() if weak or name != "md5"}
    sums = found.sums_for(candidate)
    marks = {f"{each.name} {each.etag} {each.modified}" for each in sums}
    mark = "\n".join([*sorted(marks), "weak" if weak else "strong"])
    if mark == read.declared_mark:
        return read
    declared: dict[str, str] = {}
    texts: dict[str, str] = {}
    for part in parts_of(store, candidate, deadline) if sums or stored else ():
        said = (_declared(store, each, texts, part.name, deadline) for each in found.sums_of(part.name))
        digest = next((each for each in said if each is not None), None) or strongest(stored)
        if digest is not None:
            declared[part.name] = f"{digest.algorithm}:{digest.value}"
    return msgspec.structs.replace(read, declared=declared, declared_mark=mark)


def agreement(read: Read) -> bool | None:
    """Whether all declared digests came out as they should; None where none is declared, or not all were computed."""
    if not read.declared:
        return None
    known = [read.digests.get(name, "") for name in read.declared]
    wrong = [
        computed != value
        for value, computed in zip(read.declared.values(), known, strict=True)
        if computed.partition(":")[0] == value.partition(":")[0]
    ]
    if any(wrong):
        return False
    return True if len(wrong) == len(known) else None


class _Hash(Protocol):
    @property
    def name(self) -> str: ...

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class WholeReader:
    """Reads backups whole, one after the other, and goes on in the next run where the last one had to stop."""

    def __init__(self) -> None:
        self._name = self._mark = ""
        self._part = self._at = 0
        self._digests: dict[str, str] = {}
        self._hash: _Hash | None = None
        self._walk: WholeReading | None = None
        self._contents: Contents | None = None

    def read_on(
        self, store: BackupStore, candidate: Candidate, read: Read, budget: int, until: float, deadline: float
    ) -> tuple[Read | None, int]:
        """Reads on in a backup for at most ``budget`` bytes, and ``until`` then (of `time.monotonic`).

        What is known once all is read, or None, and how many bytes were read. Raises `CollectError`.
        """
        if (self._name, self._mark) != (candidate.name, f"{read.mark} {read.declared_mark}"):
            self._begin(candidate, read)
        used = 0
        parts = parts_of(store, candidate, deadline)
        while self._part < len(parts):
            part = parts[self._part]
            if self._walk is None:
                self._open(store, candidate, part, read, deadline)
            while self._at < part.size_bytes:
                if used >= budget or time.monotonic() >= until:
                    return None, used
                length = min(CHUNK_BYTES, part.size_bytes - self._at)
                data = store.read(part, self._at, length, deadline)
                if not data:
                    break
                self._feed(data)
                used += len(data)
            self._close(part, candidate, read)
        contents = self._contents or read.contents
        digests, self._name = self._digests, ""
        return msgspec.structs.replace(read, contents=contents, digests=digests, whole=True), used

    def _begin(self, candidate: Candidate, read: Read) -> None:
        self._name, self._mark = candidate.name, f"{read.mark} {read.declared_mark}"
        self._part = self._at = 0
        self._digests = {}
        self._hash = self._walk = self._contents = None

    def _open(self, store: BackupStore, candidate: Candidate, part: StoredObject, read: Read, deadline: float) -> None:
        self._at = 0
        algorithm = read.declared.get(part.name, "").partition(":")[0]
        self._hash = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
        self._walk = WholeReading(look(store, part, deadline) if candidate.folder else read.contents)

    def _feed(self, data: bytes) -> None:
        self._at += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._walk is not None:
            self._walk.feed(data)

    def _close(self, part: StoredObject, candidate: Candidate, read: Read) -> None:
        if self._hash is not None:
            self._digests[part.name] = f"{self._hash.name}:{self._hash.hexdigest()}"
        if self._walk is not None:
            found = self._walk.result()
            if not candidate.folder:
                self._contents = found
            elif found.ending == "truncated" and part.size_bytes > _EMPTY_BYTES and self._contents is None:
                inside = part.name.removeprefix(candidate.name)
                self._contents = replace(read.contents, ending="truncated", finding=f"{inside}: {found.finding}")
        self._part, self._at = self._part + 1, 0
        self._hash = self._walk = None


def _declared(
    store: BackupStore, each: StoredObject, texts: dict[str, str], name: str, deadline: float
) -> Digest | None:
    """The digest that a file of checksums says a file has."""
    if each.name not in texts:
        data = store.read(each, 0, LONGEST_BYTES, deadline)
        texts[each.name] = data.decode("utf-8", "replace")
    if not is_list(each.name):
        return beside(texts[each.name], name)
    found = read_sums(texts[each.name])
    below = name.removeprefix(each.name[: len(each.name) - len(each.name.rpartition("/")[2])])
    return found.get(below)
