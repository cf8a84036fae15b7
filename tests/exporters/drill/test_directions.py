"""A drill goes where its address says: neither the environment, nor a second name of a source, nor something in between
leads it elsewhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from sla_kit.exporters.drill.marker import refuse_sources
from sla_kit.exporters.drill.sessions import addresses, connect, one_server
from tests.exporters.drill.drilling import Shop, configure, drill, everything
from tests.servers import Postgresql, postgresql

pytestmark = pytest.mark.xdist_group("drill")
_READABLE = [{"kind": "readable"}]


@pytest.fixture(scope="module")
def production() -> Iterator[Postgresql]:
    """A server that nobody has marked, which would let in whoever a drill's own server knows."""
    with postgresql() as server:
        server.run("CREATE ROLE sla_kit_scratch SUPERUSER LOGIN")
        yield server


def _port(server: Postgresql) -> str:
    return str(urlsplit(server.url).port)


@pytest.mark.parametrize("way", ["address", "service", "options", "demands"])
def test_the_environment_leads_no_drill_elsewhere(
    way: str, shop: Shop, production: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text(f"[production]\nhostaddr=127.0.0.1\nport={_port(production)}\n")
    variables = {
        "address": {"PGHOSTADDR": "127.0.0.1", "PGPORT": _port(production), "PGHOST": "127.0.0.1"},
        "service": {"PGSERVICE": "production", "PGSERVICEFILE": str(tmp_path / "services")},
        "options": {"PGOPTIONS": "-c default_transaction_read_only=on", "PGDATABASE": "elsewhere"},
        "demands": {"PGTARGETSESSIONATTRS": "read-only", "PGREQUIREPEER": "nobody-of-that-name"},
    }[way]
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    before = everything(production)
    with monkeypatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        evidence, _ = drill(configure(tmp_path, "plain.sql", checks=_READABLE))
    assert evidence.outcome == "succeeded", evidence
    assert everything(production) == before


def test_what_is_marked_is_what_the_address_names(
    production: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(production)
    url = production.url.replace("127.0.0.1", "scratch.invalid")
    with monkeypatch.context() as patched:
        patched.setenv("PGHOSTADDR", "127.0.0.1")
        result = CliRunner().invoke(main, ["drill", "mark-scratch", url, "--yes"])
    assert result.exit_code != 0
    assert everything(production) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("postgresql://sla@127.0.0.1:1,127.0.0.2:2/postgres", "several servers"),
        ("postgresql://sla@127.0.0.1/postgres?service=production", "service file"),
        ("postgresql://sla@scratch.invalid/postgres?hostaddr=127.0.0.1", "names a server twice"),
    ],
)
def test_an_address_that_could_be_another_server_is_refused(more: str, says: str, shop: Shop, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    evidence, failure = drill(configure(tmp_path, "plain.sql", scratch={"url": more}, checks=_READABLE))
    assert failure is not None
    assert failure.exit_code == 2
    assert says in evidence.reason


def test_hosts_and_ports_are_paired_as_libpq_does() -> None:
    assert addresses("postgresql://a:1,b:2/x") == [("a", "1"), ("b", "2")]
    assert addresses("host=a,b port=7") == [("a", "7"), ("b", "7")]
    assert addresses("postgresql://a:7/x?hostaddr=10.0.0.1") == [("a", "7"), ("10.0.0.1", "7")]
    assert addresses("postgresql:///x") == [("localhost", "5432")]


@pytest.mark.parametrize("alias", ["127.0.0.5", "0.0.0.0", "[::ffff:127.0.0.1]", "[::1]", "LOCALHOST", "", "own"])
def test_a_source_under_another_name_of_this_machine_is_refused(alias: str, scratch_server: Postgresql) -> None:
    if alias == "own":  # an address of one of its interfaces; the loopback where it has no other
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            probe.connect(("192.0.2.1", 9))  # sends nothing
            alias = probe.getsockname()[0]
        alias = "127.0.0.1" if alias == "own" else alias
    source = f"postgresql://app@{alias}:{_port(scratch_server)}/shop"
    with (
        connect(one_server(scratch_server.url)) as connection,
        pytest.raises(Exception, match="one of `sources`"),
    ):
        refuse_sources(connection, [source])


@contextmanager
def _pooler(server: Postgresql) -> Iterator[int]:
    """Passes on what a server says, but the number of its process, as poolers do that keep sessions to themselves."""

    def pump(source: socket.socket, sink: socket.socket, alter: bool) -> None:
        while part := source.recv(65536):
            at = part.find(b"K\0\0\0\x0c") if alter else -1  # the message with the key to cancel by
            if at >= 0:
                part, alter = part[: at + 5] + b"\0\0\0\x01" + part[at + 9 :], False
            sink.sendall(part)
        sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            behind = socket.create_connection(("127.0.0.1", int(_port(server))))
            threading.Thread(target=pump, args=(client, behind, False), daemon=True).start()
            threading.Thread(target=pump, args=(behind, client, True), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1])


def test_a_server_behind_a_pooler_is_refused(scratch_server: Postgresql, shop: Shop, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    before = everything(scratch_server)
    with _pooler(scratch_server) as port:
        url = (
            scratch_server.url.replace(f":{_port(scratch_server)}", f":{port}") + "?gssencmode=disable&sslmode=disable"
        )
        with psycopg.connect(url) as connection:
            assert connection.info.backend_pid == 1
        evidence, failure = drill(configure(tmp_path, "plain.sql", scratch={"url": url}, checks=_READABLE))
    assert failure is not None
    assert "pooler" in evidence.reason
    assert everything(scratch_server) == before
