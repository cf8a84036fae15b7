"""What has been found out about backups by reading them, kept over runs and restarts, so that none is read twice."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sla_kit.exporters.backup.contents import Contents
from sla_kit.replacing import replace_file

_log = logging.getLogger(__name__)
_VERSION = 2


class Read(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of a backup as long as its ``mark`` (size, time and etag) stays.

    ``contents`` is by its first and last bytes, or by all of them if it is ``whole``; ``missing`` is how many of the
    files that its table of contents names are not there. ``digests`` were computed of its parts while reading it whole,
    as ``algorithm:digits`` by the part's name. ``declared`` are those that should have come out, of files of checksums
    with the mark ``declared_mark``. ``encryption`` and ``key`` are the storage's.
    """

    mark: str
    contents: Contents
    missing: int = 0
    whole: bool = False
    digests: dict[str, str] = {}
    declared: dict[str, str] = {}
    declared_mark: str = ""
    encryption: str = ""
    key: str = ""
    stored: dict[str, str] = {}


class _File(msgspec.Struct, kw_only=True):
    """``checksum`` is that of the bytes of ``read``: a damaged file may well be read, and say what was never found."""

    version: int
    checksum: str = ""
    read: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(eq=False)
class Memory:
    """What is known by the place (of a target) and the backup's name; in a file, if there is one.

    May be used by several threads. A file that can't be read or written is said in the log, and done without: the
    backups are then read once more.
    """

    path: Path | None
    _read: dict[str, dict[str, Read]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _loaded: bool = False
    _failed: bool = False

    def of(self, place: str) -> dict[str, Read]:
        """All that is known of a place; a copy."""
        with self._lock:
            self._load()
            return dict(self._read.get(place, {}))

    def keep(self, place: str, known: dict[str, Read]) -> None:
        """Replaces what is known of a place, and writes it down: all of it, or nothing, whatever happens meanwhile."""
        with self._lock:
            self._load()
            if self._read.get(place, {}) == known:
                return
            self._read[place] = known
            self._write()

    def _load(self) -> None:
        if self._loaded or self.path is None:
            return
        self._loaded = True
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=_File)
            if found.version != _VERSION:
                return  # of another version of the exporter
            if found.checksum != _checksum(bytes(found.read)):
                raise ValueError
            self._read = msgspec.json.decode(found.read, type=dict[str, dict[str, Read]])
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            reason = getattr(error, "strerror", None) or "it is not what was written"
            _log.warning(
                "the state can't be read, backups are read again", extra={"file": str(self.path), "why": reason}
            )
            return

    def _write(self) -> None:
        if self.path is None:
            return
        read = msgspec.json.encode(self._read)
        written = _File(version=_VERSION, checksum=_checksum(read), read=msgspec.Raw(read))
        try:
            replace_file(self.path, msgspec.json.encode(written))
            self._failed = False
        except OSError as error:
            if not self._failed:
                extra = {"file": str(self.path), "why": error.strerror or type(error).__name__}
                _log.warning("the state can't be written, backups are read again after a restart", extra=extra)
            self._failed = True


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
