"""Who asks: basic authentication against bcrypt hashes, at the same price for users that there are and are not."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

#: Answers that are remembered, good and bad apart, so that no guessing drives out the good ones.
_REMEMBERED = 100
#: So many hashes may wait to be computed: whoever guesses passwords must not make others wait.
_WAITING = 32
#: bcrypt reads no more of a password (as in Go).
_MAX_BYTES = 72


class BusyError(Exception):
    """Too many passwords are to be checked already."""


class Users:
    """Users with the bcrypt hashes of their passwords.

    A hash takes a processor tens of milliseconds on purpose. Answers are therefore remembered, under a key that
    nothing of a password can be learned from, so that a scrape costs no hash; exporter-toolkit does so, too.
    """

    def __init__(self, users: Iterable[tuple[str, str]]) -> None:
        self._hashes = {name.encode(): hashed.encode() for name, hashed in users}
        self._key = secrets.token_bytes(32)
        self._known: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}
        self._waiting = 0
        # Two at most: bcrypt lets other threads run, but not on the same processor.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="bcrypt") if self._hashes else None
        costs = [hashed.split(b"$")[2] for hashed in self._hashes.values()]
        # Nobody's password: what a name that there isn't is compared with, at the price of the dearest.
        self._nobody = b"$2b$" + max(costs, default=b"10") + b"$" + b"." * 53

    def __bool__(self) -> bool:
        return bool(self._hashes)

    async def admits(self, authorization: str) -> bool:
        """Whether a header Authorization is that of a user. Raises `BusyError`."""
        found = credentials(authorization)
        if found is None or self._threads is None:
            return False
        name, password = found
        hashed = self._hashes.get(name, self._nobody)
        key = self._remembered_as(name, hashed, password)
        for answer, known in self._known.items():
            if key in known:
                known.move_to_end(key)
                return answer
        if self._waiting >= _WAITING:
            raise BusyError
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            matches = await loop.run_in_executor(self._threads, _matches, password, hashed)
        finally:
            self._waiting -= 1
        good = matches and name in self._hashes
        known = self._known[good]
        known[key] = None
        if len(known) > _REMEMBERED:
            known.popitem(last=False)
        return good

    def close(self) -> None:
        """Lets go of its threads, once those that wait have their answer."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    def _remembered_as(self, *parts: bytes) -> bytes:
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


def credentials(authorization: str) -> tuple[bytes, bytes] | None:
    """The name and password of a header Authorization (RFC 7617), None where it holds none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _matches(password: bytes, hashed: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_MAX_BYTES], hashed)
    except ValueError:  # such as a NUL in the password
        return False
