"""Buckets as a place of backups, against a server that speaks S3."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.backup.aws import Opening
from sla_kit.exporters.backup.configuration import Bucket, Credentials
from sla_kit.exporters.backup.s3 import S3Store, bucket_store
from sla_kit.exporters.backup.store import StoredObject
from sla_kit.exporters.sidecar.collector import CollectError
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer, aws_server
from tests.servers.process import refusing_port

pytestmark = pytest.mark.xdist_group("aws")
KEYS = Credentials(access_key=Secret(env="STORE_KEY"), secret_key=Secret(env="STORE_SECRET"))


@pytest.fixture(scope="module")
def running() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture
def aws(running: AwsServer, monkeypatch: pytest.MonkeyPatch) -> AwsServer:
    """A server with nothing in it, and an environment in which boto3 finds no credentials but those given."""
    running.reset()
    monkeypatch.setenv("STORE_KEY", ACCESS_KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET_KEY)
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    return running


@contextmanager
def refusing(status: int, code: str) -> Iterator[str]:
    """The address of what answers every request with an error as S3 writes it: the tests' server can't be made to."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>a secret of theirs</Message></Error>"
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def stores() -> Iterator[list[S3Store]]:
    """Stores that are closed after the test."""
    opened: list[S3Store] = []
    yield opened
    for store in opened:
        store.close()


def opened(stores: list[S3Store], aws: AwsServer, **said: object) -> S3Store:
    given = {"bucket": "dumps", "region": "eu-central-1", "endpoint": aws.url, "path_style": True, "credentials": KEYS}
    store = bucket_store(Bucket(**{**given, **said}))  # type: ignore[arg-type]
    stores.append(store)
    return store


