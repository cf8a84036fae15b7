"""Checksums of backups: which are declared beside them, and files of them in the forms that the usual tools write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Algorithms by the length of their hexadecimal digests, strongest last.
_BY_LENGTH: Final = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
ALGORITHMS: Final = tuple(_BY_LENGTH.values())
#: What a file with the checksum of the one beside it is called, after that one's whole name.
SUFFIXES: Final = tuple(f".{name}{more}" for name in ALGORITHMS for more in ("", "sum"))
#: Files with the checksums of all files in their folder.
LISTS: Final = frozenset(f"{name.upper()}SUMS" for name in ALGORITHMS) | {
    f"{name.upper()}SUMS.txt" for name in ALGORITHMS
} | {f"{name}sums.txt" for name in ALGORITHMS}  # fmt: skip
#: No longer file of checksums is read.
LONGEST_BYTES: Final = 8 << 20
#: One blank, and one more or a star, stand before the name; some tools put any number of blanks there.
_GNU: Final = re.compile(r"(\\?)([0-9a-fA-F]{32,128})(?: [ *](.*)|[ \t]+(.*))?")
_BSD: Final = re.compile(r"([A-Za-z0-9-]+) ?\((.*)\) ?= ?([0-9a-fA-F]{32,128})")


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of a whole file: the algorithm as `hashlib` calls it, and hexadecimal digits in small letters."""

    algorithm: str
    value: str


def described(name: str) -> str | None:
    """The name of the file whose checksum a file of this name has; None where it is no such file."""
    lowered = name.lower()
    if not lowered.endswith(SUFFIXES):
        return None
    suffix = next(each for each in SUFFIXES if lowered.endswith(each))
    return name[: -len(suffix)] or None


def is_list(name: str) -> bool:
    """Whether a file of this name (in whatever folder) has the checksums of all files beside it."""
    return name.rpartition("/")[2] in LISTS


def read_sums(text: str) -> dict[str, Digest]:
    """The digests in a file of checksums, by the names that stand there ("" where there is but a digest).

    Lines are those of GNU's and BSD's tools; others are passed over.
    """
    found: dict[str, Digest] = {}
    for line in text.removeprefix("\ufeff").split("\n"):
        line = line.rstrip("\r")
        bsd = _BSD.fullmatch(line)
        if bsd:
            name, value = bsd[2], bsd[3]
        else:
            gnu = _GNU.fullmatch(line)
            if not gnu:
                continue
            name, value = gnu[3] or gnu[4] or "", gnu[2]
            if gnu[1]:  # GNU's tools escape names so, and say it by a backslash at the front
                name = re.sub(r"\\(.)", lambda each: {"n": "\n", "r": "\r"}.get(each[1], each[1]), name)
        algorithm = _BY_LENGTH.get(len(value))
        if algorithm:
            digest = Digest(algorithm, value.lower())
            found[name.removeprefix("./")] = _stronger(found.get(name.removeprefix("./")), digest)
    return found


def beside(text: str, name: str) -> Digest | None:
    """The digest of the file ``name`` in the file of checksums that is for it alone: it may call it by any path."""
    found = read_sums(text)
    base = name.rpartition("/")[2]
    for each, digest in found.items():
        if each.rpartition("/")[2] == base:
            return digest
    return next(iter(found.values())) if len(found) == 1 else None


def strongest(digests: Mapping[str, str]) -> Digest | None:
    """Of digests by algorithm the one that is hardest to forge; None where there is none that is known."""
    known = [each for each in ALGORITHMS if each in digests]
    return Digest(known[-1], digests[known[-1]].lower()) if known else None


def _stronger(one: Digest | None, other: Digest) -> Digest:
    if one is None or ALGORITHMS.index(other.algorithm) >= ALGORITHMS.index(one.algorithm):
        return other
    return one
