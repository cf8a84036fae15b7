"""What the tests of drills share: the source with its dumps, and a server that is marked as scratch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from tests.exporters.drill.drilling import Shop, make_shop
from tests.servers import Postgresql, postgresql


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A database with known content, and its dumps."""
    with postgresql() as server:
        yield make_shop(server, tmp_path_factory.mktemp("dumps"))


@pytest.fixture(scope="session")
def scratch_server() -> Iterator[Postgresql]:
    """A server that is marked: drills are quicker than where each starts one."""
    with postgresql() as server:
        result = CliRunner().invoke(main, ["drill", "mark-scratch", server.url, "--yes"])
        assert result.exit_code == 0, result.output
        yield server
