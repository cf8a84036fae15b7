"""The check that a container runs beside its exporter: yes only where the exporter says so."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import binary, refusing_port


@contextmanager
def answering(code: int, certificate: Path | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sla_kit.exporters.healthcheck", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_only_an_answer_of_200_is_well() -> None:
    with answering(200) as port:
        assert check(f"http://127.0.0.1:{port}/healthz").returncode == 0
        # A proxy of the environment is not asked.
        well = check(SLA_KIT_HEALTHCHECK_URL=f"http://127.0.0.1:{port}/healthz", http_proxy="http://127.0.0.1:9")
        assert (well.returncode, well.stderr) == (0, "")
        assert check(f"http://127.0.0.1:{port}/other").returncode == 1
    for code in (503, 401, 500):
        with answering(code) as port:
            found = check(f"http://127.0.0.1:{port}/healthz")
            assert found.returncode == 1
            assert f"it answers {code}" in found.stderr
    with refusing_port() as port:
        nobody = check(f"http://127.0.0.1:{port}/healthz")
    assert nobody.returncode == 1
    assert "Connection refused" in nobody.stderr


def test_what_hangs_or_speaks_no_http_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it is never accepted
        found = check(f"http://127.0.0.1:{silent.getsockname()[1]}/healthz")
        assert found.returncode == 1
        assert "Traceback" not in found.stderr
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def chatter() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=chatter)
        thread.start()
        found = check(f"http://127.0.0.1:{listener.getsockname()[1]}/healthz")
        thread.join()
        assert found.returncode == 1
        assert "Traceback" not in found.stderr


def test_a_certificate_of_its_own_is_taken_here_and_nowhere_else(tmp_path: Path) -> None:
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=exporter.example"
    files = ["-keyout", "both.pem", "-out", "certificate.pem"]
    openssl = binary("openssl", "openssl")
    subprocess.run([openssl, *arguments.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    both = tmp_path / "both.pem"
    both.write_text(both.read_text() + (tmp_path / "certificate.pem").read_text())
    with answering(200, both) as port:
        assert check(f"https://127.0.0.1:{port}/healthz").returncode == 0
        assert check(f"http://127.0.0.1:{port}/healthz").returncode == 1
        # The same machine by a name that is not said to be it.
        code = (
            "import socket, sys; from sla_kit.exporters import healthcheck\n"
            "real = socket.getaddrinfo\n"
            "socket.getaddrinfo = lambda host, *rest, **more: real('127.0.0.1', *rest, **more)\n"
            f"print(healthcheck.problem('https://exporter.example:{port}/healthz'))"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "certificate verify failed" in found.stdout.lower()


@pytest.mark.parametrize(
    "arguments", [["localhost:9117"], ["ftp://localhost/"], ["http://a@b/"], ["http://[/"], ["a", "b"]]
)
def test_what_is_no_address_is_a_mistake(arguments: list[str]) -> None:
    found = check(*arguments)
    assert found.returncode == 2
    assert "usage" in found.stderr
