"""Backups as people make them: by pg_dump of a real PostgreSQL, compressed and encrypted by the usual tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PASSPHRASE = "correct horse"
COMPRESSORS = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst", "lz4": "lz4"}


def tool(name: str, package: str = "") -> str:
    """A program's path; the test fails where it is not installed."""
    found = shutil.which(name)
    if found is None:
        newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        if not newest:
            pytest.fail(f"{name} is not installed; try: apt-get install {package or name}", pytrace=False)
        found = str(newest[-1])
    return found


def run(arguments: list[str | Path], *, given: bytes = b"", environment: dict[str, str] | None = None) -> bytes:
    """What a program writes; the test fails where it does."""
    done = subprocess.run(arguments, input=given, capture_output=True, env={**os.environ, **(environment or {})})
    if done.returncode:
        pytest.fail(f"{arguments[0]} failed: {done.stderr.decode()[-2000:]}", pytrace=False)
    return done.stdout


def pg_dump(url: str, *arguments: str | Path) -> bytes:
    """What pg_dump writes to its output."""
    return run([tool("pg_dump", "postgresql-client"), "-d", url, *arguments])


def compressed(data: bytes, by: str) -> bytes:
    """Compressed by a tool with its usual settings, in a pipe."""
    return run([tool(by), "-c"], given=data)


class Keys:
    """Keys of age and GnuPG, made for the tests in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="gpg-", dir="/tmp"))  # sockets' names must be short
        identity = folder / "age.key"
        run([tool("age-keygen", "age"), "-o", identity])
        text = identity.read_text()
        self.recipient = next(line.split()[-1] for line in text.splitlines() if "public key:" in line)
        self.gpg(["--quick-gen-key", "--passphrase", "", "backup@example.com", "default", "default", "never"])
        listed = self.gpg(["--list-keys", "--with-colons"]).decode()
        #: The id of the subkey that messages are encrypted for.
        self.key_id = next(line.split(":")[4] for line in listed.splitlines() if line.startswith("sub:"))

    def gpg(self, arguments: list[str | Path], given: bytes = b"") -> bytes:
        """What gpg writes."""
        usual: list[str | Path] = [tool("gpg", "gnupg"), "--batch", "--yes", "--trust-model", "always"]
        return run([*usual, "--homedir", self.home, *arguments], given=given)

    def age(self, data: bytes, *arguments: str) -> bytes:
        """Encrypted by age for the recipient."""
        return run([tool("age"), "-r", self.recipient, *arguments], given=data)

    def close(self) -> None:
        """Ends gpg's agent and takes its folder away."""
        subprocess.run([tool("gpgconf", "gnupg"), "--homedir", self.home, "--kill", "all"], capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)


FILL = (
    "CREATE TABLE orders (id int PRIMARY KEY, what text, at timestamptz DEFAULT now())",
    "INSERT INTO orders SELECT n, md5(n::text) || repeat('x', n % 50) FROM generate_series(1, 20000) n",
    "CREATE TABLE users (id int PRIMARY KEY, name text)",
    "INSERT INTO users SELECT n, md5((n * 7)::text) FROM generate_series(1, 3000) n",
    "CREATE VIEW latest AS SELECT max(at) FROM orders",
    "SELECT lo_from_bytea(0, decode(repeat('abcd', 2000), 'hex'))",
)
