"""Any course of wanting, claiming, failing, crashing and deciding, beside a simple model of it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import Connection

from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import told
from sla_kit.routing.outbox import deliveries, incidents
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.incidents import Stored
from sla_kit.routing.outbox.store import open_outbox
from tests.routing.outbox.making import LEASE, MAIL, NOW, SLACK, changed, incident

GROUPS, DESTINATIONS, OWNERS = ("shop", "bank"), (SLACK, MAIL), ("a", "b")


@dataclass
class Known:
    """What the model knows of one delivery."""

    stored: Stored
    destination: Destination
    priority: int
    due_at: float
    state: str = "open"
    wanted: int = 1
    told: int = 0
    lease: Claimed | None = None
    failed: bool = False
    uncertain: bool = False
    sent: list[int] = field(default_factory=list)

    @property
    def pending(self) -> bool:
        return self.state == "open" and self.wanted > self.told

    @property
    def queue(self) -> tuple[str, Destination]:
        return self.stored.incident.dedup_key, self.destination


class Deliveries(RuleBasedStateMachine):
    """One outbox in a file, two owners, a clock that only runs on."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sla-kit-outbox-"))
        self.outbox = open_outbox(str(self.folder / "outbox.db"))
        self.now = NOW
        self.known: dict[int, Known] = {}
        self.latest: dict[str, Stored] = {}

    def teardown(self) -> None:
        self.outbox.close()
        shutil.rmtree(self.folder)

    @rule(group=st.sampled_from(GROUPS), priority=st.integers(0, 2), where=st.sets(st.sampled_from(DESTINATIONS)))
    def something_happens(self, group: str, priority: int, where: set[Destination]) -> None:
        """A new incident, or the next version of the one that is open."""

        def work(connection: Connection) -> None:
            before = self.latest.get(group)
            if before is None or before.incident.status == "resolved":
                stored = incidents.insert(connection, incident(group), self.now)
            else:
                stored = changed(connection, before, title=f"at {self.now}", now=self.now)
            self.latest[group] = stored
            for one in deliveries.told_of(connection, stored.id):
                self.known[one.id].stored = stored
            self._want(connection, stored, where, priority)

        self.outbox.write(work)

    @precondition(lambda self: any(one.incident.status == "firing" for one in self.latest.values()))
    @rule(data=st.data())
    def it_is_over(self, data: st.DataObject) -> None:
        """All that were told are to be told of the end."""
        firing = sorted(key for key, one in self.latest.items() if one.incident.status == "firing")
        group = data.draw(st.sampled_from(firing))

        def work(connection: Connection) -> None:
            stored = changed(connection, self.latest[group], status="resolved", now=self.now)
            self.latest[group] = stored
            known = deliveries.told_of(connection, stored.id)
            for one in known:
                self.known[one.id].stored = stored
            self._want(connection, stored, {one.destination for one in known}, 1)

        self.outbox.write(work)

    def _want(self, connection: Connection, stored: Stored, where: set[Destination], priority: int) -> None:
        for destination in sorted(where):
            deliveries.want(connection, stored, destination, contact="ann", priority=priority, now=self.now)
        for one in deliveries.told_of(connection, stored.id):
            if one.destination not in where:
                continue
            known = self.known.get(one.id)
            if known is None:
                known = self.known[one.id] = Known(stored, one.destination, priority, self.now)
            elif not known.failed and not known.pending:
                known.due_at = self.now
            known.wanted, known.priority = stored.version, priority
            for other in self.known.values():
                if other.queue == known.queue and other.pending:
                    other.priority = min(other.priority, priority)

    @rule(owner=st.sampled_from(OWNERS), limit=st.integers(1, 4))
    def somebody_looks_for_work(self, owner: str, limit: int) -> None:
        expected = [id_ for id_, one in self.known.items() if self._may_be_claimed(id_, one)]
        found = self.outbox.write(
            lambda connection: deliveries.claim(connection, owner, limit=limit, now=self.now, lease_seconds=LEASE)
        )
        assert len(found) == min(limit, len(expected))
        assert {one.id for one in found} <= set(expected)
        urgent = sorted(self.known[id_].priority for id_ in expected)
        assert [one.priority for one in found] == urgent[: len(found)]
        for claimed in found:
            known = self.known[claimed.id]
            if known.lease is not None:
                known.uncertain = known.failed = True
            assert claimed.uncertain == known.uncertain
            assert claimed.content == known.stored.incident
            known.lease = claimed

    def _may_be_claimed(self, id_: int, one: Known) -> bool:
        if not one.pending or one.due_at > self.now or self._leased(one):
            return False
        others = [(n, other) for n, other in self.known.items() if n != id_ and other.queue == one.queue]
        return not any(other.pending and (n < id_ or self._leased(other)) for n, other in others)

    def _leased(self, one: Known) -> bool:
        return one.lease is not None and one.lease.leased_until > self.now

    def _holder(self, data: st.DataObject) -> Known:
        return data.draw(st.sampled_from([one for one in self.known.values() if one.lease is not None]))

    @precondition(lambda self: any(one.lease is not None for one in self.known.values()))
    @rule(data=st.data())
    def an_attempt_succeeds(self, data: st.DataObject) -> None:
        known = self._holder(data)
        claimed = known.lease
        assert claimed is not None
        what = told(known.stored.incident, self.now)
        assert self.outbox.write(lambda connection: deliveries.succeed(connection, claimed, what, self.now))
        known.told, known.lease, known.failed, known.uncertain = claimed.version, None, False, False
        known.sent.append(claimed.version)

    @precondition(lambda self: any(one.lease is not None for one in self.known.values()))
    @rule(data=st.data(), wait=st.sampled_from([0.0, 10.0, 100.0]), uncertain=st.booleans())
    def an_attempt_fails(self, data: st.DataObject, wait: float, uncertain: bool) -> None:
        known = self._holder(data)
        claimed = known.lease
        assert claimed is not None
        due_at = self.now + wait
        assert self.outbox.write(
            lambda connection: deliveries.retry(
                connection, claimed, "503", due_at=due_at, uncertain=uncertain, now=self.now
            )
        )
        known.due_at, known.lease, known.failed = due_at, None, True
        known.uncertain = known.uncertain or uncertain

    @precondition(lambda self: any(one.lease is not None for one in self.known.values()))
    @rule(data=st.data())
    def an_attempt_is_given_up(self, data: st.DataObject) -> None:
        known = self._holder(data)
        claimed = known.lease
        assert claimed is not None
        assert self.outbox.write(lambda connection: deliveries.give_up(connection, claimed, "no", self.now))
        known.state, known.lease, known.failed = "dead" if known.state == "open" else known.state, None, True

    @rule(owner=st.sampled_from(OWNERS))
    def a_router_begins_anew(self, owner: str) -> None:
        self.outbox.write(lambda connection: deliveries.release(connection, owner, self.now))
        for known in self.known.values():
            if known.lease is not None and known.lease.owner == owner:
                known.lease, known.uncertain, known.failed = None, True, True

    @precondition(lambda self: self.known)
    @rule(data=st.data(), what=st.sampled_from(["dropped", "folded", "open"]))
    def somebody_decides(self, data: st.DataObject, what: str) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[id_]
        if what == "open":
            self.outbox.write(lambda connection: deliveries.revive(connection, [id_], self.now))
            if known.stored.version > known.told:
                known.state, known.failed, known.due_at = "open", False, self.now
                known.wanted = known.stored.version
        else:
            if what == "dropped":
                given_up = known.pending or known.state in ("dead", "held")
                done = self.outbox.write(lambda connection: deliveries.drop(connection, [id_], self.now))
                assert done == given_up
                known.state = what if given_up else known.state
            else:
                self.outbox.write(lambda connection: deliveries.fold(connection, [id_], "a storm", self.now))
                known.state = what

    @rule(seconds=st.sampled_from([1.0, 9.0, LEASE, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_outbox_is_as_the_model(self) -> None:
        if not hasattr(self, "known"):
            return
        with self.outbox.reading() as connection:
            kept = {one.id: one for one in deliveries.page(connection, limit=1000)}
        assert set(kept) == set(self.known)
        for id_, one in kept.items():
            known = self.known[id_]
            assert one.pending == known.pending
            assert (one.wanted, one.told_version) == (known.wanted, known.told)
            assert bool(one.leased_by) == (known.lease is not None)
            assert one.uncertain == known.uncertain
            if known.state != "open":
                assert one.state == known.state
            assert known.sent == sorted(known.sent)  # never an older version after a newer one


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
