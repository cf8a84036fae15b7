"""What becomes of a mail when the server, the connection or an address fails."""

from __future__ import annotations

import pytest

from sla_kit.catalogue.routing import EmailSettings
from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Notice
from sla_kit.routing.mail import open_adapter, sending
from tests.routing.mail.incidents import Box, incident, resolved
from tests.servers.mail import CLOSE, HANG, MailServer, Stage, mail_server
from tests.servers.process import refusing_port


@pytest.mark.parametrize("stage", ["sender", "recipient", "data", "mail"])
def test_a_passing_refusal_is_tried_again_and_arrives(server: MailServer, box: Box, stage: Stage) -> None:
    server.fail(stage, "451 4.3.0 try again later")
    with pytest.raises(DeliveryError, match=r"451 4\.3\.0 try again later") as caught:
        box.deliver(incident())
    assert not caught.value.permanent
    assert not caught.value.uncertain
    box.deliver(incident())
    assert len(server.accepted) == 1


@pytest.mark.parametrize("stage", ["sender", "recipient", "data", "mail"])
def test_a_lasting_refusal_is_permanent_with_the_servers_words(server: MailServer, box: Box, stage: Stage) -> None:
    server.fail(stage, "550 5.1.1 nobody here")
    with pytest.raises(DeliveryError, match=r"550 5\.1\.1 nobody here") as caught:
        box.deliver(incident())
    assert caught.value.permanent
    assert caught.value.remedy


@pytest.mark.parametrize("stage", ["connect", "hello", "sender", "recipient", "data"])
def test_a_connection_lost_before_the_mail_is_unreachable_and_certain(
    server: MailServer, box: Box, stage: Stage
) -> None:
    server.fail(stage, CLOSE)
    with pytest.raises(DeliveryError) as caught:
        box.deliver(incident())
    assert caught.value.unreachable
    assert not caught.value.uncertain
    assert not caught.value.permanent
    box.deliver(incident())
    assert len(server.accepted) == 1


@pytest.mark.parametrize(("stage", "arrived"), [("mail", 0), ("accepted", 1)])
def test_a_connection_lost_after_the_mail_is_uncertain(
    server: MailServer, box: Box, stage: Stage, arrived: int
) -> None:
    server.fail(stage, CLOSE)
    with pytest.raises(DeliveryError) as caught:
        box.deliver(incident())
    assert caught.value.uncertain
    assert len(server.accepted) == arrived
    box.deliver(incident(), uncertain=True)
    assert len({each.message["Message-ID"] for each in server.accepted}) == 1


def test_a_server_that_goes_silent_holds_nobody_up_for_long(
    server: MailServer, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[tuple[Stage, bool]] = [("connect", False), ("sender", False), ("accepted", True)]
    for stage, uncertain in stages:
        for seconds in (0.3, 1.0, 3.0, 10.0):  # until that is enough for what comes before that stage
            monkeypatch.setattr(sending, "_STEP_SECONDS", seconds)
            monkeypatch.setattr(sending, "PATIENCE_SECONDS", 6 * seconds)
            server.fail(stage, HANG)
            with pytest.raises(DeliveryError) as caught:
                box.deliver(incident())
            if not server.fault(stage):
                break
        assert caught.value.uncertain is uncertain
        assert caught.value.unreachable is not uncertain


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with refusing_port() as port:
        settings = EmailSettings(host=f"127.0.0.1:{port}", sender="sla@example.org", security="none")
        with pytest.raises(DeliveryError, match="can't be reached") as caught:
            Box(open_adapter(settings)).deliver(incident())
    assert caught.value.unreachable
    assert not caught.value.permanent


def test_a_server_that_turns_away_everybody_is_unreachable(server: MailServer, box: Box) -> None:
    server.fail("connect", "554 5.7.1 no service for you")
    with pytest.raises(DeliveryError, match="no service for you") as caught:
        box.deliver(incident())
    assert caught.value.unreachable


def test_others_of_a_contact_get_their_mail_and_who_failed_is_named(server: MailServer, box: Box) -> None:
    server.refusing["gone@example.org"] = "550 5.1.1 no such user"
    box.destination = Destination("email", "oncall@example.org, gone@example.org,R. Byrd <head@example.org>")
    box.deliver(incident())
    with pytest.raises(DeliveryError, match=r"gone@example.org.*no such user") as caught:
        box.deliver(resolved())
    assert caught.value.permanent
    assert [each.recipients for each in server.accepted] == [("oncall@example.org", "head@example.org")] * 2
    assert "gone@example.org: 550 5.1.1 no such user" in server.accepted[1].text
    server.refusing.clear()  # the mailbox is made, and the dead letter sent again
    box.deliver(resolved())
    assert server.accepted[2].recipients == ("gone@example.org",)
    assert server.accepted[2].message["Message-ID"] == server.accepted[1].message["Message-ID"]


def test_who_may_get_it_later_gets_it_later_and_the_others_not_twice(server: MailServer, box: Box) -> None:
    server.refusing["full@example.org"] = "452 4.2.2 mailbox full"
    box.destination = Destination("email", "oncall@example.org,full@example.org")
    with pytest.raises(DeliveryError, match=r"full@example.org.*mailbox full") as caught:
        box.deliver(incident())
    assert not caught.value.permanent
    server.refusing.clear()
    box.deliver(incident())
    assert [each.recipients for each in server.accepted] == [("oncall@example.org",), ("full@example.org",)]


@pytest.mark.parametrize("address", ["nobody", "a b@example.org", "a@", "@example.org", "a@b..org", ",", "a@b\r\nDATA"])
def test_an_address_that_is_none_is_permanent(server: MailServer, box: Box, address: str) -> None:
    box.destination = Destination("email", address)
    with pytest.raises(DeliveryError) as caught:
        box.deliver(incident())
    assert caught.value.permanent
    assert server.connections == 0


def test_a_name_in_other_letters_travels_and_a_mailbox_only_where_the_server_can(box: Box, server: MailServer) -> None:
    box.destination = Destination("email", "Jörg Öz <joerg@bücher.example>")
    box.deliver(Notice(title="Wöchentlicher Bericht"))
    assert server.accepted[0].recipients == ("joerg@xn--bcher-kva.example",)
    assert "Jörg Öz" in str(server.accepted[0].message["To"])
    other = Box(box.adapter, Destination("email", "jörg@example.org"))
    other.deliver(Notice(title="Bericht"))
    assert server.accepted[1].recipients == ("jörg@example.org",)
    with mail_server(utf8=False) as old:
        adapter = open_adapter(EmailSettings(host=old.host, sender="sla@example.org", security="none"))
        with pytest.raises(DeliveryError, match="SMTPUTF8") as caught:
            Box(adapter, Destination("email", "jörg@example.org")).deliver(Notice(title="Bericht"))
        assert caught.value.permanent
