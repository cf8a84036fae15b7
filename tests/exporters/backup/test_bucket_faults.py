"""Buckets and what stands in their place when something, or someone, has gone wrong."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.backup.configuration import Bucket, Credentials
from sla_kit.exporters.backup.s3 import S3Store, bucket_store
from sla_kit.exporters.sidecar.collector import CollectError
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer, aws_server
from tests.servers.process import refusing_port

pytestmark = pytest.mark.xdist_group("aws")
SECONDS = 60.0
SQL = b"--\n-- PostgreSQL database dump\n--\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n"


@pytest.fixture(scope="module")
def running() -> Iterator[AwsServer]:
    with aws_server() as server:
        yield server


@pytest.fixture
def aws(running: AwsServer, environment: None) -> AwsServer:
    running.reset()
    return running


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STORE_KEY", ACCESS_KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET_KEY)


@contextmanager
def opened(url: str, **said: object) -> Iterator[S3Store]:
    keys = Credentials(access_key=Secret(env="STORE_KEY"), secret_key=Secret(env="STORE_SECRET"))
    given = {"bucket": "dumps", "region": "eu-central-1", "endpoint": url, "path_style": True, "credentials": keys}
    store = bucket_store(Bucket(**{**given, **said}))  # type: ignore[arg-type]
    try:
        yield store
    finally:
        store.close()


@contextmanager
def answering(text: bytes, kind: str, status: int = 200) -> Iterator[str]:
    """The address of what answers everything alike: no server of the tests can be made to."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(store: S3Store) -> CollectError:
    with pytest.raises(CollectError) as raised:
        list(store.list("", time.monotonic() + SECONDS))
    return raised.value


@pytest.mark.parametrize(
    "text",
    [
        b"<!doctype html><html><body><p>Sign in<br></html>",
        b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body><p>Sign in</p></body></html>",
        b'{"buckets": []}',
        b"",
    ],
)
def test_a_page_of_something_else_is_no_empty_bucket(environment: None, text: bytes) -> None:
    with answering(text, "text/html") as url, opened(url) as store:
        error = refused(store)
    assert error.kind == "connect"
    assert "Sign in" not in str(error)


def test_a_proxy_that_is_not_there_is_named(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with refusing_port() as port, opened("http://store.invalid:9000") as store:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:a-password@127.0.0.1:{port}")
        error = refused(store)
    assert "the proxy can't be reached" in str(error)
    assert "a-password" not in str(error)


def test_a_process_that_ends_in_the_middle_of_an_answer_is_told(aws: AwsServer) -> None:
    client = aws.bucket("dumps")
    client.put_object(Bucket="dumps", Key="large", Body=bytes(8 << 20))
    with opened(aws.url) as store:
        (found,) = store.list("", time.monotonic() + SECONDS)
        parts = store.chunks(found, 0, time.monotonic() + SECONDS)
        next(parts)
        process = store._child._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(CollectError) as raised:
            list(parts)
        assert raised.value.kind == "internal"
        assert "ended in the middle of an answer (signal 9" in str(raised.value)
        assert [each.name for each in store.list("", time.monotonic() + SECONDS)] == ["large"]


def test_a_process_whose_credentials_are_refused_asks_no_more(environment: None) -> None:
    text = b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code></Error>"
    with answering(text, "application/xml", 403) as url, opened(url) as store:
        assert refused(store).kind == "auth"
        assert store._child._process is None


def test_archived_backups_are_told_of_once_and_by_the_newest(
    aws: AwsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = aws.bucket("dumps")
    client.put_object(Bucket="dumps", Key="shop-2024-11-03.sql", Body=SQL)
    for day in (1, 2):
        client.put_object(Bucket="dumps", Key=f"shop-2024-11-0{day}.sql", Body=SQL, StorageClass="GLACIER")
    path = tmp_path / "backup.yml"
    path.write_text(f"""
dumps:
  - targets: [shop]
    pattern: "{{target}}-{{time:%Y-%m-%d}}.sql"
    places:
      - {{type: s3, bucket: dumps, region: eu-central-1, endpoint: "{aws.url}", path_style: true,
         credentials: {{access_key: {{env: STORE_KEY}}, secret_key: {{env: STORE_SECRET}}}}}}
""")
    (collector,) = EXPORTER.load(path).collectors
    caplog.set_level(logging.WARNING)
    try:
        for _ in range(2):
            found = list(collector.collect(time.monotonic() + SECONDS))
    finally:
        collector.close()
    (told,) = [each for each in caplog.records if "can't be looked at" in each.message]
    assert "shop-2024-11-02.sql" in told.message
    assert "Glacier" in told.message
    assert "storage class" in told.message
    files = next(each for each in found if each.name == "backup_files")
    assert {each.labels["state"]: each.value for each in files.samples if each.value} == {"usable": 1, "unexamined": 2}
