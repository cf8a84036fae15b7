"""What the bytes of an encrypted file tell without its key: by what, for whom, and where it should end.

age: age-encryption.org/v1. OpenPGP: RFC 9580 and its forerunners, section 4.2 (packets) and 6.2 (armor).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Literal

Ending = Literal["complete", "truncated", "unknown"]

_AGE: Final = b"age-encryption.org/v1\n"
_AGE_ARMOR: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_AGE_ARMOR_END: Final = b"-----END AGE ENCRYPTED FILE-----"
_PGP_ARMOR: Final = b"-----BEGIN PGP MESSAGE-----"
_PGP_ARMOR_END: Final = b"-----END PGP MESSAGE-----"
_SALTED: Final = b"Salted__"
_SALTED_ARMOR: Final = b"U2FsdGVkX1"
#: A nonce, then chunks with a tag each; the last one is never empty unless it is the only one.
_AGE_NONCE, _AGE_TAG, _AGE_CHUNK = 16, 16, 64 * 1024
#: Packets: session keys for a public key and for a passphrase, and the data encrypted by them in three ways.
_PUBLIC_KEY, _PASSPHRASE, _DATA = 1, 3, frozenset({9, 18, 20})
_VERSIONS: Final = {_PUBLIC_KEY: {2, 3, 6}, _PASSPHRASE: {4, 5, 6}, 18: {1, 2}, 20: {1}}


@dataclass(frozen=True, slots=True)
class Encrypted:
    """How a file is encrypted.

    ``method`` is age, openpgp or openssl. ``lock`` is what opens it: "public_key", "passphrase", "both" (either will
    do), or "unknown". ``keys`` are the ids of OpenPGP keys (age names none). ``ending`` is what is known of the
    file's end.
    """

    method: str
    lock: str = "unknown"
    keys: tuple[str, ...] = ()
    ending: Ending = "unknown"


def read_encryption(head: bytes, tail: bytes, size_bytes: int) -> Encrypted | None:
    """How a file is encrypted, by its first and last bytes; None where it isn't in a way that is known here."""
    if head.startswith(_AGE):
        return _age(head, size_bytes)
    text = head.lstrip()
    if text.startswith(_AGE_ARMOR):
        inner = _age(_unarmored(text), None)
        return Encrypted("age", inner.lock, (), _armor_ending(tail, _AGE_ARMOR_END))
    if text.startswith(_PGP_ARMOR):
        found = _openpgp(_unarmored(text), None)
        ending = _armor_ending(tail, _PGP_ARMOR_END)
        # The same armor is around what is only signed or compressed.
        return None if found is None else Encrypted("openpgp", found.lock, found.keys, ending)
    if head.startswith(_SALTED):
        return Encrypted("openssl", "passphrase", (), "unknown" if size_bytes > 16 else "truncated")
    if text.startswith(_SALTED_ARMOR):
        return Encrypted("openssl", "passphrase", (), "unknown")
    return _openpgp(head, size_bytes)


class PacketWalk:
    """Follows the lengths of an OpenPGP message over all of its bytes, fed in order: the only way to see its end."""

    def __init__(self) -> None:
        self._ahead = bytearray()
        self._skip = 0
        self._partial = False
        self._data = False
        self._lost = False

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        if self._lost:
            return
        at = min(self._skip, len(part)) if not self._ahead else 0
        self._skip -= at
        self._ahead += part[at:]
        while self._ahead and not self._lost:
            if self._skip:
                gone = min(self._skip, len(self._ahead))
                del self._ahead[:gone]
                self._skip -= gone
            elif not self._step():
                break

    def ending(self) -> Ending:
        """What is known, if there are no more bytes."""
        if self._lost:
            return "unknown"
        return "complete" if self._data and not (self._skip or self._partial or self._ahead) else "truncated"

    def _step(self) -> bool:
        """Reads a packet's header or the length of its next part; False where more bytes are needed."""
        if self._partial:
            found = _new_length(bytes(self._ahead[:5]), 0)
            if found is None:
                return False
            length, used, self._partial = found
        else:
            header = _header(bytes(self._ahead[:6]), 0)
            if header is None:
                self._lost = not self._ahead[0] & 0x80
                return False
            tag, maybe, used, self._partial = header
            if maybe is None:
                self._lost = True  # it goes on to the end of the file, wherever that is
                return False
            length, self._data = maybe, self._data or tag in _DATA
        del self._ahead[:used]
        self._skip = length
        return True


