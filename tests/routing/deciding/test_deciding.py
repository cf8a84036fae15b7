"""Who is told of what: the first route that fits, and somebody always."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.model import Calendar, Catalogue, Contact, Occasion, Route
from sla_kit.catalogue.monitoring import Monitoring
from sla_kit.catalogue.routing import Digest, Routing
from sla_kit.routing.deciding import Deciding, Decision, Subject
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Change, Notice
from tests.routing.deciding.shop import CONTACTS, NOW, SERVICES, at, shop


def decide(catalogue: Catalogue, labels: dict[str, str], moment: float = NOW, receiver: str = "") -> Decision:
    return Deciding(catalogue).decide(Subject(labels, labels.get("severity", ""), receiver), moment)


def places(decision: Decision) -> list[str]:
    return [str(destination) for _, destination in decision.destinations]


# --- routes ---------------------------------------------------------------------------------------------------------


def test_the_first_route_that_fits_is_taken() -> None:
    catalogue = shop(
        Route(to=["leads"], severity=["critical"], service=["db"]),
        Route(to=["on-call", "platform"], severity=["critical"]),
        Route(to=["platform"]),
    )
    assert decide(catalogue, {"severity": "critical", "service": "db"}).route == 0
    told = decide(catalogue, {"severity": "critical", "service": "api"})
    assert (told.route, told.contacts) == (1, ["on-call", "platform"])
    assert places(told) == ["pagerduty:primary", "slack:#incidents", "slack:#platform", "email:platform@example.com"]
    assert decide(catalogue, {"severity": "strange"}).route == 2


def test_an_address_that_two_contacts_share_is_told_once() -> None:
    contacts = [Contact(name="a", slack="#x"), Contact(name="b", slack="#x", email="b@example.com")]
    told = decide(shop(Route(to=["a", "b"]), contacts=contacts), {})
    assert told.destinations == [("a", Destination("slack", "#x")), ("b", Destination("email", "b@example.com"))]


@pytest.mark.parametrize(
    ("slo", "labels", "fits"),
    [
        (["availability"], {"service": "api", "slo": "availability"}, True),
        (["availability"], {"slo": "availability"}, True),
        (["api/availability"], {"service": "api", "slo": "availability"}, True),
        (["api/availability"], {"service": "web", "slo": "availability"}, False),
        (["api/availability"], {"slo": "availability"}, False),
        (["availability"], {"service": "api"}, False),
        (["availability"], {}, False),
    ],
)
def test_a_route_may_be_of_slos(slo: list[str], labels: dict[str, str], fits: bool) -> None:
    catalogue = shop(Route(to=["on-call"], slo=slo), Route(to=["platform"]))
    assert decide(catalogue, labels).route == (0 if fits else 1)


@pytest.mark.parametrize(
    ("moment", "route"),
    [
        ("2026-03-07T08:59:00-05:00", 1),  # the day before the clocks go forward in New York
        ("2026-03-07T09:00:00-05:00", 0),
        ("2026-03-08T09:00:00-04:00", 0),  # the day they do
        ("2026-03-08T08:59:00-04:00", 1),
        ("2026-11-01T09:00:00-05:00", 0),  # and back
        ("2026-11-01T09:30:00-04:00", 1),  # which is 08:30 by then
        ("2026-11-01T16:59:00-05:00", 0),
        ("2026-11-01T17:00:00-05:00", 1),
    ],
)
def test_hours_are_those_on_the_wall_when_the_clocks_change(moment: str, route: int) -> None:
    routes = [Route(to=["on-call"], hours=["09:00-17:00"]), Route(to=["platform"])]
    assert decide(shop(*routes, timezone="America/New_York"), {}, at(moment)).route == route


def test_an_hour_that_comes_twice_is_meant_both_times_and_one_that_is_skipped_never() -> None:
    catalogue = shop(Route(to=["on-call"], hours=["01:00-02:00"]), Route(to=["platform"]), timezone="America/New_York")
    twice = [at("2026-11-01T01:30:00-04:00"), at("2026-11-01T01:30:00-05:00")]
    assert [decide(catalogue, {}, moment).route for moment in twice] == [0, 0]
    skipped = shop(Route(to=["on-call"], hours=["02:00-03:00"]), Route(to=["platform"]), timezone="America/New_York")
    night = at("2026-03-08T00:00:00-05:00")
    assert {decide(skipped, {}, night + minutes * 60).route for minutes in range(0, 240, 5)} == {1}


def test_a_route_may_have_a_time_zone_of_its_own() -> None:
    catalogue = shop(Route(to=["on-call"], hours=["09:00-10:00"], timezone="Asia/Tokyo"), Route(to=["platform"]))
    assert decide(catalogue, {}, at("2026-09-07T00:30:00+00:00")).route == 0
    assert decide(catalogue, {}, at("2026-09-07T09:30:00+00:00")).route == 1


GAMES = Calendar(
    events=[
        Occasion(
            name="Sunday games",
            start="2026-09-06T13:00",
            duration=3.5 * 3600,
            repeat="FREQ=WEEKLY;BYDAY=SU",
            services=["api", "web"],
        )
    ]
)


def test_a_live_event_of_the_alerts_service_tells_routes_apart() -> None:
    catalogue = shop(
        Route(to=["on-call"], event="during"),
        Route(to=["platform"], event="outside"),
        calendar=GAMES,
        timezone="America/New_York",
    )
    during, after = at("2026-10-11T13:00:00-04:00"), at("2026-10-11T16:30:00-04:00")
    assert decide(catalogue, {"service": "api"}, during).route == 0
    assert decide(catalogue, {"service": "api"}, during - 1).route == 1
    assert decide(catalogue, {"service": "api"}, after).route == 1
    assert decide(catalogue, {"service": "api"}, at("2026-11-08T13:00:00-05:00")).route == 0  # the clocks have changed
    assert decide(catalogue, {"service": "db"}, during).route == 1
    assert decide(catalogue, {}, during).route == 1


def test_labels_are_found_by_what_they_are_called_here() -> None:
    monitoring = Monitoring(labels={"service": "app", "severity": "level", "team": "squad"})
    catalogue = shop(Route(to=["on-call"], service=["api"], severity=["critical"]), monitoring=monitoring)
    assert Deciding(catalogue).decide(Subject({"app": "api", "level": "critical"}), NOW).route == 0
    assert Deciding(catalogue).decide(Subject({"service": "api", "severity": "critical"}), NOW).route == 0
    assert Deciding(catalogue).decide(Subject({"squad": "platform"}), NOW).contacts == ["platform"]


def test_an_alert_without_an_environment_is_of_the_catalogues_and_that_is_said() -> None:
    catalogue = shop(Route(to=["on-call"], environment=["production"]), Route(to=["platform"]))
    catalogue = msgspec.structs.replace(catalogue, environment="production")
    told = decide(catalogue, {})
    assert told.route == 0
    assert any("no environment" in why for why in told.why)
    assert decide(catalogue, {"environment": "dev"}).route == 1


def test_what_speaks_against_each_route_is_said() -> None:
    catalogue = shop(
        Route(to=["on-call"], severity=["critical"], service=["web", "db"]),
        Route(to=["on-call"], hours=["sat,sun"], event="during"),
        Route(to=["platform"]),
    )
    labels = {"severity": "warning"}
    first, second, third = Deciding(catalogue).consider(Subject(labels), NOW)
    assert first.against == ("severity is 'warning', not critical", "service is not said, not web or db")
    assert second.against == ("it is Mon 12:00 UTC, outside sat,sun", "no live event goes on")
    assert third.fits


# --- where no route fits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "receiver", "contacts", "words"),
    [
        ({"team": "platform"}, "leads", ["platform"], "team is platform"),
        ({"team": "unknown"}, "leads+platform", ["leads", "platform"], "receiver is leads\\+platform"),
        ({"team": "nobody"}, "nobody+gone+leads", ["leads"], "receiver"),
        ({}, "_default", ["on-call"], "first with an address"),
        ({}, "", ["on-call"], "first with an address"),
    ],
)
def test_without_a_route_the_team_the_receiver_or_the_first_contact_is_told(
    labels: dict[str, str], receiver: str, contacts: list[str], words: str
) -> None:
    told = decide(shop(Route(to=["platform"], severity=["never"])), labels, receiver=receiver)
    assert (told.route, told.contacts) == (None, contacts)
    assert any(words.replace("\\", "") in why for why in told.why)
    assert told.why[0] == "no route fits"


def test_a_route_to_nobody_with_an_address_is_passed_over() -> None:
    told = decide(shop(Route(to=["nobody"]), Route(to=["platform"])), {})
    assert (told.route, told.contacts) == (1, ["platform"])
    assert "nobody with an address" in told.why[0]


def test_where_no_contact_has_an_address_nothing_is_raised() -> None:
    told = decide(shop(Route(to=["nobody"]), contacts=[CONTACTS[-1]]), {"severity": "critical"})
    assert (told.contacts, told.destinations) == ([], [])
    assert told.why[-1] == "no contact has an address"


# --- digests ----------------------------------------------------------------------------------------------------------


def test_a_digest_pages_only_those_who_have_nothing_but_a_pager() -> None:
    catalogue = shop(Route(to=["on-call", "leads"]))
    told = decide(catalogue, {"severity": "info"})
    assert told.digest
    assert places(told) == ["slack:#incidents", "pagerduty:leads"]
    assert not decide(catalogue, {"severity": "warning"}).digest


def test_which_severities_wait_for_a_digest_is_the_catalogues() -> None:
    catalogue = shop(Route(to=["on-call"]), routing=Routing(digest=Digest(severities=["notice"])))
    assert decide(catalogue, {"severity": "notice"}).digest
    assert not decide(catalogue, {"severity": "info"}).digest


# --- who is next ------------------------------------------------------------------------------------------------------


def chain(catalogue: Catalogue, labels: dict[str, str], moment: float = NOW) -> list[list[str]]:
    deciding, subject = Deciding(catalogue), Subject(labels)
    told: list[list[str]] = [deciding.decide(subject, moment).contacts]
    while (following := deciding.next(subject, moment, {name for names in told for name in names})) is not None:
        assert following.contacts
        assert not following.digest
        told.append(following.contacts)
        assert len(told) < 10
    return told


def test_who_is_next_are_those_of_the_next_route_that_fits_who_were_not_told() -> None:
    catalogue = shop(
        Route(to=["on-call"], severity=["critical"]),
        Route(to=["nobody"], severity=["critical"]),
        Route(to=["leads"], severity=["warning"]),
        Route(to=["on-call", "platform"]),
        Route(to=["leads"]),
    )
    assert chain(catalogue, {"severity": "critical"}) == [["on-call"], ["platform"], ["leads"]]


def test_those_under_escalate_are_next_instead_of_further_routes() -> None:
    catalogue = shop(Route(to=["on-call"], escalate=["leads"]), Route(to=["platform"]))
    assert chain(catalogue, {}) == [["on-call"], ["leads"]]


def test_where_nobody_is_left_there_is_no_next() -> None:
    assert chain(shop(Route(to=["on-call"])), {}) == [["on-call"]]
    assert chain(shop(), {"team": "platform"}) == [["platform"]]


def test_who_is_next_is_judged_by_the_hour_that_it_is_then() -> None:
    catalogue = shop(
        Route(to=["platform"], hours=["mon-fri 09:00-17:00"]),
        Route(to=["on-call"], hours=["17:00-09:00"]),
        Route(to=["leads"]),
    )
    deciding = Deciding(catalogue)
    assert deciding.decide(Subject(), at("2026-09-07T16:58:00+00:00")).contacts == ["platform"]
    following = deciding.next(Subject(), at("2026-09-07T17:03:00+00:00"), {"platform"})
    assert following is not None
    assert following.contacts == ["on-call"]


# --- named contacts, notices and changes ------------------------------------------------------------------------------


def test_named_contacts_are_told_whatever_the_routes_say() -> None:
    told = Deciding(shop(Route(to=["on-call"]))).told_to(["leads", "unknown", "nobody", "leads"])
    assert (told.contacts, places(told)) == (["leads"], ["pagerduty:leads"])
    assert Deciding(shop()).told_to([]).destinations == []


@pytest.mark.parametrize(
    ("notice", "expected"),
    [
        (Notice(title="t", severity="critical"), ["pagerduty:primary", "slack:#incidents"]),
        (Notice(title="t"), ["slack:#incidents"]),
        (Notice(title="t", severity="critical", kind="report"), ["slack:#incidents"]),
        (Notice(title="t", to=["platform"]), ["slack:#platform", "email:platform@example.com"]),
        (Notice(title="t", to=["leads"]), ["pagerduty:leads"]),
        (Notice(title="t", to=["gone"]), ["slack:#incidents"]),
        (Notice(title="t", to=["on-call", "leads"]), ["slack:#incidents", "pagerduty:leads"]),
    ],
)
def test_a_notice_pages_only_where_it_is_urgent_or_there_is_nothing_else(notice: Notice, expected: list[str]) -> None:
    told = Deciding(shop(Route(to=["on-call"]))).for_notice(notice, NOW)
    assert places(told) == expected
    assert not told.digest


def test_a_change_is_shown_wherever_alerts_of_its_service_go() -> None:
    deciding = Deciding(shop(Route(to=["on-call"], severity=["critical"]), Route(to=["platform"])))
    shown = ["pagerduty:primary", "slack:#incidents", "slack:#platform"]
    assert places(deciding.for_change(Change(summary="c", at=NOW), NOW)) == shown
    assert places(deciding.for_change(Change(summary="c", at=NOW, to=["leads"]), NOW)) == ["pagerduty:leads"]


# --- whatever comes ---------------------------------------------------------------------------------------------------

TEXT = (
    st.sampled_from(["", "critical", "warning", "info", "api", "web", "on-call", "nobody", "availability"]) | st.text()
)
LABELS = st.dictionaries(
    st.sampled_from(["severity", "service", "team", "environment", "slo", "alertname"]) | st.text(), TEXT, max_size=8
)
NAMES = st.lists(st.sampled_from([contact.name for contact in CONTACTS] + ["gone"]), max_size=3)
VALUES = st.lists(
    st.sampled_from(["critical", "info", "api", "on-call", "availability", "api/availability"]), max_size=2
)
ROUTES = st.lists(
    st.builds(
        Route,
        to=NAMES,
        severity=VALUES,
        service=VALUES,
        team=VALUES,
        slo=VALUES,
        hours=st.lists(st.sampled_from(["mon-fri 09:00-17:00", "sat", "22:00-06:00", "can't be read"]), max_size=2),
        timezone=st.sampled_from(["", "Europe/Berlin", "No/Where"]),
        event=st.sampled_from([None, "during", "outside"]),
        escalate=NAMES,
    ),
    max_size=4,
)
MOMENTS = st.floats(at("2026-01-01T00:00:00+00:00"), at("2027-01-01T00:00:00+00:00"))


@given(ROUTES, LABELS, TEXT, TEXT, MOMENTS)
def test_any_labels_whatsoever_reach_somebody_and_the_same_ones_each_time(
    routes: list[Route], labels: dict[str, str], severity: str, receiver: str, moment: float
) -> None:
    catalogue = shop(*routes, calendar=GAMES)
    subject = Subject(labels, severity, receiver)
    deciding = Deciding(catalogue)
    told = deciding.decide(subject, moment)
    assert told.destinations
    assert told.why
    assert told == deciding.decide(subject, moment) == Deciding(catalogue).decide(subject, moment)
    assert {name for name, _ in told.destinations} <= set(told.contacts)
    assert len({destination for _, destination in told.destinations}) == len(told.destinations)
    assert deciding.priority(severity) in range(4)
    assert deciding.rank(severity) >= 0
    known = set(told.contacts)
    for _ in range(len(CONTACTS)):
        following = deciding.next(subject, moment, known)
        if following is None:
            break
        assert following.destinations
        assert not known & set(following.contacts)
        known |= set(following.contacts)
    else:
        pytest.fail("escalating never ends")


@given(LABELS, MOMENTS)
def test_what_fits_nowhere_is_told_by_a_catalogue_without_routes(labels: dict[str, str], moment: float) -> None:
    assert Deciding(shop()).decide(Subject(labels), moment).destinations


# --- calendar and severities ------------------------------------------------------------------------------------------


def maintained(*occasions: Occasion, timezone: str = "UTC") -> Deciding:
    return Deciding(shop(calendar=Calendar(maintenance=list(occasions)), timezone=timezone))


def test_maintenance_of_a_service_mutes_its_alerts_until_it_is_over() -> None:
    deciding = maintained(
        Occasion(
            name="Upgrade",
            start="2026-09-15T02:00",
            duration=1800,
            repeat="FREQ=MONTHLY;BYDAY=3TU",
            services=["db"],
            reason="Minor release",
        ),
        timezone="Europe/Berlin",
    )
    during = at("2026-10-20T02:10:00+02:00")
    mute = deciding.muted(Subject({"service": "db"}), during)
    assert mute is not None
    assert (mute.name, mute.reason, mute.until) == ("Upgrade", "Minor release", at("2026-10-20T02:30:00+02:00"))
    assert deciding.muted(Subject({"service": "api"}), during) is None
    assert deciding.muted(Subject(), during) is None
    assert deciding.muted(Subject({"service": "db"}), mute.until) is None
    assert deciding.muted(Subject({"service": "db"}), at("2026-12-15T02:00:00+01:00")) is not None


def test_maintenance_of_everything_mutes_what_names_no_service() -> None:
    deciding = maintained(Occasion(name="Move", start="2026-09-07T11:00", end="2026-09-07T13:00"))
    assert deciding.muted(Subject(), NOW) is not None
    assert deciding.muted(Subject({"service": "whatever"}), NOW) is not None


def test_windows_that_follow_on_one_another_mute_until_the_last_of_them_ends() -> None:
    deciding = maintained(
        Occasion(name="First", start="2026-09-07T11:00", end="2026-09-07T13:00"),
        Occasion(name="Second", start="2026-09-07T13:00", end="2026-09-08T01:00"),
        Occasion(name="Third", start="2026-09-08T00:30", end="2026-09-08T02:00"),
        Occasion(name="Of others", start="2026-09-08T01:30", end="2026-09-08T09:00", services=["db"]),
    )
    mute = deciding.muted(Subject({"service": "api"}), NOW)
    assert mute is not None
    assert (mute.name, mute.until) == ("First", at("2026-09-08T02:00:00+00:00"))


def test_maintenance_may_be_in_an_icalendar_file_and_one_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "work.ics"
    file.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART:20260907T110000Z\r\nDTEND:20260907T130000Z\r\nSUMMARY:Switch\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    catalogue = shop(Route(to=["on-call"]), calendar=Calendar(maintenance=[Occasion(name="Work", ical="work.ics")]))
    catalogue = msgspec.structs.replace(catalogue, folder=str(tmp_path))
    mute = Deciding(catalogue).muted(Subject(), NOW)
    assert mute is not None
    assert mute.name == "Switch"
    file.unlink()
    deciding = Deciding(catalogue)
    assert deciding.muted(Subject(), NOW) is None
    assert "work.ics" in deciding.problem
    told = deciding.decide(Subject(), NOW)
    assert told.destinations
    assert any("calendar" in why for why in told.why)


def test_a_decision_is_a_value() -> None:
    told = decide(shop(Route(to=["on-call"])), {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        told.digest = True  # type: ignore[misc]
    assert SERVICES[0].name == "api"
