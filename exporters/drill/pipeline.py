"""From stored bytes to a dump: read, decrypted and decompressed as a stream, digested and timed on the way.

A stage is an iterator of parts that pulls from the one before. What runs in a program of its own (gpg, zstd, lz4) is
fed by a thread. A stage ends well only where its input was whole: a backup that was cut off raises, and is never taken
for a shorter one.
"""

from __future__ import annotations

import bz2
import hashlib
import lzma
import shutil
import subprocess
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sla_kit.exporters.backup.compression import compression_of
from sla_kit.exporters.backup.encryption import read_encryption
from sla_kit.exporters.drill.errors import DrillError, NotBegunError
from sla_kit.exporters.drill.programs import find, start, stop, tail

_CHUNK = 1 << 20
#: Debian's names of packages, where the program has another.
_PACKAGES = {"xz": "xz-utils"}
#: With less room than this left on the disk, unpacking stops.
_RESERVE = 64 << 20


class Timed:
    """A stage that knows how long it took by itself: while its parts were waited for, less that of the one before."""

    def __init__(self, name: str, parts: Iterator[bytes], before: Timed | None = None) -> None:
        self.name = name
        self.bytes = 0
        self._parts = parts
        self._before = before
        self._waited = 0.0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        begun = time.monotonic()
        try:
            part = next(self._parts)
        except DrillError as error:
            error.step = error.step or self.name
            raise
        finally:
            self._waited += time.monotonic() - begun
        self.bytes += len(part)
        return part

    @property
    def waited(self) -> float:
        """Seconds that were spent waiting for its parts, all stages before it included."""
        return self._waited

    @property
    def seconds(self) -> float:
        """Seconds of its own."""
        return max(0.0, self._waited - (self._before.waited if self._before is not None else 0.0))


class Digested:
    """Passes parts on and knows the SHA-256 of all of them once the last has gone by."""

    def __init__(self, parts: Iterator[bytes], algorithm: str = "sha256") -> None:
        self._parts = parts
        self._digest = hashlib.new(algorithm)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        self._digest.update(part)
        return part

    @property
    def hexdigest(self) -> str:
        """The digest of what has gone by so far."""
        return self._digest.hexdigest()


def peek(parts: Iterator[bytes], length: int = 65536) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes of a stream, and the whole stream."""
    first = b""
    for part in parts:
        first += part
        if len(first) >= length:
            break

    def whole() -> Iterator[bytes]:
        yield first
        yield from parts

    return first[:length], whole()


@contextmanager
def decompressed(parts: Iterator[bytes], kind: str) -> Iterator[Iterator[bytes]]:
    """A stream without its compression. Raises `DrillError` where it is cut off or damaged."""
    makers: dict[str, Callable[[], Any]] = {
        "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
        "bzip2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    }
    if kind in makers:
        yield _by_library(parts, makers[kind], kind)
        return
    with piped([find(kind, _PACKAGES.get(kind, kind)), "-d", "-c", "-q"], parts, f"decompressing {kind}") as out:
        yield out


def _by_library(parts: Iterator[bytes], make: Callable[[], Any], kind: str) -> Iterator[bytes]:
    """What compressors write one after the other is one stream; bytes of zero after it are padding."""
    decompressor = make()
    fresh = True
    for part in parts:
        rest = part
        while rest:
            if decompressor.eof:
                rest = rest.lstrip(b"\x00")
                if not rest:
                    break
                decompressor, fresh = make(), True
            try:
                yield from _in_parts(decompressor, rest)
            except (zlib.error, OSError, ValueError, lzma.LZMAError, EOFError) as error:
                raise DrillError(f"the backup is damaged: its {kind} data can't be decompressed ({error})") from None
            fresh = False
            rest = decompressor.unused_data if decompressor.eof else b""
    if fresh or not decompressor.eof:
        raise DrillError(f"the backup was cut off: its {kind} data ends too early")


def _in_parts(decompressor: Any, data: bytes) -> Iterator[bytes]:
    """What data holds, never much of it at once: a megabyte of zeros compressed is a gigabyte."""
    while True:
        plain = decompressor.decompress(data, _CHUNK)
        if plain:
            yield plain
        data = getattr(decompressor, "unconsumed_tail", b"")  # of zlib's; the others keep it themselves
        done = not data and len(plain) < _CHUNK and getattr(decompressor, "needs_input", True)
        if decompressor.eof or done:
            return


@contextmanager
def piped(
    command: Sequence[str], parts: Iterator[bytes], what: str, remedy: str = "", **more: Any
) -> Iterator[Iterator[bytes]]:
    """A stream through a program's standard input and output. Raises `DrillError` with what the program said where it
    fails, at the end of the stream."""
    failures: list[BaseException] = []
    with tempfile.TemporaryFile() as errors:
        process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, **more)
        source, sink = process.stdin, process.stdout
        assert source is not None
        assert sink is not None

        def feed() -> None:
            try:
                for part in parts:
                    source.write(part)
            except BrokenPipeError:
                pass  # the program has ended; its exit code says why
            except BaseException as error:  # told by the thread that reads
                failures.append(error)
                process.kill()
            finally:
                with suppress(OSError):
                    source.close()

        feeder = threading.Thread(target=feed, name=f"feeding {Path(command[0]).name}", daemon=True)

        def read() -> Iterator[bytes]:
            while part := sink.read1(_CHUNK):  # type: ignore[attr-defined]
                yield part
            code = process.wait()
            feeder.join()
            if failures:
                raise failures[0]
            if code:
                said = tail(errors).splitlines()
                raise DrillError(f"{what} failed: {said[-1] if said else f'exit code {code}'}", remedy=remedy)

        feeder.start()
        try:
            yield read()
        finally:
            stop(process)
            sink.close()
            feeder.join(10)


def to_file(parts: Iterator[bytes], path: Path, *, reserve: int = _RESERVE) -> int:
    """Writes a stream to a file and returns its length. Raises `DrillError` before the disk is full."""
    written = 0
    try:
        with path.open("xb") as file:
            for part in parts:
                if shutil.disk_usage(path.parent).free < reserve + len(part):
                    raise _full(path.parent)
                file.write(part)
                written += len(part)
    except OSError as error:
        if error.errno == 28:
            raise _full(path.parent) from None
        raise DrillError(f"the dump can't be unpacked: {error.strerror}", place=str(path.parent)) from None
    return written


def check_space(folder: Path, needed: float) -> None:
    """Raises `NotBegunError` where a folder's disk has fewer bytes free than needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NotBegunError(
            f"too little room on the disk: restoring may need {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
            place=str(folder),
            remedy="make room, name another folder as scratch: {folder: …}, or lower `space`",
        )


