"""A PostgreSQL that routers may share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.servers import Postgresql, postgresql

_numbers = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """A PostgreSQL for all tests of this process."""
    with postgresql() as running:
        yield running


@pytest.fixture
def database(server: Postgresql) -> Iterator[str]:
    """The URL of an empty database in it."""
    name = f"dispatching{next(_numbers)}"
    yield server.database(name)
    server.drop(name)
