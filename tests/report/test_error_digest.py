"""What the router is told of errors: the groups worth telling, once for the same reasons, within every limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Catalogue, Service
from sla_kit.catalogue.monitoring import Monitoring
from sla_kit.error_tracking.results import ErrorGroup, ErrorState, Estimate, IncidentLink
from sla_kit.report.error_digest import MOST_GROUPS, MOST_LINKS, error_digest, logs_of
from sla_kit.routing.events import Notice
from sla_kit.routing.mail.notices import letter_of_notice
from sla_kit.routing.notifications import NoticeToTell
from sla_kit.routing.slack.notices import notice_message
from sla_kit.routing.web.native import arrive
from tests.report.errors_sample import BACK, IGNORED, NEW, USUAL, errors_sample, group
from tests.routing.slack.contents import TEXTS
from tests.servers.block_kit import attachment_faults, block_faults

CATALOGUE = Catalogue(
    name="shop",
    environment="production",
    timezone="UTC",
    services=[Service(name="api", owner="platform", slos=[]), Service(name="web", owner="front", slos=[])],
    monitoring=Monitoring(kibana="https://kibana.example.com/"),
)


def told(*groups: ErrorGroup, window: str = "7d", **fields: Any) -> NoticeToTell:
    found = error_digest(errors_sample(*groups, **fields), CATALOGUE, window, ["sre"])
    assert found is not None
    return found


def arrived(digest: NoticeToTell) -> Notice:
    """As the router takes it."""
    event = arrive(digest, 1_790_000_000.0).event
    assert isinstance(event, Notice)
    return event


def test_a_digest_says_what_happened_since_when_and_whose_it_is() -> None:
    digest = told()
    assert digest.title == "Errors of shop, production: 1 new, 1 came back, 1 surging"
    assert digest.to == ["sre"]
    assert digest.fields == {
        "New groups": "1", "Came back": "1", "Surging": "1", "Errors": "4,300 ± 110 (before: 2,700)",
    }  # fmt: skip
    first, second = digest.text.split("\n\n")[1:3]
    assert first.startswith("1. api, new, surging: TypeError: can't read")
    assert "999 errors, 0 before; 12 users; after 1.4.2 of api; during api / availability; owner: platform" in first
    assert second.startswith("2. web, came back: TimeoutError2: no answer")
    assert "1,200 ± 110 errors" in second
    assert "resolved in 1.4.1 by R. Byrd; owner: sre" in second
    assert "ann@example.com" not in digest.text
    assert "Note: 2 of 5 shards did not answer" in digest.text
    assert [link.text for link in digest.links] == ["Logs 1", "Logs 2"]
    assert arrived(digest).severity == "warning"


def test_nothing_is_told_where_nothing_changed_or_it_is_ignored() -> None:
    assert error_digest(errors_sample(USUAL, IGNORED), CATALOGUE, "7d") is None


def test_the_same_groups_for_the_same_reasons_are_told_of_once() -> None:
    first = told(NEW, BACK)
    later = errors_sample(NEW, BACK)
    later = replace(later, start=later.start + 60, end=later.end + 60, total=Estimate.exactly(9999))
    again = error_digest(later, CATALOGUE, "7d")
    assert again is not None
    assert again.id == first.id
    worse = replace(NEW, count=Estimate.exactly(5000), last_seen=NEW.last_seen + 30)
    assert told(BACK, worse).id == first.id
    assert told(NEW, BACK, window="1d").id != first.id
    assert told(NEW).id != first.id
    once_more = replace(BACK, state=replace(BACK.state, at=BACK.state.at + 3600))  # resolved, and back once more
    assert told(NEW, once_more).id != first.id
    tomorrow = error_digest(replace(later, end=later.end + 86400), CATALOGUE, "7d")
    assert tomorrow is not None
    assert tomorrow.id != first.id  # it is surging still


def test_a_digest_is_of_one_team_where_all_groups_are() -> None:
    assert told(NEW).team == "platform"
    assert told(NEW, replace(BACK, state=ErrorState("web", BACK.key))).team == ""


def test_many_groups_are_counted_and_the_first_are_named() -> None:
    many = [group(number, kinds=frozenset({"new"})) for number in range(MOST_GROUPS + 5)]
    digest = told(*many)
    assert "… and 5 more" in digest.text
    assert len(digest.links) == MOST_LINKS
    assert digest.fields["New groups"] == str(MOST_GROUPS + 5)


def test_kibana_is_asked_for_the_group_and_nothing_breaks_out_of_the_query() -> None:
    odd = replace(NEW, key="a\"b'c", service="x'y", type="T\\\"'")
    url = logs_of(odd, CATALOGUE, 0.0, 60.0)
    assert url.startswith("https://kibana.example.com/app/discover#/?_g=(time:(from:%271970-01-01T00:00:00.000Z%27")
    assert "error.grouping_key:%22abc%22" in url
    assert "'" not in url
    assert logs_of(odd, replace_kibana(""), 0.0, 60.0) == ""


def replace_kibana(url: str) -> Catalogue:
    return Catalogue(name="shop", services=[], monitoring=Monitoring(kibana=url))


_GROUPS = st.lists(
    st.builds(
        lambda number, service, kind, message, key, owner, title, kinds: group(
            number,
            service=service,
            type=kind,
            message=message,
            key=key,
            kinds=frozenset(kinds),
            state=ErrorState(service, key, "open", owner),
            releases=((message, 3.0),),
            incidents=(IncidentLink(title, 0.0, None),),
        ),
        st.integers(0, 99),
        TEXTS,
        TEXTS,
        TEXTS,
        TEXTS,
        TEXTS,
        TEXTS,
        st.sets(st.sampled_from(["new", "regressed", "surging"]), min_size=1),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_GROUPS)
def test_whatever_errors_say_the_router_takes_it_and_slack_too(groups: list[ErrorGroup]) -> None:
    notice = arrived(told(*groups))
    message = notice_message(notice).arguments()
    assert list(block_faults(message["blocks"])) == []
    assert list(attachment_faults(message["attachments"])) == []
    for text in (part for part in str(message).split("<") if part.startswith("!")):
        assert text.startswith("!date"), text  # nobody is mentioned
    assert letter_of_notice(notice).subject