def _full(folder: Path) -> DrillError:
    return DrillError("the disk is full", place=str(folder), remedy="make room, or name another scratch folder")


@contextmanager
def unpacked(
    parts: Iterator[bytes], decrypt: Callable[[str, Iterator[bytes]], AbstractContextManager[Iterator[bytes]]]
) -> Iterator[Unpacking]:
    """The dump inside a stored stream, whatever it is wrapped in: encryption outside, compression within."""
    fetch = Timed("fetch", parts)
    digest = Digested(fetch)
    with ExitStack() as stack:
        stages = [fetch]
        first, stream = peek(digest)
        if not first:
            raise DrillError("the backup is empty")
        found = read_encryption(first, b"", 1 << 62)  # how long it is can't be told from a stream
        encryption = "" if found is None else found.method
        if encryption:
            stages.append(Timed("decrypt", stack.enter_context(decrypt(encryption, stream)), stages[-1]))
            first, stream = peek(stages[-1])
        compression = compression_of(first)
        if compression:
            stages.append(Timed("decompress", stack.enter_context(decompressed(stream, compression)), stages[-1]))
            first, stream = peek(stages[-1])
        if not first:
            raise DrillError("the backup holds nothing")
        _require_innermost(first)
        yield Unpacking(first, stream, digest, stages, encryption, compression)


def _require_innermost(first: bytes) -> None:
    """Raises `DrillError` where what came out is wrapped once more, which would be read as a dump."""
    found, compression = read_encryption(first, b"", 1 << 62), compression_of(first)
    again = f"encrypted with {found.method}" if found is not None else f"compressed with {compression}"
    if (found is not None or compression) and not first.startswith(b"PGDMP"):
        raise DrillError(
            f"what was unpacked is {again} once more",
            remedy="compress a backup first and encrypt it last, each once",
        )


class Unpacking:
    """A dump as it comes: its ``first`` bytes, its ``stream``, and what is known of the way."""

    def __init__(
        self,
        first: bytes,
        stream: Iterator[bytes],
        digest: Digested,
        stages: Sequence[Timed],
        encryption: str,
        compression: str,
    ) -> None:
        self.first = first
        self.stream = stream
        self.encryption = encryption
        self.compression = compression
        self._digest = digest
        self._stages = list(stages)

    @property
    def sha256(self) -> str:
        """The digest of the stored bytes; of all of them once `drain` was called."""
        return self._digest.hexdigest

    @property
    def waited(self) -> float:
        """Seconds that whoever read the stream has waited for it."""
        return self._stages[-1].waited

    def drain(self) -> int:
        """Reads what is left, so that every stage comes to its end and says whether it was whole; returns how much of
        the dump that was."""
        left = sum(len(part) for part in self.stream)
        for _ in self._digest:  # what lies behind the end of what was decrypted or decompressed
            pass
        return left

    def seconds(self) -> list[tuple[str, float]]:
        """Each stage's name and seconds of its own."""
        return [(stage.name, stage.seconds) for stage in self._stages]
