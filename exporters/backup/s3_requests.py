"""Asking S3, in the process that has boto3: pages of a listing, parts of an object, what is said of one."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sla_kit.exporters.backup.aws_child import Clients

_PART_BYTES = 1 << 20
#: S3's names of the digests that `hashlib` has as well.
_DIGESTS = {"ChecksumSHA256": "sha256", "ChecksumSHA1": "sha1"}


class NoListingError(Exception):
    """What answered was no listing of a bucket, such as the page of a proxy."""


def list_objects(clients: Clients, given: dict[str, Any]) -> Iterator[list[tuple[str, int, float, str]]]:
    """Each page of a listing as key, bytes, time of the last change and ETag; of a ``flat`` one without what lies in
    folders. Versions that were replaced or deleted are not in it: nobody restores those by name."""
    pages = clients.client("s3").get_paginator("list_objects_v2")
    wanted = {"Bucket": given["bucket"], "Prefix": given["prefix"], **({"Delimiter": "/"} if given["flat"] else {})}
    for page in pages.paginate(**wanted):
        if "IsTruncated" not in page:  # an empty bucket says so, too
            raise NoListingError
        yield [
            (each["Key"], each["Size"], each["LastModified"].timestamp(), each.get("ETag", "").strip('"'))
            for each in page.get("Contents", [])
        ]


def read(clients: Clients, given: dict[str, Any]) -> Iterator[bytes]:
    """The bytes from ``start`` (``length`` of them, or all), as long as the object still has its ETag."""
    wanted: dict[str, Any] = {"Bucket": given["bucket"], "Key": given["key"]}
    if given["etag"]:
        wanted["IfMatch"] = f'"{given["etag"]}"'
    start, length = given["start"], given["length"]
    wanted["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
    body = clients.client("s3").get_object(**wanted)["Body"]
    with body:
        yield from body.iter_chunks(_PART_BYTES)


def facts(clients: Clients, given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """How an object is encrypted and with which key, its digests and its storage class.

    What a bucket encrypts by default says nothing of objects from before, so only the object itself is asked; one that
    was encrypted by default says so. The ETag of an object that Amazon stored in one part, and not under a KMS key, is
    its MD5; others need not keep to that.
    """
    wanted: dict[str, Any] = {"Bucket": given["bucket"], "Key": given["key"], "ChecksumMode": "ENABLED"}
    if given["etag"]:
        wanted["IfMatch"] = f'"{given["etag"]}"'
    head = clients.client("s3").head_object(**wanted)
    encryption = head.get("ServerSideEncryption", "")
    etag = head.get("ETag", "").strip('"')
    checksums: dict[str, str] = {}
    # What came in several parts has a "-" and their number behind its ETag; its digests are of the parts' digests.
    if "-" not in etag and head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for theirs, ours in _DIGESTS.items():
            if theirs in head:
                checksums[ours] = base64.b64decode(head[theirs]).hex()
        if clients.amazon and encryption in ("", "AES256") and len(etag) == 32:
            checksums["md5"] = etag
    yield {
        "encryption": encryption,
        "key": head.get("SSEKMSKeyId", ""),
        "checksums": checksums,
        "storage_class": head.get("StorageClass", "STANDARD"),
    }
