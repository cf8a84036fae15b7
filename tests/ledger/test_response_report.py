"""What a report tells of responses, worked by hand: from a real ledger to the figures, the page and its proof."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

import sla_kit
from sla_kit.catalogue.model import Catalogue, Recovery, Slo, Window
from sla_kit.engine.results import Evaluation, Period
from sla_kit.history import HistorySource
from sla_kit.ledger import open_ledger
from sla_kit.ledger.reporting_responses import with_responses
from sla_kit.ledger.response_report import Group, Kept, Spread, response_report, spread
from sla_kit.ledger.verifying import verify_report
from sla_kit.report import write
from sla_kit.report.document import to_document
from sla_kit.routing.delivering import Response
from tests.ledger.keeping import DAY, END, shop, update

WEEK = Period("7d", END - 7 * DAY, END)
HOUR = 3600


def promising(**changes: Any) -> Catalogue:
    """The shop, which promises that outages of the api are over within a quarter of an hour."""
    api, web = shop().services
    recovery = Slo(
        name="recovery",
        sli=Recovery(of="availability", within=900.0),
        objective=0.9,
        window=Window(rolling=7.0 * DAY),
    )
    api = msgspec.structs.replace(api, owner="platform", slos=[*api.slos, recovery])
    return shop(services=[api, web], **changes)


def response(
    name: str, opened: int, took: float | None, lasted: float, severity: str = "critical", **labels: str
) -> Response:
    """An incident that somebody was told of 10 s after it opened, and took ``took`` seconds after that."""
    return Response(
        dedup_key=name,
        title=name,
        labels={"service": "api", "team": "platform"} | labels,
        severity=severity,
        opened_at=float(opened),
        told_at=opened + 10.0,
        acknowledged_at=None if took is None else opened + 10 + took,
        acknowledged_by="" if took is None else "R. Byrd",
        resolved_at=opened + lasted,
        escalations=int(took is None or took > 300),
    )


WEB = {"service": "web", "team": "front"}
#: Of the week: six critical incidents of the api, of which one is open at the end, and two warnings of the web.
INCIDENTS = [
    response("began before", WEEK.start - HOUR, 50, 2 * HOUR),
    response("quick", WEEK.start + HOUR, 120, 600),
    response("in time to the second", WEEK.start + DAY, 60, 900),
    response("late", WEEK.start + 2 * DAY, 400, 1200),
    response("over before anybody came", WEEK.start + 3 * DAY, None, 280),
    response("still open", END - 3000, 30, 2 * DAY),
    response("slow", WEEK.start + 4 * DAY, 1000, 4000, "warning", **WEB),
    response("just begun", END - 600, 900, 2 * DAY, "warning", **WEB),
]
OTHERS = [
    response("the week before", WEEK.start - 2 * DAY, 200, 800),
    response("over as the week begins", WEEK.start - 100, 20, 100),
    response("the week after", END, 10, 100),
    response("elsewhere", WEEK.start + DAY, 5, 5, environment="staging"),
]
CRITICAL = Group(
    severity="critical",
    team=None,
    service=None,
    incidents=6,
    open=1,
    acknowledged=5,
    escalated=2,
    acknowledge=Spread(5, 0, 60.0, 400.0),  # of 30, 50, 60, 120, 400: the third, the fifth
    recover=Spread(5, 1, 900.0, None),  # of 280, 600, 900, 1200, 7200 and one that lasts: the third, the sixth
    acknowledged_in_time=Kept(6, 5, 300.0),
    recovered_in_time=Kept(6, 3, 900.0),
)
WARNING = Group(
    severity="warning",
    team=None,
    service=None,
    incidents=2,
    open=1,
    acknowledged=1,
    escalated=2,
    acknowledge=Spread(1, 1, 1000.0, None),
    recover=Spread(1, 1, 4000.0, None),
    acknowledged_in_time=Kept(1, 1, 1800.0),  # of the other it can't be told yet
    recovered_in_time=Kept(0, 0, None),
)


def kept(address: str, *responses: Response) -> None:
    with open_ledger(address) as ledger:
        for one in responses:
            ledger.record(one)


def evaluated(address: str, recording: HistorySource, catalogue: Catalogue, **fields: Any) -> Evaluation:
    with open_ledger(address) as ledger:
        found = sla_kit.evaluate(catalogue, recording, "7d", END, ledger=ledger)
        return with_responses(found, catalogue, ledger, **fields)


def test_a_week_worked_by_hand(address: str, recording: HistorySource) -> None:
    kept(address, *INCIDENTS, *OTHERS)
    found = evaluated(address, recording, promising(environment="production")).responses
    assert found is not None
    assert found.severities() == [CRITICAL, WARNING]
    assert found.groups() == [
        replace(CRITICAL, team="platform", service="api"),
        replace(WARNING, team="front", service="web"),
    ]
    assert [one.title for one in found.open] == ["still open", "just begun"]
    assert [one.recover_seconds for one in found.open] == [3000, 600]


def test_a_catalogue_without_environments_tells_of_all() -> None:
    assert len(response_report(OTHERS, promising(), WEEK).incidents) == 1


def test_an_incident_is_counted_with_its_full_length_in_the_week_in_which_it_is_over() -> None:
    after = Period("next", END, END + 7 * DAY)
    found = response_report([*INCIDENTS, *OTHERS[:3]], promising(), after).severities()
    assert found[0].recover == Spread(2, 0, 100.0, 2.0 * DAY)
    assert found[1].acknowledge == Spread(1, 0, 900.0, 900.0)
    assert [one.open for one in found] == [0, 0]


def test_what_names_an_slo_is_judged_by_what_is_promised_of_that_one() -> None:
    fast = response("fast", WEEK.start + HOUR, 10, 60, slo="fast")
    available = response("available", WEEK.start + HOUR, 10, 901, slo="availability")
    found = response_report([fast, available], promising(), WEEK)
    assert [one.recover_within for one in found.incidents] == [900.0, None]
    assert found.severities()[0].recovered_in_time == Kept(1, 0, 900.0)


def test_a_team_that_no_label_names_is_who_owns_the_service() -> None:
    bare = msgspec.structs.replace(INCIDENTS[1], labels={"service": "api"})
    assert response_report([bare], promising(), WEEK).groups()[0].team == "platform"


def test_without_a_response_or_a_ledger_there_is_nothing(address: str, recording: HistorySource) -> None:
    assert evaluated(address, recording, promising()).responses is None
    kept(address, OTHERS[2])
    found = evaluated(address, recording, promising()).responses
    assert found is not None
    assert found.incidents == ()


def test_a_report_s_responses_are_proven(address: str, recording: HistorySource, tmp_path: Path) -> None:
    update(address, recording)
    kept(address, *INCIDENTS, OTHERS[0])
    before = Period("before", WEEK.start - 7 * DAY, WEEK.start)
    evaluation = evaluated(address, recording, promising(), compared=(promising(), before))
    (path,) = write(evaluation, tmp_path, ["json"])
    document = json.loads(path.read_text())
    assert document["responses"]["records"] == 9
    assert document["responses"]["compared"]["severities"][0]["recover_seconds"]["median"] == 800
    with open_ledger(address) as ledger:
        assert verify_report(ledger, path).proven
        ledger.record(response("told late", WEEK.start + 5 * DAY, 10, 20))
        assert verify_report(ledger, path).proven, "what came later does not make it wrong"
        document["responses"]["severities"][0]["acknowledge_seconds"]["median"] = 5
        path.write_text(json.dumps(document))
        verdict = verify_report(ledger, path)
    assert not verdict.proven
    assert [problem.what for problem in verdict.problems] == ["responses.severities[0].acknowledge_seconds.median"]


def test_a_part_for_an_owner_is_proven_too(address: str, recording: HistorySource, tmp_path: Path) -> None:
    from sla_kit.report.owners import for_owner

    update(address, recording)
    kept(address, *INCIDENTS)
    part = for_owner(evaluated(address, recording, promising()), promising(), "platform")
    (path,) = write(part, tmp_path, ["json"])
    assert [one["service"] for one in json.loads(path.read_text())["responses"]["groups"]] == ["api"]
    with open_ledger(address) as ledger:
        assert verify_report(ledger, path).proven


def test_a_report_of_some_services_is_proven_too(address: str, recording: HistorySource, tmp_path: Path) -> None:
    update(address, recording)
    kept(address, *INCIDENTS)
    (path,) = write(evaluated(address, recording, promising(), services=["web"]), tmp_path, ["json"])
    assert json.loads(path.read_text())["responses"]["services"] == ["web"]
    with open_ledger(address) as ledger:
        assert verify_report(ledger, path).proven


# --- the maths ------------------------------------------------------------------------------------------------------

lengths = st.lists(st.floats(0, 1e7), max_size=30)


@given(lengths, st.integers(0, 10))
def test_an_open_incident_shortens_nothing(known: list[float], open: int) -> None:
    without, found = spread(known, 0), spread(known, open)
    for shorter, longer in ((without.median, found.median), (without.p90, found.p90)):
        assert longer is None or shorter is None or longer >= shorter
    assert (found.known, found.open) == (len(known), open)


@given(lengths)
def test_each_percentile_is_a_time_that_there_was_and_at_least_so_many_do_not_exceed(known: list[float]) -> None:
    found = spread(known, 0)
    if not known:
        assert (found.median, found.p90) == (None, None)
        return
    for value, share in ((found.median, 0.5), (found.p90, 0.9)):
        assert value in known
        assert value is not None
        assert sum(one <= value for one in known) >= math.ceil(share * len(known) - 1e-9)
        assert sum(one < value for one in known) < share * len(known) + 1e-9


@given(
    st.lists(
        st.builds(
            response,
            st.sampled_from("abc"),
            st.integers(WEEK.start - 2 * DAY, END + DAY),
            st.none() | st.floats(0, 2 * DAY),
            st.floats(0, 4 * DAY),
            st.sampled_from(["critical", "warning", "info"]),
            service=st.sampled_from(["api", "web", ""]),
        ),
        max_size=15,
    ),
    st.integers(1, 6),
)
def test_each_incident_is_over_in_one_period_and_groups_add_up(held: list[Response], days: int) -> None:
    edge = WEEK.start + days * DAY
    whole = response_report(held, promising(), WEEK)
    first = response_report(held, promising(), Period("first", WEEK.start, edge))
    second = response_report(held, promising(), Period("second", edge, END))
    over = [sum(not one.open for one in report.incidents) for report in (first, second)]
    assert sum(over) == sum(not one.open for one in whole.incidents)
    for groups in (whole.severities(), whole.groups()):
        assert sum(one.incidents for one in groups) == len(whole.incidents)
        for one in groups:
            assert one.recover.known + one.recover.open == one.incidents
            assert one.acknowledged + one.unacknowledged == one.incidents
            assert one.acknowledge.known == one.acknowledged
            assert one.acknowledged_in_time.in_time <= one.acknowledged_in_time.judged <= one.incidents
            assert one.recovered_in_time.in_time <= one.recovered_in_time.judged <= one.incidents
    assert len(whole.of(["api"]).incidents) + len(whole.of(["web", ""]).incidents) == len(whole.incidents)


def test_the_document_holds_no_name_of_who_took_it(address: str, recording: HistorySource) -> None:
    kept(address, *INCIDENTS)
    assert "R. Byrd" not in json.dumps(to_document(evaluated(address, recording, promising())))
