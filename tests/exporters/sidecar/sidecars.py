"""Runs the exporter for tests as people do: a process with a configuration, asked over its socket."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import binary, free_port

#: Long, since the machine may be busy with other tests.
PATIENCE_SECONDS = 60.0
COMMAND = [sys.executable, "-m", "tests.exporters.sidecar.told"]
Seen = TypeVar("Seen")
ROOT = Path(__file__).parent.parent.parent.parent


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


@dataclass
class Sidecar:
    """A running exporter."""

    process: subprocess.Popen[bytes]
    port: int
    config: Path
    log: Path
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str = "/metrics", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """One request on a connection of its own; an underscore in a header's name is a dash."""
        connection: http.client.HTTPConnection
        if self.tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE_SECONDS, context=self.tls)
        try:
            said = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
            connection.request(method, path, body, said)
            answer = connection.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def values(self) -> dict[tuple[str, ...], float]:
        """What is published: values by name and labels' values."""
        found = text_string_to_metric_families(self.ask().text)
        return {(each.name, *each.labels.values()): each.value for family in found for each in family.samples}

    def until(self, fits: Callable[[dict[tuple[str, ...], float]], bool]) -> dict[tuple[str, ...], float]:
        """What is published, once it fits; what is not there yet does not fit either."""

        def there(seen: dict[tuple[str, ...], float]) -> bool:
            try:
                return fits(seen)
            except KeyError:
                return False

        return eventually(self.values, there)

    def logged(self, words: str) -> str:
        """The log, once it has these words."""
        return eventually(self.log.read_text, lambda text: words in text)

    def begun(self) -> bool:
        """Whether it listens, or has ended."""
        return self.process.poll() is not None or "listening" in self.log.read_text()

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        return self.ask("/readyz").status == 200

    def lines(self) -> list[dict[str, Any]]:
        """The lines of a log of JSON."""
        return [json.loads(line) for line in self.log.read_text().split("\n") if line]

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def write(self, text: str) -> None:
        """Writes its configuration anew, as an editor does."""
        replace(self.config, text)

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(PATIENCE_SECONDS)


def replace(file: Path, text: str) -> None:
    """Puts another file in the place of one."""
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(text)
    fresh.rename(file)


def eventually(
    look: Callable[[], Seen], fits: Callable[[Seen], bool], patience_seconds: float = PATIENCE_SECONDS
) -> Seen:
    """What is seen, once it fits; fails the test where it never does."""
    deadline = time.monotonic() + patience_seconds
    while True:
        seen = look()
        if fits(seen):
            return seen
        if time.monotonic() > deadline:
            pytest.fail(f"never came about; at the end:\n{seen}"[-8000:], pytrace=False)
        time.sleep(0.05)  # between two looks, not instead of looking


@contextmanager
def sidecar(
    folder: Path,
    config: str,
    *,
    web_config: str = "",
    tls: ssl.SSLContext | None = None,
    arguments: Sequence[str] = (),
    host: str = "127.0.0.1",
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    ready: bool = True,
) -> Iterator[Sidecar]:
    """Runs the exporter until the block ends; enters it once it answers, and, unless not wanted, is ready."""
    path, log = folder / "told.yml", folder / "told.log"
    path.write_text(config)
    more = list(arguments)
    if web_config:
        (folder / "web.yml").write_text(web_config)
        more += ["--web-config", str(folder / "web.yml")]
    for attempt in range(5):
        port = free_port()
        listen = f"{host}:{port}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--config", str(path), "--listen", listen, *more],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
            )
        running = Sidecar(process, port, path, log, tls)
        try:
            eventually(running.begun, bool)
            if process.poll() is not None:
                if "port is in use" in log.read_text() and attempt < 4:
                    continue
                pytest.fail(f"it did not start:\n{log.read_text()}", pytrace=False)
            if ready:
                eventually(running.ready, bool)
            yield running
            return
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def run(*arguments: str, command: Sequence[str] = COMMAND, **environment: str) -> subprocess.CompletedProcess[str]:
    """The exporter's command, to its end."""
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def connected(port: int) -> socket.socket:
    """A bare connection."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


@dataclass(frozen=True)
class Certificates:
    """A certificate authority, in a folder."""

    folder: Path

    @property
    def authority(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.crt"

    def sign(self, name: str, into: Path | None = None) -> tuple[Path, Path]:
        """A certificate for localhost, and its key, called ``name``; into the files of another folder if wanted."""
        folder = into or self.folder
        key, request, certificate = (folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        extensions = folder / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signed_by: list[str | Path] = ["-CA", self.authority, "-CAkey", self.folder / "ca.key", "-CAcreateserial"]
        _openssl("x509", "-req", "-in", request, *signed_by, "-days", "30", "-extfile", extensions, "-out", certificate)
        return certificate, key

    def client(self, name: str = "") -> ssl.SSLContext:
        """A client that trusts it, with a certificate of its own if wanted."""
        context = ssl.create_default_context(cafile=self.authority)
        if name:
            context.load_cert_chain(*self.sign(name))
        return context


def authority(folder: Path) -> Certificates:
    """A new certificate authority."""
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str | Path] = ["-keyout", folder / "ca.key", "-out", folder / "ca.crt"]
    _openssl("req", "-x509", *_KEY, "-days", "30", "-subj", "/CN=the tests' CA", *names)
    return Certificates(folder)


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run([binary("openssl", "openssl"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
