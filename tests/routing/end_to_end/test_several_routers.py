"""Three routers that share an outbox in PostgreSQL, of which any may be killed, cut off from the database, or find it
restarted: each group is told exactly once, whichever of them took its webhooks."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.routing.end_to_end.forked import ForkedRouter, Nursery, alive
from tests.routing.end_to_end.groups import (
    Services,
    check,
    group,
    local_services,
    sending,
    shuffled,
    wait_for_the_last,
)
from tests.routing.routers import until
from tests.servers import Postgresql, postgresql
from tests.servers.postgresql import started_again

RUNS, WORKERS, ROUTERS = 20, 4, 3
PREPARE = [f"tests.routing.end_to_end.preparing:{name}" for name in ("hurry", "hang_up_soon", "give_up_soon")]


class Network:
    """What is between a router and a PostgreSQL: connections through it can be cut, and refused for a while."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._down = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection, and lets none through until `mend`."""
        with self._lock:
            self._down = True
            cut, self._open = self._open, set()
        for each in cut:
            _end(each)

    def mend(self) -> None:
        """Lets connections through again."""
        with self._lock:
            self._down = False

    def close(self) -> None:
        """Lets nothing through any more."""
        _end(self._listener)
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        except OSError:
            _end(client)
            return
        server.settimeout(None)
        with self._lock:
            down = self._down
            if not down:
                self._open |= {client, server}
        if down:
            _end(client)
            _end(server)
            return
        threading.Thread(target=self._carry, args=(client, server), daemon=True).start()
        self._carry(server, client)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with self._lock:
                self._open.discard(each)
            _end(each)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with postgresql() as running:
        yield running


@pytest.fixture
def services() -> Iterator[Services]:
    with local_services() as found:
        yield found


def port_of(server: Postgresql) -> int:
    """Where it listens."""
    return int(server.url.rpartition(":")[2].partition("/")[0])


def routers_of(
    nursery: Nursery, services: Services, folder: Path, address: str, networks: list[Network]
) -> list[ForkedRouter]:
    """A router for each network, each with a folder of its own."""
    found = []
    for number, network in enumerate(networks):
        own = folder / f"router-{number}"
        own.mkdir(exist_ok=True)
        name = address.rpartition("/")[2]
        outbox = f"postgresql://sla@127.0.0.1:{network.port}/{name}"
        found.append(ForkedRouter(nursery, services.catalogue(own), outbox, prepare=PREPARE))
    return found


class Crew:
    """Routers, each of which is begun again whenever it has ended, as whoever looks after it does."""

    def __init__(self, routers: list[ForkedRouter]) -> None:
        self._routers = routers
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Crew:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for each in self._routers:
            each.kill()

    def kill(self, router: ForkedRouter) -> None:
        """Ends one at this instant."""
        with self._lock:
            router.kill()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            with self._lock:
                for each in self._routers:
                    if not alive(each.pid):
                        each.start(ready=False)


def is_ready(router: ForkedRouter) -> bool:
    """Whether it says so."""
    try:
        return router.get("/readyz")[0] == 200
    except (OSError, HTTPException):
        return False


@pytest.mark.timeout(900)
@pytest.mark.parametrize("worker", range(WORKERS))
def test_each_group_is_told_once_by_routers_that_die_and_are_cut_off(
    worker: int, nursery: Nursery, services: Services, server: Postgresql, tmp_path: Path
) -> None:
    networks = [Network(port_of(server)) for _ in range(ROUTERS)]
    try:
        for run in range(RUNS // WORKERS):
            _one_run(worker * 1000 + run, nursery, services, server, networks, tmp_path)
    finally:
        for each in networks:
            each.close()


def _one_run(
    seed: int, nursery: Nursery, services: Services, server: Postgresql, networks: list[Network], folder: Path
) -> None:
    chance, name = random.Random(seed), f"routers{seed}"
    address = server.database(name)
    routers = routers_of(nursery, services, folder, address, networks)
    groups = [group(chance, f"S{seed}G{number}") for number in range(chance.randint(3, 6))]
    with Crew(routers) as crew:
        until("a router", lambda: any(is_ready(each) for each in routers))
        senders = [
            sending(routers, shuffled(chance, groups[start::2]), random.Random(f"{seed}/{start}")) for start in (0, 1)
        ]
        for _ in range(chance.randint(2, 5)):
            at = chance.randrange(ROUTERS)
            time.sleep(chance.uniform(0.0, 0.3))  # the instant at which it happens is what this is about
            if chance.random() < 0.5:
                crew.kill(routers[at])
            else:
                networks[at].cut()
                time.sleep(chance.uniform(0.0, 0.3))  # and so is for how long
                networks[at].mend()
        for sender in senders:
            sender.finish()
        wait_for_the_last(address)
    for each in groups:
        check(each, services, f"seed {seed}")
    server.drop(name)


def test_a_database_that_is_restarted_loses_nothing(nursery: Nursery, services: Services, tmp_path: Path) -> None:
    chance = random.Random(7)
    groups = [group(chance, f"Again{number}") for number in range(12)]
    with postgresql() as server, ExitStack() as stack:
        address = server.database("again")
        networks = [Network(port_of(server)) for _ in range(ROUTERS)]
        routers = routers_of(nursery, services, tmp_path, address, networks)
        stack.enter_context(Crew(routers))
        until("all routers", lambda: all(is_ready(each) for each in routers))
        sender = sending(routers, shuffled(chance, groups), random.Random(7), threading.Event())
        until("some webhooks", lambda: sender.taken > 4, every=0.001)
        server.stop()
        until("a refusal", lambda: sender.refused > 2)
        with started_again(server):
            sender.finish()
            wait_for_the_last(address)
            until("all routers", lambda: all(is_ready(each) for each in routers))
            stack.close()
        for network in networks:
            network.close()
    for each in groups:
        check(each, services, "again")
