"""Which mails a mailbox gets of an incident, and that they are one thread."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sla_kit.routing.incident import Escalation, Told
from tests.routing.mail.incidents import START, Box, alert, incident, resolved
from tests.servers.mail import MailServer


def headlines(server: MailServer) -> list[str]:
    return [each.text.splitlines()[0] for each in server.accepted]


def test_an_incident_is_one_mail_when_it_opens_and_one_when_it_resolves(server: MailServer, box: Box) -> None:
    box.deliver(incident())
    box.deliver(incident(alerts={"f2": alert(2)}, acknowledged_at=START + 60, acknowledged_by="R. Byrd"))
    box.deliver(resolved())
    box.deliver(resolved())
    assert headlines(server) == ["Firing: critical", "Resolved after 12 min"]
    first, last = (each.message for each in server.accepted)
    assert last["In-Reply-To"] == last["References"] == first["Message-ID"]
    assert first["In-Reply-To"] is None
    assert last["Subject"] == f"Re: {first['Subject']}" == "Re: [critical] API answers with errors"
    assert first["Importance"] == "high"
    assert last["Importance"] is None


@pytest.mark.parametrize(
    "title",
    [
        "a,b availability: 99.99 99.99 (c) =x (c) [critical] 99.99 =x and what else there is to say of it",
        "Die Störung der Bestellungen über die Fußgängerzone – seit gestern früh, für alle, über alle Wege",
        "障害" * 40,
        "x" * 120,
    ],
    ids=["ascii", "german", "japanese", "one-word"],
)
def test_a_long_subject_begins_on_its_first_line_and_is_read_as_it_was_meant(
    server: MailServer, box: Box, title: str
) -> None:
    box.deliver(incident(title=title))
    box.deliver(resolved(title=title))
    first, last = server.accepted
    assert first.message["Subject"] == f"[critical] {title}"
    assert last.message["Subject"] == f"Re: [critical] {title}"
    for each in (first, last):
        lines = each.body.partition(b"\n\r\n")[0].decode("ascii").splitlines()
        (place,) = [number for number, line in enumerate(lines) if line.startswith("Subject:")]
        assert lines[place].removeprefix("Subject: Re:").removeprefix("Subject:").strip().startswith("[critical]")
        assert lines[place + 1].startswith(" ")
        assert max(len(line) for line in lines[place : place + 2]) <= 78


def test_a_raised_severity_is_told_once_with_the_subject_of_the_thread(server: MailServer, box: Box) -> None:
    box.deliver(incident(severity="warning"))
    box.deliver(incident(severity="critical"))
    box.deliver(incident(severity="critical", alerts={"f2": alert(2)}))
    assert headlines(server) == ["Firing: warning", "Now critical"]
    assert server.accepted[1].message["Subject"] == "Re: [warning] API answers with errors"
    assert server.accepted[1].message["X-SLA-Kit-Severity"] == "critical"


def test_an_escalation_to_this_mailbox_is_told_and_one_to_others_is_not(server: MailServer, box: Box) -> None:
    box.deliver(incident())
    others = Escalation(at=START + 300, to=["head"], why="not acknowledged within 5 min")
    mine = Escalation(at=START + 600, to=["oncall"], why="asked for by R. Byrd")
    box.deliver(incident(escalations=[others]))
    box.deliver(incident(escalations=[others, mine]))
    box.deliver(incident(escalations=[others, mine]))
    assert headlines(server) == ["Firing: critical", "Escalated to you: critical"]
    assert "asked for by R. Byrd" in server.accepted[1].text


def test_that_somebody_else_cant_be_reached_is_a_mail_of_its_own(server: MailServer, box: Box) -> None:
    box.deliver(incident())
    note = "PagerDuty can't be reached since 03:40 UTC: oncall may not know."
    box.deliver(incident(notes=[note], fallbacks=1))
    box.deliver(incident(notes=[note], fallbacks=1))
    box.deliver(incident(notes=["E-mail can't be reached since 03:41 UTC: oncall may not know."], fallbacks=2))
    assert headlines(server) == ["Firing: critical", "Not everybody can be reached: critical"]
    assert server.accepted[1].text.count(note) == 1


def test_what_was_over_before_it_was_told_is_one_mail_that_tells_both(server: MailServer, box: Box) -> None:
    box.deliver(resolved())
    box.deliver(resolved())
    assert headlines(server) == ["Resolved after 12 min"]
    assert "its beginning and its end" in server.accepted[0].text
    assert server.accepted[0].message["Subject"] == "[resolved] API answers with errors"


def test_after_a_crash_between_sending_and_committing_nothing_is_sent_again(server: MailServer, box: Box) -> None:
    box.deliver(incident(), crash=True)
    box.deliver(incident(), uncertain=True)
    box.deliver(resolved(), crash=True)
    box.deliver(resolved(), uncertain=True)
    assert headlines(server) == ["Firing: critical", "Resolved after 12 min"]


def test_what_may_have_arrived_is_sent_again_with_the_same_message_id(server: MailServer, box: Box) -> None:
    box.deliver(incident())
    box.references = {name: value for name, value in box.references.items() if name in ("first", "subject", "sending")}
    box.told = None
    box.deliver(incident(), uncertain=True)
    box.deliver(resolved())
    first, second, last = (each.message for each in server.accepted)
    assert first["Message-ID"] == second["Message-ID"] == last["References"]
    assert last["Message-ID"] != first["Message-ID"]


def test_a_higher_severity_after_an_uncertain_attempt_is_no_copy_of_it(server: MailServer, box: Box) -> None:
    box.deliver(incident(severity="warning"))
    box.references = {name: value for name, value in box.references.items() if name in ("first", "subject", "sending")}
    box.told = None
    box.deliver(incident(severity="critical"), uncertain=True)
    first, second = (each.message for each in server.accepted)
    assert first["Message-ID"] != second["Message-ID"]
    assert second["In-Reply-To"] == first["Message-ID"]


def test_where_nothing_is_remembered_what_was_told_counts(server: MailServer, box: Box) -> None:
    box.told = Told(status="firing", severity="critical")
    box.deliver(incident())
    assert server.accepted == []
    box.deliver(resolved())
    assert headlines(server) == ["Resolved after 12 min"]


@pytest.mark.parametrize("key", ["17", "incident/17 with\r\nBcc: x@y.org", "ü" * 300])
def test_message_ids_are_well_formed_whatever_the_key_is(server: MailServer, box: Box, key: str) -> None:
    box.key = key
    box.deliver(incident())
    found = str(server.accepted[0].message["Message-ID"])
    assert found.startswith("<")
    assert found.endswith("@example.org>")
    assert found.isascii()
    assert found.isprintable()
    assert " " not in found
    assert len(found) < 200


def test_an_incident_that_fires_again_says_so(server: MailServer, box: Box) -> None:
    box.deliver(resolved())
    box.deliver(replace(incident(), opened_at=START + 900))
    assert headlines(server) == ["Resolved after 12 min", "Firing again: critical"]
