"""One PostgreSQL for all tests of queries, which run in the group ``business_postgresql``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.postgresql import Postgresql, postgresql


@pytest.fixture(scope="session")
def business_server() -> Iterator[Postgresql]:
    """A server that goes on to run; databases are made in it."""
    with postgresql() as running:
        yield running


@pytest.fixture
def database(business_server: Postgresql, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, which is gone after the test."""
    name = f"test_{abs(hash(request.node.nodeid)) % 10**9}"
    yield business_server.database(name)
    business_server.drop(name)
