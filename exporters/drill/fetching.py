"""A backup's bytes out of its store, held against the digests that were declared of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sla_kit.exporters.backup.store import StoredObject
from sla_kit.exporters.drill.choosing import Chosen
from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.drill.pipeline import to_file
from sla_kit.exporters.sidecar.collector import CollectError

_CONTENTS = "toc.dat"


def stream(chosen: Chosen, part: StoredObject, deadline: float) -> Iterator[bytes]:
    """All bytes of one file of a backup. Raises `DrillError` where they can't be read, are fewer than the store said,
    or have another digest than was declared."""
    declared = chosen.declared.get(part.name, "")
    algorithm, _, digits = declared.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False) if algorithm else None
    length = 0
    try:
        for each in chosen.store.chunks(part, 0, deadline):
            length += len(each)
            if digest is not None:
                digest.update(each)
            yield each
    except CollectError as error:
        raise DrillError(error.message, place=error.place, remedy=error.remedy, step="fetch") from None
    if length != part.size_bytes:
        wrong = f"{part.name} gave {length} bytes of the {part.size_bytes} that it has"
        raise DrillError(wrong, place=chosen.store.place, step="fetch")
    if digest is not None and digest.hexdigest().lower() != digits.lower():
        wrong = f"{part.name} is not what its checksum says ({algorithm}): it was altered or damaged"
        remedy = "restore another backup, and look after the disk that this one lies on"
        raise DrillError(wrong, place=chosen.store.place, remedy=remedy, step="fetch")


def only_file(chosen: Chosen) -> StoredObject | None:
    """The file that a backup consists of; None where it is a directory that pg_dump made. Raises `DrillError` where a
    folder is neither."""
    if not chosen.folder:
        return chosen.parts[0]
    names = [PurePosixPath(part.name).name for part in chosen.parts]
    if _CONTENTS in names:
        return None
    files = [part for part in chosen.parts if not part.name.endswith((".sha256", ".md5", ".json"))]
    if len(files) != 1:
        remedy = "name the dump itself by `pattern`, or make it with pg_dump --format=directory"
        raise DrillError(f"{chosen.name} is no directory dump: it has no {_CONTENTS}", remedy=remedy, step="fetch")
    return files[0]


def fetch_folder(chosen: Chosen, folder: Path, deadline: float) -> tuple[Path, str]:
    """Brings a directory dump into a folder; returns the path of its table of contents' folder, and the digest of all
    (the SHA-256 of a list as sha256sum writes it). Raises `DrillError`."""
    root = folder / "dump"
    root.mkdir(mode=0o700)
    lines: list[str] = []
    inside: Path | None = None
    for part in sorted(chosen.parts, key=lambda each: each.name):
        relative = PurePosixPath(part.name.removeprefix(chosen.name))
        if relative.is_absolute() or ".." in relative.parts:
            raise DrillError(f"{part.name} would lie outside of its folder", place=chosen.store.place, step="fetch")
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        to_file(_hashed(stream(chosen, part, deadline), digest), path)
        lines.append(f"{digest.hexdigest()}  {relative}\n")
        if relative.name == _CONTENTS:
            inside = path.parent
    assert inside is not None
    return inside, hashlib.sha256("".join(lines).encode()).hexdigest()


def _hashed(parts: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for part in parts:
        digest.update(part)
        yield part