def _age(head: bytes, size_bytes: int | None) -> Encrypted:
    """``size_bytes`` is None where ``head`` is out of an armor, whose end tells more."""
    lines = head.split(b"\n---", 1)
    kinds = [line[3:].split(b" ")[0].decode("ascii", "replace") for line in lines[0].split(b"\n") if line[:3] == b"-> "]
    real = [kind for kind in kinds if not kind.endswith("-grease")]
    lock = "unknown" if not real else "passphrase" if real == ["scrypt"] else "public_key"
    ending: Ending = "unknown"
    if size_bytes is not None:
        end = head.find(b"\n", len(lines[0]) + 1) if len(lines) == 2 else -1
        if end >= 0:
            payload = size_bytes - end - 1 - _AGE_NONCE
            last = payload % (_AGE_CHUNK + _AGE_TAG)
            if payload < _AGE_TAG or 0 < last < _AGE_TAG or (last == _AGE_TAG and payload > _AGE_TAG):
                ending = "truncated"
        elif len(head) >= size_bytes:
            ending = "truncated"
    return Encrypted("age", lock, (), ending)


def _openpgp(head: bytes, size_bytes: int | None) -> Encrypted | None:
    public = passphrase = False
    keys: list[str] = []
    at = 0
    ending: Ending = "unknown"
    while True:
        header = _header(head, at)
        if header is None:
            break
        tag, length, used, partial = header
        body = head[at + used : at + used + 10]
        if body and tag in _VERSIONS and body[0] not in _VERSIONS[tag]:
            break
        if tag in _DATA:
            if not (public or passphrase) and tag == 9:
                return None  # a single byte at the front is too little to tell by
            if size_bytes is not None and length is not None and not partial:
                ending = "truncated" if at + used + length > size_bytes else "complete"
            return Encrypted("openpgp", _lock(public, passphrase), tuple(dict.fromkeys(keys)), ending)
        if tag not in (_PUBLIC_KEY, _PASSPHRASE) or length is None or partial or not body:
            break
        public, passphrase = public or tag == _PUBLIC_KEY, passphrase or tag == _PASSPHRASE
        if tag == _PUBLIC_KEY and body[0] <= 3 and len(body) >= 9 and any(body[1:9]):
            keys.append(body[1:9].hex().upper())
        at += used + length
    if not (public or passphrase):
        return None
    # Session keys and nothing after them, where the bytes are all that there are.
    ending = "truncated" if size_bytes is not None and size_bytes <= len(head) else "unknown"
    return Encrypted("openpgp", _lock(public, passphrase), tuple(dict.fromkeys(keys)), ending)


def _lock(public: bool, passphrase: bool) -> str:
    if public and passphrase:
        return "both"
    return "public_key" if public else "passphrase" if passphrase else "unknown"


def _header(data: bytes, at: int) -> tuple[int, int | None, int, bool] | None:
    """A packet's tag, the length of its body (None: to the end of the file) or of that's first part, how many bytes
    say so, and whether more parts follow."""
    if at >= len(data) or not data[at] & 0x80:
        return None
    first = data[at]
    if first & 0x40:
        found = _new_length(data, at + 1)
        return None if found is None else (first & 0x3F, found[0], found[1] + 1, found[2])
    kind = first & 3
    if kind == 3:
        return (first >> 2) & 15, None, 1, False
    count = 1 << kind
    if at + 1 + count > len(data):
        return None
    return (first >> 2) & 15, int.from_bytes(data[at + 1 : at + 1 + count], "big"), 1 + count, False


def _new_length(data: bytes, at: int) -> tuple[int, int, bool] | None:
    if at >= len(data):
        return None
    first = data[at]
    if first < 192:
        return first, 1, False
    if first < 224:
        return None if at + 2 > len(data) else (((first - 192) << 8) + data[at + 1] + 192, 2, False)
    if first < 255:
        return 1 << (first & 31), 1, True
    return None if at + 5 > len(data) else (int.from_bytes(data[at + 1 : at + 5], "big"), 5, False)


def _unarmored(text: bytes) -> bytes:
    """The first bytes inside an armor: after its own headers, as far as whole groups of four characters go."""
    lines = text.replace(b"\r\n", b"\n").split(b"\n")[1:]
    body = bytearray()
    for line in lines:
        if b":" in line:
            continue
        if line.startswith((b"-----", b"=")):
            break
        body += line.strip()
    try:
        return base64.b64decode(bytes(body[: len(body) // 4 * 4]), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _armor_ending(tail: bytes, line: bytes) -> Ending:
    return "complete" if tail.rstrip().endswith(line) else "truncated"
