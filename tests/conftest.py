"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.alert_rules.machine import Machine
    from tests.servers.elasticsearch import Elasticsearch

# In CI the same examples every time: a new one is found at a desk, not in somebody else's pull request.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def healthy_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Every exporter that can be started here, scraped by a Prometheus; for tests in the group ``machine``, which all
    run where it is started once."""
    from tests.alert_rules.machine import machine

    with machine(tmp_path_factory.mktemp("machine")) as started:
        yield started


@pytest.fixture(scope="session")
def elastic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    """The Elasticsearch of this run, which all its workers share: for tests that keep to indices of their own (see
    ``index``) and neither stop nor fill it."""
    from tests.servers.elasticsearch.shared import shared_elasticsearch

    base = tmp_path_factory.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with shared_elasticsearch(common / "elasticsearch") as node:
        yield node


@pytest.fixture
def index(elastic: Elasticsearch) -> Iterator[str]:
    """A name that nothing in ``elastic`` has; what is called so or begins with it and a hyphen (indices, data streams,
    templates) is deleted after the test."""
    from tests.servers.elasticsearch.clearing import clear, fresh_name

    name = fresh_name()
    yield name
    clear(elastic.url, name)
