"""Severities in their order, whichever a catalogue has and alerts carry."""

from __future__ import annotations

from sla_kit.catalogue.model import SeverityLevel
from sla_kit.catalogue.routing import Digest, Routing
from sla_kit.routing.deciding import Deciding
from tests.routing.deciding.shop import shop


def deciding(*levels: SeverityLevel, digest: tuple[str, ...] = ("info",)) -> Deciding:
    return Deciding(shop(severities=list(levels), routing=Routing(digest=Digest(severities=list(digest)))))


def test_without_severities_of_a_catalogue_critical_has_five_minutes_and_warning_thirty() -> None:
    found = deciding()
    assert [found.respond_within(each) for each in ("critical", "warning", "info", "", "odd")] == [
        300.0,
        1800.0,
        None,
        None,
        None,
    ]


def test_the_catalogue_says_how_soon_somebody_responds() -> None:
    found = deciding(
        SeverityLevel(name="critical", respond_within=120),
        SeverityLevel(name="warning"),
        SeverityLevel(name="page", respond_within=60),
    )
    assert [found.respond_within(each) for each in ("critical", "warning", "page")] == [120.0, 1800.0, 60.0]


def test_critical_is_sent_before_warning_before_others_before_digests() -> None:
    found = deciding()
    assert [found.priority(each) for each in ("critical", "warning", "error", "", "info")] == [0, 1, 2, 2, 3]
    own = deciding(SeverityLevel(name="page", respond_within=60), SeverityLevel(name="ticket", respond_within=86400))
    assert [own.priority(each) for each in ("page", "ticket")] == [0, 2]
    assert deciding(digest=("warning",)).priority("warning") == 3
    assert deciding(digest=("none",)).priority("info") == 2


def test_those_that_are_responded_to_sooner_rank_higher() -> None:
    found = deciding(
        SeverityLevel(name="ticket", respond_within=86400),
        SeverityLevel(name="error", respond_within=900),
        SeverityLevel(name="page", respond_within=60),
        SeverityLevel(name="note"),
    )
    names = ["page", "critical", "error", "warning", "ticket", "never heard of", "note", "info"]
    assert [found.rank(each) for each in names] == sorted({found.rank(each) for each in names})
    assert found.rank("") == found.rank("never heard of")


def test_capitals_change_nothing() -> None:
    found = deciding()
    assert found.respond_within("CRITICAL") == 300.0
    assert found.rank("Warning") == found.rank("warning")
    assert found.priority("Info") == 3
