"""Whatever goes wrong in whatever order, everybody hears of it, and twice only where nobody could know better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.routing import EmailSettings
from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import Incident
from sla_kit.routing.mail import open_adapter
from tests.routing.mail.incidents import Box, incident, resolved
from tests.servers.mail import CLOSE, MailServer, Stage, mail_server

FAULTS: list[tuple[Stage, str]] = [
    *((stage, answer) for stage in ("connect", "sender", "data", "mail") for answer in ("451 later", CLOSE)),
    ("recipient", "450 busy"),
    ("accepted", CLOSE),
]


@dataclass(frozen=True)
class Crash:
    """The process dies at one of its next writes, before or after it is made."""

    at: int
    written: bool


#: What happens, in order: a fault that is due, a process that dies (at which of its writes, and whether it was made),
#: an attempt, or a new state.
EVENTS = st.one_of(
    st.sampled_from(FAULTS),
    st.builds(Crash, st.integers(0, 2), st.booleans()),
    st.just("attempt"),
    st.just("raise"),
)
EVERYBODY = {"ada@example.org", "grace@example.org"}


class KilledError(Exception):
    """The process is gone."""


@dataclass
class DyingBox(Box):
    """A delivery whose process dies at its ``dies_at``-th write from now on, before or after it is made."""

    dies_at: int = -1
    written: bool = False

    def remember(self, references: Mapping[str, str]) -> None:
        self.dies_at -= 1
        if self.dies_at == -1 and not self.written:
            raise KilledError
        super().remember(references)
        if self.dies_at == -1:
            raise KilledError


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def attempt(box: DyingBox, state: Incident, uncertain: bool) -> tuple[bool, bool]:
    """Whether it was told, and whether the outcome is open."""
    try:
        box.deliver(state, uncertain=uncertain)
    except DeliveryError as error:
        if error.permanent:
            raise
        return False, error.uncertain
    except KilledError:
        return False, True
    finally:
        box.dies_at = -1
    return True, False


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(EVENTS, max_size=12))
def test_everybody_gets_each_mail_and_a_copy_only_of_what_was_uncertain(
    server: MailServer, events: list[tuple[Stage, str] | Crash | str]
) -> None:
    server.accepted.clear()
    server.forget_faults()
    adapter = open_adapter(EmailSettings(host=server.host, sender="sla@example.org", security="none"))
    box = DyingBox(adapter, Destination("email", ", ".join(sorted(EVERYBODY))))
    state, doubts, uncertain = incident(severity="warning"), 0, False
    for event in events:
        if isinstance(event, str):
            if event == "raise":
                state = incident(severity="critical")
            told, unclear = attempt(box, state, uncertain)
            uncertain = not told and (uncertain or unclear)
            doubts += unclear
        elif isinstance(event, Crash):
            box.dies_at, box.written = event.at, event.written
        else:
            server.fail(*event)
    over = resolved(severity=state.severity)
    for _ in range(40):
        told, unclear = attempt(box, over, uncertain)
        uncertain = not told and (uncertain or unclear)
        doubts += unclear
        if told:
            break
    else:
        pytest.fail("it was never told")

    copies = Counter((str(each.message["Message-ID"]), who) for each in server.accepted for who in each.recipients)
    last = {mail_id for mail_id, _ in copies if ".resolved@" in mail_id}
    assert len(last) == 1
    assert {who for mail_id, who in copies if mail_id in last} == EVERYBODY
    assert sum(copies.values()) - len(copies) <= doubts * len(EVERYBODY)
    first = box.references["first"]
    for each in server.accepted:
        message = each.message
        assert message["Message-ID"] == first or message["References"] == first
    before = len(server.accepted)
    assert attempt(box, over, False) == (True, False)
    assert len(server.accepted) == before
