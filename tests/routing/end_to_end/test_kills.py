"""Nothing acknowledged is lost, and nobody is told twice, whenever the router is killed.

Each run begins a router on a new outbox, sends it webhooks as Alertmanager does (again until they are taken; some
twice, some late), kills it at a random instant, and lets another life go on. In the end the local PagerDuty and Slack
hold exactly what had to be told.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sla_kit.routing.outbox.store import open_outbox
from tests.routing.end_to_end.forked import ForkedRouter, Nursery
from tests.routing.end_to_end.groups import check, group, local_services, sending, shuffled, wait_for_the_last

RUNS, WORKERS = 500, 10


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("worker", range(WORKERS))
def test_each_group_is_told_exactly_once_whenever_the_router_is_killed(
    worker: int, nursery: Nursery, tmp_path: Path
) -> None:
    template = tmp_path / "template.db"
    open_outbox(str(template)).close()
    with local_services() as services:
        catalogue = services.catalogue(tmp_path)
        for seed in range(worker * 1000, worker * 1000 + RUNS // WORKERS):
            chance = random.Random(seed)
            outbox = tmp_path / f"outbox-{seed}.db"
            outbox.write_bytes(template.read_bytes())
            groups = [group(chance, f"S{seed}G{number}") for number in range(chance.randint(2, 4))]
            router = ForkedRouter(nursery, catalogue, str(outbox))
            router.start()
            sender = sending([router], shuffled(chance, groups))
            for _ in range(chance.choice((1, 1, 1, 2))):
                time.sleep(chance.uniform(0.0, 0.25))  # the instant at which it dies is what this is about
                router.kill()
                router.start(ready=False)
            sender.finish()
            wait_for_the_last(str(outbox))
            router.kill()
            for each in groups:
                check(each, services, f"seed {seed}")
