"""What the tests of the ledger share: the recording, an undisturbed ledger of it, databases of a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sla_kit.history import HistorySource
from tests.ledger.keeping import Content, content, history, update
from tests.servers import Postgresql, postgresql

_numbers = count(1)


@pytest.fixture(scope="session")
def recording() -> HistorySource:
    """Four weeks of the shop."""
    return history()


@pytest.fixture(scope="session")
def undisturbed(recording: HistorySource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that one run made in peace; to be read only."""
    path = tmp_path_factory.mktemp("undisturbed") / "ledger.db"
    update(str(path), recording)
    return path


@pytest.fixture(scope="session")
def expected(undisturbed: Path) -> Content:
    """What is in it."""
    return content(str(undisturbed))


@pytest.fixture
def filled(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of the undisturbed ledger, to be damaged."""
    return Path(shutil.copy(undisturbed, tmp_path / "ledger.db"))


@pytest.fixture(scope="session")
def server() -> Iterator[Postgresql]:
    """A PostgreSQL for all tests of this process."""
    with postgresql() as running:
        yield running


@pytest.fixture
def database(server: Postgresql) -> Iterator[str]:
    """The URL of an empty database in it."""
    name = f"ledger{next(_numbers)}"
    yield server.database(name)
    server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a ledger may be made: a file, and a database."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    found: str = request.getfixturevalue("database")
    return found
