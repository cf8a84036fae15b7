"""Each rule of planning, by an example that was worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from sla_kit.catalogue.model import Catalogue, Contact, Route
from sla_kit.catalogue.routing import Digest, Fallback, Graphs, Routing, Storm
from sla_kit.routing.delivering import Response, SilenceWanted
from sla_kit.routing.events import Acknowledgement, Alert, Change, Closing, Escalating, Link, Notice, Silencing
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox.accepting import dead_events
from sla_kit.routing.outbox.deliveries import told_of
from sla_kit.routing.outbox.timers import Timer
from sla_kit.routing.planning.batch import Batch
from sla_kit.routing.planning.telling import NOBODY, NOBODY_LEFT
from tests.routing.planning.playing import START, Router, Sent, addresses, alert, catalogue, maintenance, webhook

ON_CALL = ["pagerduty:primary", "slack:#incidents"]
PLATFORM = ["email:platform@example.org", "slack:#platform"]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Router] = []

    def make(declared: Catalogue | None = None) -> Router:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Router(folder, declared))
        return made[-1]

    yield make
    for router in made:
        router.close()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    yield made
    made.close()


class Make(Protocol):
    """The type of the fixture ``make``."""

    def __call__(self, declared: Catalogue | None = None) -> Router: ...


def key_of(router: Router, name: str = "Down") -> str:
    stored = router.open(alertname=name, service="api")
    assert stored is not None
    return stored.incident.dedup_key


def ledger(router: Router) -> list[Response]:
    return [each.content for each in router.sent if isinstance(each.content, Response)]


# --- the course of an incident -------------------------------------------------------------------------------------


def test_an_outage_is_told_updated_and_resolved_at_the_same_destinations(router: Router) -> None:
    assert addresses(router.step(webhook(alert(team="web")))) == ON_CALL
    assert router.step(webhook(alert(team="web")), after=60) == []
    sent = router.step(webhook(alert(firing=False, until=START + 100, team="web")), after=60)
    assert addresses(sent) == ON_CALL
    assert {each.incident.status for each in sent} == {"resolved"}
    assert router.watching.recoveries == [("critical", "web", 100.0)]
    assert router.due() is None or router.open(alertname="Down", service="api") is None


def test_context_is_looked_up_when_an_incident_opens_and_there_is_a_prometheus(make: Make) -> None:
    for address, looked_up in (("http://prometheus:9090", [START]), ("", [])):
        router = make(catalogue(Routing(graphs=Graphs(prometheus=address))))
        router.step(webhook(alert()))
        router.step(webhook(alert(pod="b")), after=60)
        assert [each.at for each in router.sent if each.to == "context"] == looked_up


def test_an_incident_that_is_over_before_anybody_was_told_is_one_message(router: Router) -> None:
    router.hear(webhook(alert()))
    router.plan()
    sent = router.step(webhook(alert(firing=False, until=START + 1)), after=1)
    assert addresses(sent) == ON_CALL
    assert {each.incident.status for each in sent} == {"resolved"}


def test_a_trigger_its_end_and_the_next_trigger_in_one_batch_are_two_incidents(router: Router) -> None:
    sent = router.step(webhook(alert()), webhook(alert(firing=False, until=START + 1)), webhook(alert(since=START + 2)))
    states = [each.incident.status for each in sent if each.to == "slack:#incidents"]
    assert states == ["resolved", "firing"]
    assert len(router.incidents()) == 2


def test_updates_wait_and_what_is_urgent_does_not(router: Router) -> None:
    router.step(webhook(alert(severity="warning")))
    assert router.step(webhook(alert(severity="warning"), alert(severity="warning", pod="b")), after=5) == []
    sent = router.step(after=10)
    assert addresses(sent) == PLATFORM
    assert sent[0].incident.firing_count == 2
    assert addresses(router.step(webhook(alert(severity="critical", pod="c")), after=1)) == sorted(PLATFORM + ON_CALL)


def test_a_webhook_of_many_groups_opens_an_incident_each(router: Router) -> None:
    router.step(webhook(alert("A"), alert("B"), alert("A", pod="b")))
    assert sorted(each.incident.title for each in router.incidents()) == ["A: api", "B: api"]


def test_resolved_without_firing_is_nothing(router: Router) -> None:
    assert router.step(webhook(alert(firing=False, until=START))) == []
    assert router.step(webhook(alert()), after=10) == []  # it comes late
    assert router.incidents() == []
    assert addresses(router.step(webhook(alert()), after=300)) == ON_CALL


def test_an_alert_without_contacts_is_kept_and_says_so(make: Make) -> None:
    router = make(catalogue(contacts=[], routes=[]))
    assert router.step(webhook(alert())) == []
    assert router.incidents()[0].incident.notes == [NOBODY]


def test_an_event_that_breaks_the_planner_is_put_aside_and_others_go_on(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Batch.take

    def broken(self: Batch, accepted: object) -> None:
        take(self, accepted)  # type: ignore[arg-type]
        if getattr(getattr(accepted, "event", None), "receiver", "") == "bad":
            raise RuntimeError("password=hunter2 is bad")

    monkeypatch.setattr(Batch, "take", broken)
    events = [webhook(alert(f"A{number}")) for number in range(9)]
    bad = webhook(alert("bad"))
    bad = type(bad)(alerts=bad.alerts, receiver="bad")
    router.step(*events[:4], bad, *events[4:])
    assert sorted(each.incident.title for each in router.incidents()) == [f"A{number}: api" for number in range(9)]
    with router.outbox.reading() as connection:
        (dead,) = dead_events(connection)
    assert "RuntimeError" in dead.reason
    assert "hunter2" not in dead.reason


def test_a_timer_that_fails_is_tried_again_and_others_go_on(router: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    router.step(webhook(alert("A")), webhook(alert("B")))
    bad, due = key_of(router, "A"), Batch.due

    def broken(self: Batch, timer: Timer, *, behind: bool) -> None:
        due(self, timer, behind=behind)
        if timer.key == bad:
            raise RuntimeError("bad")

    monkeypatch.setattr(Batch, "due", broken)
    assert {each.incident.title for each in router.step(after=300)} == {"B: api"}
    monkeypatch.setattr(Batch, "due", due)
    assert {each.incident.title for each in router.step(after=60)} == {"A: api"}


# --- people --------------------------------------------------------------------------------------------------------


def test_the_first_acknowledgement_counts_and_is_told_at_once(router: Router) -> None:
    router.step(webhook(alert(team="web")))
    key = key_of(router)
    at = router.now + 40
    sent = router.step(Acknowledgement(incident=key, by="ada", at=at, via="slack"), after=40)
    assert addresses(sent) == ON_CALL
    assert {each.incident.acknowledged_by for each in sent} == {"ada"}
    again = Acknowledgement(incident=key, by="bob", at=at + 1, via="pagerduty")
    assert router.step(again, again, after=1) == []
    assert router.watching.acknowledgements == [("critical", "web", 40.0)]


def test_an_acknowledgement_of_something_else_is_ignored(router: Router) -> None:
    router.step(webhook(alert()))
    key = key_of(router)
    assert router.step(Acknowledgement(incident="unknown", by="ada", at=START, via="slack")) == []
    router.step(webhook(alert(firing=False, until=START + 1)), after=1)
    assert router.step(Acknowledgement(incident=key, by="ada", at=START + 2, via="slack"), after=1) == []
    router.step(webhook(alert(since=START + 3600)), after=3600)
    late = Acknowledgement(incident=key, by="ada", at=START + 1, via="pagerduty")  # of the incident before
    assert router.step(late) == []


@pytest.mark.parametrize("by", [-86_400, 86_400])
def test_an_acknowledgement_counts_whatever_the_clocks_say_where_no_other_incident_can_be_meant(
    router: Router, by: float
) -> None:
    router.step(webhook(alert()))
    sent = router.step(Acknowledgement(incident=key_of(router), by="ada", at=START + by, via="pagerduty"), after=5)
    assert {each.incident.acknowledged_at for each in sent} == {START + 5 if by > 0 else START}


def test_a_clock_that_was_set_back_holds_no_change_back(router: Router) -> None:
    router.step(webhook(alert()))
    router.clock.at -= 86_400
    router.step(webhook(alert(), alert(pod="other")), after=1)
    assert addresses(router.step(after=60)) == ON_CALL


@pytest.mark.parametrize("back_first", [True, False])
def test_with_a_clock_that_is_a_day_back_each_firing_is_told_once_and_ends(router: Router, back_first: bool) -> None:
    first, second = alert(since=START), alert(since=START + 100)
    if back_first:
        router.clock.at -= 86_400
    assert addresses(router.step(webhook(first))) == ON_CALL
    if not back_first:
        router.clock.at -= 86_400
    ended = router.step(webhook(alert(firing=False, until=START + 50)), after=50)
    assert {each.incident.status for each in ended} == {"resolved"}
    assert router.step(webhook(first), after=1) == []  # late
    assert addresses(router.step(webhook(second), after=49)) == ON_CALL
    ended = router.step(webhook(alert(since=START + 100, firing=False, until=START + 150)), after=50)
    assert {each.incident.status for each in ended} == {"resolved"}


def test_a_clock_that_was_set_back_hides_nothing_that_fires_again(router: Router) -> None:
    router.step(webhook(alert()))
    router.step(webhook(alert(firing=False, until=START + 1)), after=1)
    router.clock.at -= 86_400
    assert addresses(router.step(webhook(alert()), after=1)) == ON_CALL


def test_nobody_is_told_further_once_somebody_took_it(router: Router) -> None:
    router.step(webhook(alert()))
    router.step(Acknowledgement(incident=key_of(router), by="ada", at=START + 299, via="slack"), after=299)
    assert router.step(after=10_000) == []


def test_an_incident_that_is_closed_is_told_and_not_escalated_until_it_gets_worse(router: Router) -> None:
    router.step(webhook(alert(severity="warning")))
    key = key_of(router)
    sent = router.step(Closing(incident=key, by="ada", at=START + 10, via="pagerduty"), after=10)
    assert addresses(sent) == PLATFORM
    assert {(each.incident.closed_by, each.incident.status) for each in sent} == {("ada", "firing")}
    assert router.step(after=10_000) == []
    sent = router.step(webhook(alert(severity="critical", pod="b")), after=1)
    assert {each.incident.closed_by for each in sent} == {""}
    assert "pagerduty:primary" in addresses(sent)
    assert addresses(router.step(after=300)) == sorted([*ON_CALL, *PLATFORM, "email:chief@example.org"])


@pytest.mark.parametrize(
    "later",
    [alert(since=START + 100), alert(since=START + 100, pod="b")],
    ids=["the-same-alert", "another-of-its-group"],
)
def test_what_begins_after_somebody_closed_an_incident_is_told_again(router: Router, later: Alert) -> None:
    router.step(webhook(alert()))
    key = key_of(router)
    router.step(Acknowledgement(incident=key, by="ada", at=START + 5, via="slack"), after=5)
    router.step(Closing(incident=key, by="ada", at=START + 10, via="pagerduty"), after=5)
    assert router.step(webhook(alert()), after=60) == []  # Alertmanager only repeats it
    sent = router.step(webhook(later), after=40)
    assert addresses(sent) == ON_CALL
    incident = sent[0].incident
    assert (incident.closed_by, incident.acknowledged, incident.status) == ("", False, "firing")
    assert incident.escalations[-1].why == "it began again after ada had closed it"
    assert incident.escalations[-1].to == incident.contacts
    assert addresses(router.step(after=300)) == sorted([*ON_CALL, *PLATFORM])


def test_a_silence_is_asked_of_alertmanager_and_holds_the_escalation_back(router: Router) -> None:
    router.step(webhook(alert()))
    wish = Silencing(incident=key_of(router), by="ada", at=START + 10, seconds=3600, via="slack")
    sent = router.step(wish, after=10)
    assert {each.incident.silence.until for each in sent if each.incident.silence} == {START + 3610}
    (wanted,) = [each.content for each in router.sent if isinstance(each.content, SilenceWanted)]
    assert wanted.matchers == {"alertname": "Down", "service": "api", "cluster": "", "environment": ""}
    assert router.step(after=3000) == []
    assert addresses(router.step(after=600)) == sorted(ON_CALL + PLATFORM)


def test_somebody_may_have_the_next_ones_told_at_once(router: Router) -> None:
    router.step(webhook(alert()))
    sent = router.step(Escalating(incident=key_of(router), by="ada", at=START + 100, via="slack"), after=100)
    assert addresses(sent) == sorted(ON_CALL + PLATFORM)
    assert sent[0].incident.escalations[0].why == "ada asked for it"
    assert router.step(after=299) == []
    assert "email:chief@example.org" in addresses(router.step(after=1))


# --- escalation ----------------------------------------------------------------------------------------------------


def test_what_nobody_takes_goes_from_route_to_route_exactly_when_it_is_due(router: Router) -> None:
    router.step(webhook(alert()))
    assert router.step(after=299.9) == []
    assert addresses(router.step(after=0.1)) == sorted(ON_CALL + PLATFORM)
    assert router.step(after=299.9) == []
    sent = router.step(after=0.1)
    assert addresses(sent) == sorted([*ON_CALL, *PLATFORM, "email:chief@example.org"])
    assert [(each.at, each.to) for each in sent[0].incident.escalations] == [
        (START + 300, ["platform"]),
        (START + 600, ["chief"]),
    ]
    router.step(after=300)
    stored = router.open(alertname="Down", service="api")
    assert stored is not None
    assert stored.incident.notes == [NOBODY_LEFT]
    version = stored.version
    router.step(after=3000)
    again = router.open(alertname="Down", service="api")
    assert again is not None
    assert again.version == version


def test_an_escalation_outlives_the_process(router: Router) -> None:
    router.step(webhook(alert()))
    router.restart()
    assert len(router.step(after=300)) == 4


def test_getting_worse_brings_the_escalation_forward_and_never_back(router: Router) -> None:
    router.step(webhook(alert(severity="warning")))
    router.step(webhook(alert(severity="critical", pod="b")), after=1000)  # on-call is told by that
    assert router.step(after=299) == []
    assert "email:chief@example.org" in addresses(router.step(after=1))
    router.step(webhook(alert("Other", severity="warning", since=router.now)))
    router.step(webhook(alert("Other", severity="critical", since=router.now)), after=1700)
    assert "email:chief@example.org" in addresses(router.step(after=100))


def test_without_escalation_nobody_else_is_told(make: Make) -> None:
    router = make(catalogue(Routing(escalate=False)))
    router.step(webhook(alert()))
    assert router.step(after=100_000) == []


# --- maintenance ---------------------------------------------------------------------------------------------------


def test_maintenance_holds_back_until_it_ends_and_tells_what_still_fires(make: Make) -> None:
    router = make(catalogue(calendar=maintenance("2027-01-15T08:00", "2027-01-15T09:00", ["api"])))  # from START on
    router.clock.at = START
    router.hear(webhook(alert("Stays"), alert("Goes"), alert("Elsewhere", service="web")))
    router.plan()
    assert addresses(router.send()) == sorted(ON_CALL)
    assert {each.incident.muted_by for each in router.incidents() if each.incident.service == "api"} == {"upgrade"}
    assert router.step(webhook(alert("Goes", firing=False, until=START + 60)), after=60) == []
    assert router.step(webhook(alert("Stays", pod="b")), after=60) == []
    due = router.due()
    assert due is not None
    end = START - START % 3600 + 3600
    sent = router.step(after=end - router.now)
    titles = {each.incident.title for each in sent if not each.incident.title.startswith("Elsewhere")}
    assert titles == {"Stays: api"}
    assert {each.incident.muted_by for each in sent} == {""}


# --- digests -------------------------------------------------------------------------------------------------------


def test_what_can_wait_is_told_together(make: Make) -> None:
    router = make(catalogue(Routing(digest=Digest(every=600)), timezone="America/New_York"))
    for name in ("A", "B", "C"):
        assert router.step(webhook(alert(name, severity="info", since=router.now)), after=10) == []
    assert (
        router.step(webhook(alert("B", firing=False, severity="info", since=START, until=router.now)), after=10) == []
    )
    sent = router.step(after=570)
    assert addresses(sent) == PLATFORM
    notice = sent[0].content
    assert isinstance(notice, Notice)
    assert notice.kind == "digest"
    assert notice.title.startswith("3 incidents since ")
    assert notice.title.endswith(", 2 of them firing")
    assert notice.fields["Resolved"] == "1"
    assert notice.fields["Since"] == "2027-01-15 03:00 EST"
    assert [line.split(":")[0] for line in notice.text.splitlines()] == ["A", "C", "B"]
    assert "resolved at" in notice.text.splitlines()[2]
    assert router.step(webhook(alert("A", firing=False, severity="info", until=router.now)), after=10) == []
    assert router.step(after=10_000) == []


def test_what_got_worse_does_not_wait_for_the_digest(router: Router) -> None:
    router.step(webhook(alert(severity="info")))
    assert addresses(router.step(webhook(alert(severity="critical", pod="b")), after=1)) == ON_CALL
    assert router.step(webhook(alert(severity="info"), alert("Other", severity="info")), after=1) == []
    router.step(webhook(alert(severity="warning", name="Other")), after=1)
    stored = router.open(alertname="Other", service="api")
    assert stored is not None
    with router.outbox.reading() as connection:
        assert {each.state for each in told_of(connection, stored.id)} == {"delivered"}


# --- storms --------------------------------------------------------------------------------------------------------


def storm_router(make: Make, **settings: float) -> Router:
    values = {"incidents": 3, "within": 60.0, "quiet": 600.0, **settings}
    return make(catalogue(Routing(storm=Storm(**values))))  # type: ignore[arg-type]


def burst(names: list[str], router: Router, severity: str = "warning", *, firing: bool = True) -> list[Sent]:
    until = None if firing else router.now
    return router.step(
        *(webhook(alert(name, severity=severity, firing=firing, since=START, until=until)) for name in names), after=1
    )


def test_as_many_as_are_allowed_are_told_one_by_one(make: Make) -> None:
    router = storm_router(make)
    assert len(burst(["A", "B", "C"], router)) == 6


def test_more_than_that_is_one_message_with_counts_and_the_earliest_as_the_root(make: Make) -> None:
    router = storm_router(make)
    names = [f"A{number:03}" for number in range(200)]
    sent = burst(names, router)
    assert addresses(sent) == PLATFORM
    storm = sent[0].incident
    assert (storm.kind, storm.members_total, storm.members_firing, len(storm.members)) == ("storm", 200, 200, 100)
    assert storm.root == "A000: api"
    assert storm.title == "200 warning incidents at once; likely root: A000: api"
    assert burst(names[:50], router, firing=False) == []
    sent = router.step(after=15)
    assert {each.incident.members_firing for each in sent} == {150}
    sent = burst(names[50:], router, firing=False)
    assert addresses(sent) == PLATFORM
    assert {(each.incident.status, each.incident.members_firing) for each in sent} == {("resolved", 0)}


def test_what_was_told_already_stays_told_and_the_rest_is_a_storm(make: Make) -> None:
    router = storm_router(make)
    assert len(burst(["A", "B"], router)) == 4
    sent = burst(["C", "D", "E"], router)
    assert {(each.incident.kind, each.incident.members_total) for each in sent} == {("storm", 3)}
    sent = burst(["A", "C"], router, firing=False)
    assert {each.incident.title for each in sent} == {"A: api"}


def test_a_storm_ends_after_some_quiet_and_its_members_are_counted_on(make: Make) -> None:
    router = storm_router(make)
    burst(["A", "B", "C", "D"], router)
    assert burst(["E"], router) == []
    sent = router.step(after=598)
    assert {each.incident.members_total for each in sent} == {5}
    sent = router.step(webhook(alert("F", severity="warning", since=router.now)), after=2)
    assert {each.incident.title for each in sent} == {"F: api"}
    sent = burst(["A", "B", "C", "D", "E"], router, firing=False)
    assert {(each.incident.kind, each.incident.status) for each in sent} == {("storm", "resolved")}


def test_the_root_of_a_storm_is_what_makes_the_others_superfluous(make: Make) -> None:
    from sla_kit.routing.planning.inhibiting import Inhibitions

    rules = [
        {
            "source_matchers": ['alertname=~"NodeDown|ZoneDown"'],
            "target_matchers": ['alertname=~"PodDown.*"', 'severity!="info"'],
            "equal": ["cluster"],
        }
    ]
    labels = [
        {"alertname": "PodDown1", "cluster": "a"},
        {"alertname": "NodeDown", "cluster": "b"},
        {"alertname": "ZoneDown", "cluster": "a"},
        {"alertname": "PodDown2", "cluster": "a"},
        {"alertname": "PodDown3", "cluster": "a", "severity": "info"},
    ]
    assert Inhibitions(rules).counts(labels) == [0, 0, 2, 0, 0]


def test_storms_are_of_one_severity_and_what_is_critical_goes_first(make: Make) -> None:
    router = storm_router(make)
    events = [webhook(alert(f"W{number}", severity="warning")) for number in range(10)]
    sent = router.step(*events, webhook(alert("C")))
    assert [each.to for each in sent[:2]] == ON_CALL or [each.to for each in sent[:2]] == ON_CALL[::-1]
    assert {each.incident.kind for each in sent} == {"storm", "alerts"}


def test_a_storm_is_taken_or_escalates_as_a_whole(make: Make) -> None:
    router = storm_router(make)
    burst(["A", "B", "C", "D", "E"], router, "critical")
    sent = router.step(after=300)
    assert addresses(sent) == sorted(ON_CALL + PLATFORM)
    assert {each.incident.kind for each in sent} == {"storm"}
    key = sent[0].incident.dedup_key
    router.step(Acknowledgement(incident=key, by="ada", at=router.now, via="pagerduty"))
    assert router.step(after=10_000) == []


def shared_storm(make: Make) -> tuple[Router, dict[str, Incident]]:
    """Two contacts who hear of the same incidents, each by a storm; the storms by whom they are for."""
    routes = [Route(severity=["critical"], to=["on-call", "platform"], escalate=["chief"])]
    router = make(catalogue(Routing(storm=Storm(incidents=1)), routes=routes))
    burst(["A", "B", "C"], router, "critical")
    storms = [each.incident for each in router.incidents() if each.incident.kind == "storm"]
    return router, {each.contacts[0]: each for each in storms}


def test_what_several_hear_of_by_storms_of_their_own_escalates_once_and_to_none_of_them(make: Make) -> None:
    router, storms = shared_storm(make)
    assert set(storms) == {"on-call", "platform"}
    sent = router.step(after=300)
    assert [each.to for each in sent if each.contact == "chief"] == ["email:chief@example.org"]
    router.step(after=1000)
    told = [each.incident for each in router.incidents() if each.incident.kind == "storm"]
    assert sorted(contact for each in told for contact in each.contacts) == ["chief", "on-call", "platform"]
    assert [to for each in told for escalation in each.escalations for to in escalation.to] == ["chief"]


def test_who_takes_a_storm_takes_what_others_hear_of_the_same_incidents(make: Make) -> None:
    router, storms = shared_storm(make)
    key = storms["on-call"].dedup_key
    router.step(Acknowledgement(incident=key, by="ada", at=router.now + 5, via="slack"), after=5)
    assert [each for each in router.step(after=1000) if each.contact == "chief"] == []


def test_what_comes_after_a_storm_was_closed_is_no_part_of_it(make: Make) -> None:
    router = storm_router(make)
    sent = burst(["A", "B", "C", "D"], router, "critical")
    router.step(Closing(incident=sent[0].incident.dedup_key, by="ada", at=router.now, via="pagerduty"))
    sent = burst(["E"], router, "critical")
    assert {(each.incident.title, each.incident.kind) for each in sent} == {("E: api", "alerts")}


def test_what_gets_worse_leaves_its_storm(make: Make) -> None:
    router = storm_router(make)
    burst(["A", "B", "C", "D"], router)
    sent = router.step(webhook(alert("A", pod="b")), after=1)
    assert {each.incident.title for each in sent if each.incident.kind == "alerts"} == {"A: api"}
    assert addresses([each for each in sent if each.incident.kind == "alerts"]) == ON_CALL


def test_no_storms_where_they_are_off(make: Make) -> None:
    router = storm_router(make, incidents=0)
    assert len(burst([f"A{number}" for number in range(20)], router)) == 40


# --- contents ------------------------------------------------------------------------------------------------------


def test_a_notice_goes_to_whom_it_names_else_to_whom_the_routes_say(router: Router) -> None:
    assert addresses(router.step(Notice(title="n", to=["chief"]))) == ["email:chief@example.org"]
    assert addresses(router.step(Notice(title="n", severity="critical"))) == ON_CALL
    assert addresses(router.step(Notice(title="n", to=["nobody"]))) == PLATFORM
    assert addresses(router.step(Notice(title="n", to=["on-call"], kind="report"))) == ["slack:#incidents"]


def test_a_change_is_told_to_pagers_and_slack(router: Router) -> None:
    change = Change(summary="v2", at=START, labels={"service": "api"}, links=[Link(url="https://example.org")])
    assert addresses(router.step(change)) == ["pagerduty:primary", "slack:#incidents", "slack:#platform"]
    assert addresses(router.step(Change(summary="v3", at=START, to=["platform"]))) == ["slack:#platform"]


def test_how_it_was_responded_to_goes_to_the_ledger(make: Make) -> None:
    router = make(catalogue(Routing(ledger="ledger.db")))
    router.step(webhook(alert()))
    router.step(Acknowledgement(incident=key_of(router), by="ada", at=START + 30, via="slack"), after=30)
    router.step(webhook(alert(firing=False, until=START + 90)), after=60)
    (response,) = ledger(router)
    assert (response.opened_at, response.told_at, response.acknowledged_at, response.resolved_at) == (
        START,
        START,
        START + 30,
        START + 90,
    )
    assert response.acknowledged_by == "ada"
    assert response.escalations == 0


def test_how_often_others_were_told_goes_to_the_ledger(make: Make) -> None:
    router = make(catalogue(Routing(ledger="ledger.db")))
    router.step(webhook(alert()))
    router.step(after=301)
    router.step(webhook(alert(firing=False, until=START + 400)), after=99)
    (response,) = ledger(router)
    assert (response.escalations, response.acknowledged_at) == (1, None)


def test_members_of_a_storm_were_told_and_taken_with_it(make: Make) -> None:
    router = make(catalogue(Routing(ledger="ledger.db", storm=Storm(incidents=1))))
    burst(["A", "B", "C"], router, "critical")
    key = next(each.incident.dedup_key for each in router.incidents() if each.incident.kind == "storm")
    router.step(Acknowledgement(incident=key, by="ada", at=router.now + 5, via="slack"), after=5)
    burst(["A", "B", "C"], router, "critical", firing=False)
    assert [(each.told_at, each.acknowledged_by) for each in ledger(router)] == [(START + 1, "ada")] * 3


# --- what can't be reached -----------------------------------------------------------------------------------------


def test_who_can_t_be_reached_is_told_by_other_means_that_say_so(make: Make) -> None:
    router = make(catalogue(Routing(fallback=Fallback(after=60, to=["chief"]))))
    router.down = {"pagerduty:primary"}
    router.step(webhook(alert()))
    sent = [*router.step(after=30), *router.step(after=30)]
    assert addresses(sent) == ["email:chief@example.org", "slack:#incidents"]
    assert all("PagerDuty can't be reached since" in each.incident.notes[0] for each in sent)
    assert router.step(after=30) == []
    assert router.step(after=30) == []
    assert {each.incident.fallbacks for each in sent} == {1}
    router.down = set()
    sent = router.step(after=30)
    assert addresses(sent) == ["pagerduty:primary", "slack:#incidents"]
    [changed] = [each.incident for each in sent if each.to == "slack:#incidents"]
    assert [note.partition(" from ")[0] for note in changed.notes] == ["PagerDuty could not be reached"]
    assert changed.notes[0].endswith("on-call was told then.")
    assert changed.fallbacks == 1


def test_who_knows_that_it_is_over_hears_no_more_when_somebody_else_can_t_be_reached(router: Router) -> None:
    router.down = {"pagerduty:primary"}
    router.step(webhook(alert()))
    assert addresses(router.step(webhook(alert(firing=False, until=START + 10)), after=10)) == ["slack:#incidents"]
    assert [each for _ in range(5) for each in router.step(after=30)] == []


def test_where_no_other_address_is_left_anybody_is_told(make: Make) -> None:
    contacts = [Contact(name="a", slack="#a"), Contact(name="b", slack="#b"), Contact(name="c", email="c@example.org")]
    router = make(catalogue(contacts=contacts, routes=[]))
    router.down = {"slack:#a", "slack:#b"}
    router.step(webhook(alert(severity="warning")))
    sent = [each for _ in range(4) for each in router.step(after=30)]
    assert addresses(sent) == ["email:c@example.org"]


def test_a_report_that_can_t_be_delivered_goes_elsewhere_once(make: Make) -> None:
    router = make()
    router.down = {"slack:#platform"}
    assert addresses(router.step(Notice(title="week", to=["platform"], kind="report"))) == [
        "email:platform@example.org"
    ]
    assert [each for _ in range(5) for each in router.step(after=30)] == []  # they know already
    router = make(catalogue(contacts=[Contact(name="a", slack="#a"), Contact(name="b", email="b@example.org")]))
    router.down = {"slack:#a"}
    router.step(Notice(title="week", text="all well", to=["a"], kind="report"))
    sent = [each for _ in range(5) for each in router.step(after=30)]
    assert addresses(sent) == ["email:b@example.org"]
    notice = sent[0].content
    assert isinstance(notice, Notice)
    assert "all well" in notice.text
    assert "Slack can't be reached" in notice.text


def test_the_state_of_an_incident_is_all_that_a_message_needs(router: Router) -> None:
    (sent, _) = router.step(webhook(alert(annotations={"summary": "API is down", "runbook_url": "https://r.example"})))
    incident: Incident = sent.incident
    assert incident.title == "API is down"
    assert [link.url for link in incident.links if link.text == "Runbook"] == ["https://r.example"]
    assert incident.external_url == "http://alertmanager:9093"
