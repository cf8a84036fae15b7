"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from sla_kit import redacting

if TYPE_CHECKING:
    from tests.alert_rules.machine import Machine
    from tests.servers.elasticsearch import Elasticsearch

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# In CI the same examples every time: a new one is found at a desk, not in somebody else's pull request.
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture
def passing_secrets() -> Iterator[None]:
    """What a test reads as a secret, perhaps a word like "it", is not taken out of what later ones are told."""
    before = redacting._known.copy()
    yield
    redacting._known.clear()
    redacting._known.update(before)


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
