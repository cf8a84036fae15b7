"""What the tests of the outbox share: an outbox in a file and one in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.servers import Postgresql, postgresql

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """A PostgreSQL for all tests of this process."""
    with postgresql() as running:
        yield running


@pytest.fixture
def database(server: Postgresql) -> Iterator[str]:
    """The URL of an empty database in it."""
    name = f"outbox{next(_numbers)}"
    yield server.database(name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an outbox may be made: a file, and a database."""
    if request.param == "sqlite":
        return str(tmp_path / "outbox.db")
    found: str = request.getfixturevalue("database")
    return found


@pytest.fixture
def outbox(address: str) -> Iterator[Outbox]:
    """An empty outbox that a router has."""
    with open_outbox(address, exclusive=True) as opened:
        yield opened