def soon(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


def found(store: S3Store, name: str) -> StoredObject:
    (only,) = (each for each in store.list(name, soon()) if each.name == name)
    return only


def refused(store: S3Store, seconds: float = 60.0) -> CollectError:
    with pytest.raises(CollectError) as raised:
        list(store.list("", soon(seconds)))
    return raised.value


def test_all_pages_of_a_listing_come_with_sizes_and_times(aws: AwsServer, stores: list[S3Store]) -> None:
    client = aws.bucket("dumps")
    for number in range(1203):  # a page has 1000
        aws.objects().put_object("dumps", f"db/{number:04}.dump", b"x" * (number % 7))
    client.put_object(Bucket="dumps", Key="db/", Body=b"")
    client.put_object(Bucket="dumps", Key="database/other.dump", Body=b"x")
    listed = list(opened(stores, aws, prefix="/db/").list("", soon()))
    assert [each.name for each in listed] == [f"{number:04}.dump" for number in range(1203)]
    assert [each.size_bytes for each in listed] == [number % 7 for number in range(1203)]
    modified = client.head_object(Bucket="dumps", Key="db/0005.dump")["LastModified"].timestamp()
    assert listed[5].modified == modified
    assert [each.name for each in opened(stores, aws, prefix="db").list("12", soon())] == [
        "1200.dump",
        "1201.dump",
        "1202.dump",
    ]


def test_an_empty_bucket_has_nothing_in_it(aws: AwsServer, stores: list[S3Store]) -> None:
    aws.bucket("dumps")
    assert list(opened(stores, aws).list("", soon())) == []


def test_what_lies_right_in_a_place_is_listed_without_its_folders(aws: AwsServer, stores: list[S3Store]) -> None:
    client = aws.bucket("dumps")
    for key in ("db/a.dump", "db/b.dump", "db/deep/c.dump", "other"):
        client.put_object(Bucket="dumps", Key=key, Body=b"x")
    store = opened(stores, aws, prefix="db")
    assert [each.name for each in store.list("", soon(), depth=0)] == ["a.dump", "b.dump"]
    assert [each.name for each in store.list("b", soon(), depth=0)] == ["b.dump"]
    assert [each.name for each in store.list("deep/", soon(), depth=1)] == ["deep/c.dump"]
    assert len(list(store.list("", soon()))) == 3


def test_ranges_are_read_as_they_are(aws: AwsServer, stores: list[S3Store]) -> None:
    content = os.urandom(3_500_000)
    client = aws.bucket("dumps")
    client.put_object(Bucket="dumps", Key="one", Body=content)
    client.put_object(Bucket="dumps", Key="none", Body=b"")
    store = opened(stores, aws)
    one = found(store, "one")
    assert store.read(one, 0, 10, soon()) == content[:10]
    assert store.read(one, 3_499_990, 100, soon()) == content[-10:]
    assert store.read(one, 1_000_000, 2_000_000, soon()) == content[1_000_000:3_000_000]
    assert store.read(one, 3_500_000, 10, soon()) == b""
    assert b"".join(store.chunks(one, 0, soon())) == content
    assert b"".join(store.chunks(one, 3_000_001, soon())) == content[3_000_001:]
    assert max(len(part) for part in store.chunks(one, 0, soon())) <= 1 << 20
    none = found(store, "none")
    assert store.read(none, 0, 10, soon()) == b""
    assert list(store.chunks(none, 0, soon())) == []


def test_an_answer_that_is_not_wanted_to_its_end_leaves_the_next_one_whole(
    aws: AwsServer, stores: list[S3Store]
) -> None:
    content = os.urandom(8_000_000)
    aws.bucket("dumps").put_object(Bucket="dumps", Key="one", Body=content)
    store = opened(stores, aws)
    one = found(store, "one")
    parts = store.chunks(one, 0, soon())
    assert next(parts)
    parts.close()  # type: ignore[attr-defined]
    assert store.read(one, 7_999_990, 10, soon()) == content[-10:]


def test_what_has_changed_or_gone_since_it_was_listed_is_not_read(aws: AwsServer, stores: list[S3Store]) -> None:
    client = aws.bucket("dumps")
    client.put_object(Bucket="dumps", Key="one", Body=b"before")
    store = opened(stores, aws)
    one = found(store, "one")
    client.put_object(Bucket="dumps", Key="one", Body=b"after!")
    with pytest.raises(CollectError) as changed:
        store.read(one, 0, 6, soon())
    assert changed.value.kind == "data"
    assert "one: the object has changed" in changed.value.message
    client.delete_object(Bucket="dumps", Key="one")
    for ask in (lambda: store.read(one, 0, 6, soon()), lambda: store.facts(one, soon())):
        with pytest.raises(CollectError) as gone:
            ask()
        assert (gone.value.kind, gone.value.message) == ("data", "one: the object is gone")


def test_only_current_versions_count(aws: AwsServer, stores: list[S3Store]) -> None:
    client = aws.bucket("dumps")
    client.put_bucket_versioning(Bucket="dumps", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second!"):
        client.put_object(Bucket="dumps", Key="kept", Body=body)
    client.put_object(Bucket="dumps", Key="deleted", Body=b"x")
    client.delete_object(Bucket="dumps", Key="deleted")
    assert [(each.name, each.size_bytes) for each in opened(stores, aws).list("", soon())] == [("kept", 7)]


def test_encryption_is_what_the_object_itself_says(aws: AwsServer, stores: list[S3Store]) -> None:
    client = aws.bucket("dumps")
    client.put_object(Bucket="dumps", Key="before", Body=b"x")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    client.put_object(Bucket="dumps", Key="kms", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket="dumps", ServerSideEncryptionConfiguration={"Rules": [rule]})
    client.put_object(Bucket="dumps", Key="default", Body=b"x")
    store = opened(stores, aws)
    facts = {name: store.facts(found(store, name), soon()) for name in ("before", "kms", "default")}
    assert {name: each.encryption for name, each in facts.items()} == {
        "before": "",  # the bucket's default came later
        "kms": "aws:kms",
        "default": "AES256",
    }
    assert facts["kms"].key == key
    assert facts["default"].key == ""


def test_digests_of_the_whole_object_are_told_in_hexadecimal(aws: AwsServer, stores: list[S3Store]) -> None:
    content = os.urandom(1000)
    client = aws.bucket("dumps")
    client.put_object(Bucket="dumps", Key="one", Body=content, ChecksumAlgorithm="SHA256")
    client.put_object(Bucket="dumps", Key="bare", Body=content)
    store = opened(stores, aws)
    assert store.facts(found(store, "one"), soon()).checksums == {"sha256": hashlib.sha256(content).hexdigest()}
    assert "sha256" not in store.facts(found(store, "bare"), soon()).checksums


def test_the_digest_of_parts_digests_is_none_of_the_object(aws: AwsServer, stores: list[S3Store]) -> None:
    client = aws.bucket("dumps")
    upload = client.create_multipart_upload(Bucket="dumps", Key="large", ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number in (1, 2):
        sent = client.upload_part(
            Bucket="dumps",
            Key="large",
            UploadId=upload,
            PartNumber=number,
            Body=bytes(5 << 20),
            ChecksumAlgorithm="SHA256",
        )
        parts.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
    client.complete_multipart_upload(Bucket="dumps", Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    store = opened(stores, aws)
    large = found(store, "large")
    assert large.etag.endswith("-2")
    assert store.facts(large, soon()).checksums == {}


def test_amazon_s_etag_is_the_md5_of_what_came_in_one_part(
    aws: AwsServer, stores: list[S3Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another store than Amazon's nobody knows: the tests' server stands for Amazon where no endpoint is said."""
    content = os.urandom(1000)
    aws.bucket("dumps").put_object(Bucket="dumps", Key="one", Body=content)
    elsewhere = opened(stores, aws)
    assert "md5" not in elsewhere.facts(found(elsewhere, "one"), soon()).checksums
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    amazon = opened(stores, aws, endpoint="")
    assert amazon.facts(found(amazon, "one"), soon()).checksums["md5"] == hashlib.md5(content).hexdigest()


def test_what_lies_in_a_glacier_is_listed_and_says_why_it_can_not_be_read(
    aws: AwsServer, stores: list[S3Store]
) -> None:
    aws.bucket("dumps").put_object(Bucket="dumps", Key="cold", Body=b"x", StorageClass="GLACIER")
    store = opened(stores, aws)
    cold = found(store, "cold")
    assert store.facts(cold, soon()).encryption == ""
    with pytest.raises(CollectError) as raised:
        store.read(cold, 0, 1, soon())
    assert raised.value.kind == "data"
    assert "Glacier" in raised.value.message


def test_credentials_are_found_as_boto3_finds_them(
    aws: AwsServer, stores: list[S3Store], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws.bucket("dumps").put_object(Bucket="dumps", Key="one", Body=b"x")
    told = refused(opened(stores, aws, credentials=None))
    assert (told.kind, told.message) == ("auth", "no credentials were found")
    assert told.remedy
    profile = tmp_path / "credentials"
    profile.write_text(f"[backups]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    monkeypatch.setenv("AWS_PROFILE", "backups")
    assert [each.name for each in opened(stores, aws, credentials=None).list("", soon())] == ["one"]


def test_a_role_is_taken_on_by_web_identity(
    aws: AwsServer, stores: list[S3Store], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As pods on EKS do: a token in a file, and a role to ask for with it."""
    aws.bucket("dumps").put_object(Bucket="dumps", Key="one", Body=b"x")
    token = tmp_path / "token"
    token.write_text("a.web.token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/backups")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
    assert [each.name for each in opened(stores, aws, credentials=None).list("", soon())] == ["one"]


def test_a_bucket_that_is_not_there_is_no_empty_one(aws: AwsServer, stores: list[S3Store]) -> None:
    told = refused(opened(stores, aws, bucket="nowhere"))
    assert (told.kind, told.message) == ("connect", "there is no such bucket")
    assert told.place == f"s3://nowhere at {aws.url}"


def test_a_name_that_no_bucket_can_have_is_told(aws: AwsServer, stores: list[S3Store]) -> None:
    assert refused(opened(stores, aws, bucket="not a bucket!")).kind == "query"


@pytest.mark.parametrize(
    ("status", "code", "kind", "told", "remedy"),
    [
        (403, "AccessDenied", "auth", "does not allow us ListObjectsV2", "s3:ListBucket"),
        (403, "RequestTimeTooSkewed", "auth", "clock", "NTP"),
        (403, "SignatureDoesNotMatch", "auth", "does not take our credentials", "check the keys"),
        (403, "InvalidAccessKeyId", "auth", "does not take our credentials", "check the keys"),
        (400, "ExpiredToken", "auth", "expired", "renew"),
        (503, "SlowDown", "timeout", "slow down", "interval"),
        (400, "AuthorizationHeaderMalformed", "connect", "another region", "set its region"),
        (301, "PermanentRedirect", "connect", "another region", "set its region"),
        (500, "InternalError", "connect", "answers ListObjectsV2 with 500", "store itself"),
        (400, "SomethingElse", "query", "refuses ListObjectsV2 (SomethingElse)", ""),
    ],
)
def test_a_refusal_is_told_with_its_remedy_and_without_its_own_words(
    aws: AwsServer, stores: list[S3Store], status: int, code: str, kind: str, told: str, remedy: str
) -> None:
    with refusing(status, code) as url:
        error = refused(opened(stores, aws, endpoint=url))
    assert error.kind == kind
    assert told in error.message
    assert remedy in error.remedy
    assert "secret" not in str(error)


def test_nobody_at_the_endpoint_is_told_soon(
    aws: AwsServer, stores: list[S3Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_port() as port:
        told = refused(opened(stores, aws, endpoint=f"http://127.0.0.1:{port}"))
    assert (told.kind, told.message) == ("connect", "can't be reached")
    monkeypatch.setenv("RES_OPTIONS", "timeout:1 attempts:1")  # where nobody answers who knows names
    unresolved = refused(opened(stores, aws, endpoint="http://no-such-host.invalid:9000"))
    assert unresolved.kind == "connect"


def test_plain_http_where_tls_is_expected_is_told(aws: AwsServer, stores: list[S3Store]) -> None:
    assert refused(opened(stores, aws, endpoint=aws.url.replace("http:", "https:"))).kind == "connect"


def test_an_endpoint_that_accepts_and_says_nothing_is_given_up_at_the_deadline(
    aws: AwsServer, stores: list[S3Store]
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        store = opened(stores, aws, endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}")
        told = refused(store, 2.0)
        assert told.kind == "timeout"
        assert store._child._process is None  # it was killed


def test_a_killed_process_is_followed_by_another(aws: AwsServer, stores: list[S3Store]) -> None:
    aws.bucket("dumps").put_object(Bucket="dumps", Key="one", Body=b"x")
    store = opened(stores, aws)
    assert [each.name for each in store.list("", soon())] == ["one"]
    process = store._child._process
    assert process is not None
    process.kill()
    process.wait()
    assert [each.name for each in store.list("", soon())] == ["one"]


def test_the_process_ends_by_itself_and_leaves_none_behind(aws: AwsServer, stores: list[S3Store]) -> None:
    aws.bucket("dumps")
    store = opened(stores, aws)
    list(store.list("", soon()))
    process = store._child._process
    assert process is not None
    assert process.wait(60.0) == 0
    assert list(store.list("", soon())) == []
    again = store._child._process
    assert again is not None
    store.close()
    assert again.returncode is not None
    store.close()


def test_secrets_are_on_no_command_line_in_no_environment_and_in_no_message(
    aws: AwsServer, stores: list[S3Store]
) -> None:
    aws.bucket("dumps")
    store = opened(stores, aws)
    list(store.list("", soon()))
    process = store._child._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)  # or it might end, as nobody asks it anything
    assert process.poll() is None
    line = subprocess.run(["ps", "-o", "args=", "-p", str(process.pid)], capture_output=True, text=True).stdout
    assert "aws_child" in line
    assert ACCESS_KEY not in line
    assert SECRET_KEY not in line
    assert SECRET_KEY.encode() not in Path(f"/proc/{process.pid}/environ").read_bytes()
    assert SECRET_KEY not in repr(store)
    assert SECRET_KEY not in repr(Opening(secret_key=SECRET_KEY, access_key=ACCESS_KEY))


def test_a_secret_that_is_not_there_is_told_before_anybody_is_asked(
    aws: AwsServer, stores: list[S3Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORE_SECRET")
    assert refused(opened(stores, aws)).kind == "auth"


def test_stores_of_the_same_bucket_are_equal(aws: AwsServer, stores: list[S3Store]) -> None:
    assert opened(stores, aws) == opened(stores, aws)
    assert opened(stores, aws) != opened(stores, aws, prefix="db")
    assert opened(stores, aws, prefix="db").place == "s3://dumps/db"
