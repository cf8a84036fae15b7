"""Backups in a bucket of S3, or of a store that speaks as it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sla_kit.exporters.backup.aws import Aws, Child
from sla_kit.exporters.backup.configuration import Bucket
from sla_kit.exporters.backup.store import Facts, StoredObject
from sla_kit.exporters.sidecar.collector import CollectError


@dataclass(frozen=True, slots=True)
class S3Store:
    """The objects of a bucket below a prefix, as a `BackupStore`; asked through a process of its own (`aws`).

    Only the current version of an object counts, and none behind a delete marker.
    """

    bucket: str
    prefix: str
    aws: Aws
    _child: Child = field(compare=False, repr=False)

    @property
    def place(self) -> str:
        """The bucket's address."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def list(self, prefix: str, deadline: float, *, depth: int | None = None) -> Iterator[StoredObject]:
        """All objects whose names begin with ``prefix``, a page at a time; marks of folders are left out.

        Only a ``depth`` of 0 makes less to list: then what lies in folders does not come.
        """
        asked = {"bucket": self.bucket, "prefix": self.prefix + prefix, "flat": depth == 0 and "/" not in prefix}
        for page in self._child.ask("s3_list", asked, deadline, self.place):
            for key, size, modified, etag in page:
                if not key.endswith("/"):
                    yield StoredObject(key[len(self.prefix) :], size, modified, etag)

    def read(self, found: StoredObject, start: int, length: int, deadline: float) -> bytes:
        """The bytes from ``start``, by a ranged request for the version that was listed."""
        length = min(length, found.size_bytes - start)
        if length <= 0:
            return b""
        return b"".join(self._read(found, start, length, deadline))

    def chunks(self, found: StoredObject, start: int, deadline: float) -> Iterator[bytes]:
        """All bytes from ``start``, of one request."""
        if start < found.size_bytes:
            yield from self._read(found, start, None, deadline)

    def facts(self, found: StoredObject, deadline: float) -> Facts:
        """How the bucket keeps an object: its encryption and key, and its digests where it has them."""
        asked = {"bucket": self.bucket, "key": self.prefix + found.name, "etag": found.etag}
        (said,) = self._ask("s3_facts", asked, found, deadline)
        return Facts(said["encryption"], said["key"], said["checksums"])

    def close(self) -> None:
        """Ends the process that asks."""
        self._child.close()

    def _read(self, found: StoredObject, start: int, length: int | None, deadline: float) -> Iterator[bytes]:
        asked = {"bucket": self.bucket, "key": self.prefix + found.name, "etag": found.etag}
        return self._ask("s3_read", {**asked, "start": start, "length": length}, found, deadline)

    def _ask(self, what: str, given: dict[str, Any], found: StoredObject, deadline: float) -> Iterator[Any]:
        try:
            yield from self._child.ask(what, given, deadline, self.place)
        except CollectError as error:
            if error.kind != "data":
                raise
            raise CollectError(
                "data", f"{found.name}: {error.message}", place=error.place, remedy=error.remedy
            ) from None


def bucket_store(bucket: Bucket) -> S3Store:
    """The store of a bucket as a configuration says it; nobody is asked."""
    prefix = bucket.prefix.strip("/")
    aws = Aws(bucket.region, bucket.endpoint, bucket.credentials, bucket.ca_file, bucket.path_style)
    return S3Store(bucket.bucket, f"{prefix}/" if prefix else "", aws, Child(aws))
