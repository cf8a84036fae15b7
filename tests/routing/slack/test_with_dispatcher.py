"""Slack behind the dispatcher and a real outbox, with a Slack that loses answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection

from sla_kit.catalogue.routing import Routing
from sla_kit.routing.destinations import Destination
from sla_kit.routing.dispatching.dispatcher import Dispatcher
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox.attachments import keep
from sla_kit.routing.outbox.deliveries import page, want
from sla_kit.routing.outbox.incidents import Stored, insert, save
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.slack.channel import GRAPH, Channel, channel, course
from tests.servers.slack import FaultKind
from tests.waiting import until

CHANNEL = Destination("slack", "#incidents")
FAULTS: list[FaultKind] = ["drop-after", "status-after", "drop", "status", "rate-limit"]


@contextmanager
def _dispatching(told: Channel, outbox: Outbox) -> Iterator[Dispatcher]:
    settings = Routing(slack=replace(told.settings, per_second=1000.0))
    metrics = RouterMetrics()
    dispatcher = Dispatcher(outbox, {"slack": told.adapter}, settings, metrics, uniform=lambda low, high: low)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


def _wanted(outbox: Outbox, before: Stored | None, state: Incident) -> Stored:
    """The incident is so now, and the channel is to hear of it."""

    def change(connection: Connection) -> Stored:
        now = outbox.clock.now()
        stored = insert(connection, state, now) if before is None else save(connection, before, state, now)
        want(connection, stored, CHANNEL, contact="team", priority=0, now=now)
        return stored

    return outbox.write(change)


def _told(outbox: Outbox, version: int) -> bool:
    with outbox.reading() as connection:
        [row] = page(connection)
    return row.told_version == version


@pytest.mark.parametrize("seed", range(3))
def test_through_the_outbox_everything_is_told_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with channel(tmp_path) as told:
        for _ in range(4):
            told.slack.fail("", chance.choice(FAULTS), skip=chance.randint(0, 3), retry_after="0")
        outbox = open_outbox(str(tmp_path / "outbox.db"))
        stored: Stored | None = None
        with _dispatching(told, outbox) as dispatcher:
            digest = outbox.write(lambda connection: keep(connection, GRAPH, outbox.clock.now()))
            for state in course():
                if state.context:
                    state = replace(state, context=replace(state.context, graph=digest))
                stored = _wanted(outbox, stored, state)
                dispatcher.wake()
                until(partial(_told, outbox, stored.version))
        outbox.close()
        [message] = told.slack.posts("incidents")
        assert message.color == "#2e9e4f"
        replies = [reply.metadata["step"].partition("-")[0] for reply in told.slack.replies(message)]
        assert "image" in {block["type"] for block in message.blocks}
        assert replies == ["severity", "escalations", "resolved"]
