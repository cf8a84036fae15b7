"""Whatever happens in whichever order: nothing is lost, and nobody is told what is not so."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sla_kit.catalogue.routing import Digest, Fallback, Routing, Storm
from sla_kit.routing.destinations import PEOPLE
from sla_kit.routing.events import Acknowledgement, Alert, Closing, Escalating
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox.deliveries import Delivery, told_of
from sla_kit.routing.outbox.incidents import Stored
from tests.routing.planning.playing import Router, Sent, alert, catalogue, maintenance, webhook

NAMES = st.sampled_from(["A", "B", "C", "D", "E", "F"])
SEVERITIES = {"A": "critical", "B": "critical", "C": "warning", "D": "warning", "E": "warning", "F": "info"}
SERVICES = st.sampled_from(["api", "web"])
RESPOND = {"critical": 300.0, "warning": 1800.0}


class WholeRouter(RuleBasedStateMachine):
    """An Alertmanager that tells the truth, late and twice, to a router whose services fail."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        routing = Routing(
            storm=Storm(incidents=2, within=60, quiet=300),
            digest=Digest(every=900),
            fallback=Fallback(after=60),
        )
        calendar = maintenance("2027-01-15T08:20", "2027-01-15T08:40", ["web"])
        self.router = Router(Path(self.folder.name), catalogue(routing, calendar=calendar))
        self.router.clock.at = self.started = 1_800_000_000.0
        self.firing: dict[str, Alert] = {}
        self.history: list[Alert] = []
        self.told: dict[tuple[str, str], list[str]] = {}
        self.checked = 0

    def teardown(self) -> None:
        try:
            self._all_is_told_in_the_end()
        finally:
            self.router.close()
            self.folder.cleanup()

    @rule(name=NAMES, service=SERVICES, pod=st.sampled_from(["x", "y"]))
    def fires(self, name: str, service: str, pod: str) -> None:
        self.router.clock.at += 1
        new = alert(name, severity=SEVERITIES[name], service=service, pod=pod, since=self.router.now)
        known = self.firing.setdefault(new.fingerprint, new)
        self.history.append(known)
        self._step(known)

    @rule(chance=st.randoms(use_true_random=False))
    def ends(self, chance: Random) -> None:
        if self.firing:
            self.router.clock.at += 1
            name = sorted(self.firing)[chance.randrange(len(self.firing))]
            known = self.firing.pop(name)
            over = Alert(
                labels=known.labels,
                fingerprint=name,
                firing=False,
                starts_at=known.starts_at,
                ends_at=self.router.now,
            )
            self.history.append(over)
            self._step(over)

    @rule(back=st.integers(1, 5))
    def something_comes_again(self, back: int) -> None:
        recent = [each for each in self.history[-back:] if self.router.now - (each.ends_at or each.starts_at) < 250]
        if recent:
            over = {each.fingerprint: each for each in self.history}
            late = [each for each in recent if self._is_fresh(each, over[each.fingerprint])]
            self._step(*late[::-1])

    @rule(seconds=st.sampled_from([1.0, 16.0, 61.0, 299.0, 300.0, 901.0, 1801.0]))
    def time_passes(self, seconds: float) -> None:
        self.router.clock.at += seconds
        self._step()

    @rule(deed=st.sampled_from(["take", "close", "escalate"]), chance=st.randoms(use_true_random=False))
    def somebody_acts(self, deed: str, chance: Random) -> None:
        open_ = sorted(each.incident.dedup_key for each in self.router.incidents() if each.incident.status == "firing")
        if not open_:
            return
        key, at = open_[chance.randrange(len(open_))], self.router.now
        if deed == "take":
            self.router.hear(Acknowledgement(incident=key, by="ada", at=at, via="slack"))
        elif deed == "close":
            self.router.hear(Closing(incident=key, by="ada", at=at, via="slack"))
        else:
            self.router.hear(Escalating(incident=key, by="ada", at=at, via="slack"))
        self._step()

    @rule(where=st.sampled_from(["pagerduty:primary", "slack:#incidents", "email:platform@example.org"]))
    def a_service_fails_or_comes_back(self, where: str) -> None:
        self.router.down ^= {where}
        self._step()

    @rule()
    def the_router_is_killed_and_started(self) -> None:
        self.router.restart()
        self._step()

    @rule(send=st.booleans())
    def much_comes_at_once(self, send: bool) -> None:
        self.router.clock.at += 1
        known: list[Alert] = []
        for name in SEVERITIES:
            new = alert(name, severity=SEVERITIES[name], pod="z", since=self.router.now)
            known.append(self.firing.setdefault(new.fingerprint, new))
        self.history += known
        self.router.hear(*(webhook(each) for each in known))
        self.router.plan()
        if send:
            self._step()

    @invariant()
    def of_each_group_one_incident_at_most_is_open(self) -> None:
        keys = [each.incident.dedup_key for each in self.router.incidents() if each.incident.status == "firing"]
        assert len(keys) == len(set(keys))

    @invariant()
    def what_fires_is_open_and_nothing_else(self) -> None:
        known = {
            name
            for each in self.router.incidents()
            for name, one in each.incident.alerts.items()
            if each.incident.status == "firing" and one.firing
        }
        assert known == set(self.firing)

    @invariant()
    def whatever_fires_is_told_or_about_to_be(self) -> None:
        stored = {each.incident.dedup_key: each for each in self.router.incidents()[::-1]}
        for each in stored.values():
            incident = each.incident
            if incident.status == "resolved" or incident.muted_by:
                continue
            mine = self._deliveries(each)
            assert mine or incident.storms
            for key in incident.storms:
                storm = stored[key]
                assert self._deliveries(storm)
                if storm.incident.members_total <= 100:
                    assert incident.dedup_key in {member.dedup_key for member in storm.incident.members}

    @invariant()
    def what_storms_count_is_so(self) -> None:
        all_ = self.router.incidents()
        for each in all_:
            if each.incident.kind == "storm":
                members = [one.incident for one in all_ if each.incident.dedup_key in one.incident.storms]
                assert each.incident.members_total == len(members)
                assert each.incident.members_firing == sum(one.status == "firing" for one in members)
                assert (each.incident.status == "firing") == (each.incident.members_firing > 0)

    @invariant()
    def nothing_is_resolved_before_it_was_told_and_each_word_is_of_one_course(self) -> None:
        for sent in self.router.sent[self.checked :]:
            if isinstance(sent.content, Incident):
                self._check_course(sent, sent.content)
        self.checked = len(self.router.sent)

    @invariant()
    def what_nobody_took_has_escalated_when_it_was_due(self) -> None:
        for each in self.router.incidents():
            incident = each.incident
            rounds = [incident.received_at, *(one.at for one in incident.escalations)]
            for before, one in zip(rounds, incident.escalations, strict=False):
                if one.why.startswith("not acknowledged"):
                    assert one.at - before >= RESPOND[incident.severity]

    def _all_is_told_in_the_end(self) -> None:
        """Once services are there, each destination knows how each incident that it was told of stands."""
        self.router.down = set()
        for _ in range(4):
            self.router.clock.at += 60
            self._step()
        for each in self.router.incidents():
            for delivery in self._deliveries(each):
                assert delivery.state in ("delivered", "held", "folded")
                if delivery.state == "delivered":
                    assert delivery.told is not None
                    assert delivery.told.status == each.incident.status
                    assert delivery.told.severity == each.incident.severity
                    assert delivery.told.acknowledged == each.incident.acknowledged
                    assert delivery.told.firing == each.incident.firing_count
        self.nothing_is_resolved_before_it_was_told_and_each_word_is_of_one_course()

    def _check_course(self, sent: Sent, incident: Incident) -> None:
        course = self.told.setdefault((sent.to, f"{incident.dedup_key} {incident.received_at}"), [])
        assert not course or course[-1] == "firing"
        course.append(incident.status)

    def _is_fresh(self, late: Alert, newest: Alert) -> bool:
        """Whether it may come late: what Alertmanager could still be trying to tell."""
        return newest.firing or self.router.now - (newest.ends_at or 0.0) < 250

    def _deliveries(self, stored: Stored) -> list[Delivery]:
        with self.router.outbox.reading() as connection:
            return [each for each in told_of(connection, stored.id) if each.destination.kind in PEOPLE]

    def _step(self, *alerts: Alert) -> None:
        self.router.step(*(webhook(each) for each in alerts))


TestWholeRouter = WholeRouter.TestCase
TestWholeRouter.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
