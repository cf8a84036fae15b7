"""Decrypting with age (pyrage) or GnuPG (in a home of its own that is thrown away), the keys read only now."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sla_kit.configuration.secrets import Secret
from sla_kit.errors import MissingExtraError
from sla_kit.exporters.drill.configuration import Keys
from sla_kit.exporters.drill.errors import DrillError, NotBegunError
from sla_kit.exporters.drill.pipeline import piped
from sla_kit.exporters.drill.programs import find, minimal_environment, start

_WRONG_KEY = (
    "give the key that the backup was encrypted for as keys: {age: [...]} or {gpg: [...]}, and as `passphrase` what"
    " unlocks it or the backup itself"
)
#: Runs below the agent that GnuPG needs for secret keys, which ends when this does.
_GPG = """\
for key in "$@"; do gpg --batch --quiet --import "$key" </dev/null || exit 3; done
exec gpg --batch --quiet --no-tty --trust-model=always --no-auto-key-retrieve \\
  ${SLA_KIT_LOCKED:+--pinentry-mode=loopback --passphrase-file "$GNUPGHOME/passphrase"} --decrypt
"""


class Decrypting:
    """Decrypts streams; what GnuPG must write lies in ``folder``, which only this user may read."""

    def __init__(self, keys: Keys, folder: Path) -> None:
        self._keys = keys
        self._folder = folder

    def check(self, kind: str) -> None:
        """Raises `NotBegunError` where keys or programs for a kind of encryption are missing."""
        if kind == "age":
            if not self._keys.age and self._keys.passphrase is None:
                raise NotBegunError("the backup is encrypted with age, and no key is declared", remedy=_WRONG_KEY)
            _pyrage()
        elif kind == "openpgp":
            if not self._keys.gpg and self._keys.passphrase is None:
                raise NotBegunError("the backup is encrypted with GnuPG, and no key is declared", remedy=_WRONG_KEY)
            find("gpg", "gpg")
            find("gpg-agent", "gpg-agent")
        else:
            raise NotBegunError(
                f"the backup is encrypted with {kind}, which has no check of its own and can't be restored here",
                remedy="encrypt with age or GnuPG, which find what was altered",
            )

    @contextmanager
    def __call__(self, kind: str, parts: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
        """A stream without its encryption. Raises `DrillError` where no key fits, or where it is damaged or cut off."""
        self.check(kind)
        with self._age(parts) if kind == "age" else self._gpg(parts) as plain:
            yield plain

    # --- age --------------------------------------------------------------------------------------------------------

    @contextmanager
    def _age(self, parts: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
        pyrage = _pyrage()
        identities: list[Any] = [_identity(text, secret) for secret in self._keys.age for text in _lines(secret)]
        if not identities and self._keys.passphrase is not None:
            passphrase = self._keys.passphrase.read()
            with _threaded(lambda source, sink: pyrage.passphrase.decrypt_io(source, sink, passphrase), parts) as out:
                yield out
            return
        with _threaded(lambda source, sink: pyrage.decrypt_io(source, sink, identities), parts) as out:
            yield out

    # --- GnuPG ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _gpg(self, parts: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
        home = self._folder / "gnupg"
        home.mkdir(mode=0o700)
        reading: list[int] = []
        environment = minimal_environment(GNUPGHOME=str(home))
        try:
            files = [_kept(secret, home / f"key-{number}") for number, secret in enumerate(self._keys.gpg)]
            if self._keys.passphrase is not None:
                reading.append(_pipe(self._keys.passphrase.read(), home / "passphrase"))
                environment["SLA_KIT_LOCKED"] = "yes"
            command = [find("gpg-agent", "gpg-agent"), "--homedir", str(home), "--quiet", "--daemon", "sh"]
            command += ["-c", _GPG, "gpg", *map(str, files)]
            with piped(command, parts, "decrypting with GnuPG", _WRONG_KEY, environment=environment) as out:
                yield out
        finally:
            for descriptor in reading:
                os.close(descriptor)
            _end_agent(home)


def _pyrage() -> Any:
    try:
        import pyrage  # type: ignore[import-untyped]
        import pyrage.passphrase  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingExtraError("decrypting with age", error.name or "pyrage", "backup") from None
    return pyrage


def _lines(secret: Secret) -> list[str]:
    """The identities in an identity file: one a line, or one SSH key."""
    text = secret.read()
    if text.startswith("-----BEGIN"):
        return [text + "\n"]
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _identity(text: str, secret: Secret) -> Any:
    pyrage = _pyrage()
    try:
        if text.startswith("-----BEGIN"):
            return pyrage.ssh.Identity.from_buffer(text.encode())
        return pyrage.x25519.Identity.from_str(text)
    except Exception:  # its message could hold the key
        place = secret.file or f"${secret.env}"
        remedy = "an identity file as age-keygen writes it, or an SSH private key without a passphrase"
        raise NotBegunError("this is no key of age's", place=place, remedy=remedy) from None


def _kept(secret: Secret, path: Path) -> Path:
    """A key as a file that GnuPG can import."""
    if secret.file:
        try:
            with Path(secret.file).open("rb") as file:  # armored or not
                empty = not file.read(1)
        except OSError as error:
            remedy = "check the file and its rights"
            raise NotBegunError(f"a key can't be read: {error.strerror}", place=secret.file, remedy=remedy) from None
        if empty:
            raise NotBegunError("holds no key: it is empty", place=secret.file)
        return Path(secret.file).resolve()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as made:
        made.write(secret.read() + "\n")
    return path


def _pipe(text: str, path: Path) -> int:
    """Makes a named pipe that holds a text as long as the descriptor is open: the agent hands on none of its own, and
    nothing of it comes to lie on a disk."""
    os.mkfifo(path, 0o600)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    os.write(descriptor, text.encode() + b"\n")
    return descriptor


def _end_agent(home: Path) -> None:
    """Ends the agent at once; it would end by itself within seconds."""
    try:
        done = start(
            ["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"],
            environment=minimal_environment(GNUPGHOME=str(home)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        return
    done.wait()


@contextmanager
def _threaded(work: Any, parts: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """A stream through a function that reads from one file and writes to another, in a thread."""
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def run() -> None:
        with os.fdopen(writing, "wb", buffering=1 << 16) as sink:
            source = _Reader(parts)
            try:
                work(source, sink)
            except BrokenPipeError:
                pass
            except BaseException as error:
                failures.append(source.failure or _reworded(error))

    thread = threading.Thread(target=run, name="decrypting with age", daemon=True)

    def read() -> Iterator[bytes]:
        while part := out.read1(1 << 20):  # type: ignore[attr-defined]
            yield part
        thread.join()
        if failures:
            raise failures[0]

    with os.fdopen(reading, "rb", buffering=1 << 16) as out:
        thread.start()
        try:
            yield read()
        finally:
            out.close()
            thread.join(10)


class _Reader:
    """A stream of parts as a file to read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""
        self.failure: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes, none only at the end."""
        try:
            while not self._rest:
                part = next(self._parts, None)
                if part is None:
                    return b""
                self._rest = part
        except BaseException as error:
            self.failure = error
            raise
        if size < 0:
            size = len(self._rest)
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def _reworded(error: BaseException) -> BaseException:
    said = str(error)
    if "matching" in said.lower() or "passphrase" in said.lower():
        return DrillError("no declared key fits the backup's encryption (age)", remedy=_WRONG_KEY)
    return DrillError(f"decrypting with age failed: the backup is damaged or was cut off ({said[:200]})")
