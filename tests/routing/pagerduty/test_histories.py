"""Any history of an incident, with any failures and crashes between: one page while it is open, and the right end."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.routing import PagerDutySettings
from sla_kit.routing.delivering import DeliveryError, Parcel
from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import Incident, Told, told
from sla_kit.routing.pagerduty.clients import LIBRARIES, Library
from sla_kit.routing.pagerduty.sending import PagerDutyAdapter, open_adapter
from tests.routing.pagerduty.incidents import T, alert, incident
from tests.servers.pagerduty import KEY, FaultKind, PagerDutyServer, pagerduty_server

STATES = {
    "one": incident(alert(1)),
    "two": incident(alert(1), alert(2)),
    "taken": incident(alert(1), acknowledged_at=T + 60, acknowledged_by="R. Byrd", acknowledged_via="pagerduty"),
    "taken-two": incident(alert(1), alert(2), acknowledged_at=T + 60, acknowledged_by="R. Byrd"),
    "over": incident(alert(1, firing=False), status="resolved", resolved_at=T + 600),
}
_FAULTS: list[FaultKind] = ["rate-limit", "status", "drop", "refuse", "status-after", "drop-after"]
#: What happens in one attempt: nothing, a fault of the first or second request, or that the process dies after so many
#: of the things that it asked to be remembered.
_attempts = st.one_of(
    st.none(),
    st.tuples(st.sampled_from([0, 1]), st.sampled_from(_FAULTS)),
    st.sampled_from([0, 1, 2]),
)
Attempt = tuple[int, FaultKind] | int | None


class DiedError(BaseException):
    """The process ends here."""


class Row:
    """A delivery as the outbox has it, through attempts that fail and processes that die."""

    def __init__(self) -> None:
        self.told: Told | None = None
        self.references: dict[str, str] = {}
        self.uncertain = False

    def attempt(self, server: PagerDutyServer, adapter: PagerDutyAdapter, state: Incident, attempt: Attempt) -> bool:
        """Makes one attempt; returns whether it went well."""
        server.faults.clear()
        if isinstance(attempt, tuple):
            before, kind = attempt
            server.fail("none", before)
            server.fail(kind)
        commits = attempt if isinstance(attempt, int) else None

        def remember(references: Mapping[str, str]) -> None:
            nonlocal commits
            if commits is not None:
                if commits == 0:
                    raise DiedError
                commits -= 1
            self.references |= references

        parcel = Parcel(
            id=1,
            key="k1",
            destination=Destination("pagerduty", "primary"),
            content=state,
            told=self.told,
            references=dict(self.references),
            uncertain=self.uncertain,
        )
        try:
            adapter.deliver(parcel, remember)
        except DeliveryError as error:
            self.uncertain = self.uncertain or error.uncertain
            return False
        except DiedError:
            self.uncertain = True
            return False
        if commits is not None:  # it dies before it can say that it went well
            self.uncertain = True
            return False
        self.told, self.uncertain = told(state, T), False
        return True


@pytest.mark.parametrize("library", LIBRARIES)
def test_any_history_pages_once_and_ends_as_it_should(library: Library) -> None:
    with pagerduty_server() as server:
        adapter = open_adapter(
            PagerDutySettings(url=server.url), library=library, environment={"PAGERDUTY_KEY_PRIMARY": KEY}
        )

        @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @example([("one", [None]), ("two", [0]), ("one", [None])], False)
        @example([("one", [None]), ("over", [None]), ("two", [0])], True)
        @example([("taken", [None]), ("over", [0]), ("taken", [None])], False)
        @example([("over", [None]), ("taken", [(1, "rate-limit")])], True)
        @given(
            st.lists(
                st.tuples(st.sampled_from(sorted(STATES)), st.lists(_attempts, min_size=1, max_size=4)),
                min_size=1,
                max_size=5,
            ),
            st.booleans(),
        )
        def check(history: list[tuple[str, list[Attempt]]], ends: bool) -> None:
            server.incidents.clear()
            server.pages.clear()
            row, reached = Row(), ""
            for name, attempts in history:
                for attempt in attempts:
                    if row.attempt(server, adapter, STATES[name], attempt):
                        break
                reached = name
            final = "over" if ends or not reached else reached
            for _ in range(2):
                assert row.attempt(server, adapter, STATES[final], None)
            ended = sum(name == "over" for name, _ in history)
            assert len(server.pages) <= 1 + ended
            assert not server.refused, "it was not as documented"
            if final == "over":
                assert all(one.status == "resolved" for one in server.incidents)
                return
            *before, shown = server.incidents
            assert all(one.status == "resolved" for one in before)
            assert len(shown.payload["custom_details"]["alerts"]) == len(STATES[final].firing)
            if "taken" in final:
                assert shown.status == "acknowledged"
            assert shown.actions[0] == "trigger"

        check()
        adapter.close()
