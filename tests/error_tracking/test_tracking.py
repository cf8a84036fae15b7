"""Errors of a real node by group, held against counts of the documents themselves."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sla_kit.catalogue.logs import Deployments
from sla_kit.elastic import Cluster
from sla_kit.error_tracking import track
from sla_kit.error_tracking.results import Deployment, ErrorReport, ErrorState, Estimate, IncidentLink
from tests.error_tracking.history import DAY, START, Cause, History, catalogue, causes, create, load
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.elasticsearch.clearing import clear

WINDOW = START + 20 * DAY, START + 21 * DAY


@pytest.fixture
def cluster(elastic: Elasticsearch) -> Iterator[Cluster]:
    found = Cluster(elastic.url)
    yield found
    found.close()


def steady(seed: int, many: int = 12, each: int = 200, keyed: bool = True) -> History:
    """Some errors all the time over three weeks."""
    draw, history = random.Random(seed), History()
    for number, cause in enumerate(causes(many)):
        for _ in range(each + 10 * number):
            time = START + draw.random() * 21 * DAY
            history.error(draw, cause, time, keyed=keyed, user=f"u{draw.randrange(40)}")
    for _ in range(300):
        history.other(draw.choice(["api", "web"]), START + draw.random() * 21 * DAY)
    # What is exactly on an edge belongs to what ends there.
    for edge in (WINDOW[0] - DAY, *WINDOW):
        history.error(draw, causes(1)[0], edge, keyed=keyed, user="edge")
        history.error(draw, causes(1)[0], edge + 0.001, keyed=keyed, user="edge")
    return history


def by_key(report: ErrorReport) -> dict[tuple[str, str], Estimate]:
    return {(group.service, group.key): group.count for group in report.groups}


def test_groups_have_the_counts_times_and_users_of_their_documents(
    elastic: Elasticsearch, index: str, cluster: Cluster
) -> None:
    history = steady(1)
    create(elastic.url, index, shards=2)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW, groups=50)
    counts = history.counts(*WINDOW)
    assert {key: count.value for key, count in by_key(report).items()} == counts
    assert all(count.exact for count in by_key(report).values())
    before = history.counts(WINDOW[0] - DAY, WINDOW[0])
    assert {(group.service, group.key): group.before.value for group in report.groups} == {
        key: before[key] for key in counts
    }
    seen = history.seen(report.lookback_start, WINDOW[1])
    assert {(group.service, group.key): (group.first_seen, group.last_seen) for group in report.groups} == {
        key: seen[key] for key in counts
    }
    users = history.users(*WINDOW)
    assert {(group.service, group.key): group.users and group.users.value for group in report.groups} == users
    for group in report.groups:
        assert sum(group.trend) == group.count.value
        assert len(group.trend) == 24
    assert report.total == Estimate.exactly(counts.total())
    assert report.before == Estimate.exactly(before.total())
    inside = [each for each in history.documents if WINDOW[0] * 1000 < each["@timestamp"] <= WINDOW[1] * 1000]
    assert report.documents == Estimate.exactly(len(inside))
    assert report.elsewhere == Estimate.exactly(0)
    assert not any(group.kinds for group in report.groups)


@pytest.mark.parametrize("alike", [1, 5], ids=["few", "many"])
def test_many_groups_are_described_by_few_requests(
    elastic: Elasticsearch, index: str, cluster: Cluster, alike: int
) -> None:
    """Also where documents of the same moment are more than are looked at for the latest of each group."""
    draw, history, last = random.Random(alike), History(), WINDOW[0] + 9000
    several = causes(150)
    for number, cause in enumerate(several):
        history.error(draw, cause, WINDOW[0] + 60 + number, user="first", version="1.0")
        for user in range(alike):
            history.error(draw, cause, last, user=f"u{user}", version="2.0")
    history.other("api", WINDOW[0] - 5 * DAY)
    # A document of two groups is of both, and one of them is not in the window otherwise.
    both, other = several[0], causes(151)[150]
    history.error(draw, both, last + 60)
    history.documents[-1]["error"]["grouping_key"] = [both.key, other.key]
    create(elastic.url, index, shards=2)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW, groups=500)
    assert cluster.requests < 15
    assert len(report.groups) == 151
    for group in report.groups:
        assert group.example is not None
        assert sum(group.trend) == group.count.value
        if group.key not in (both.key, other.key):
            assert group.example.time == last
            assert group.example.version == "2.0"
            assert group.users == Estimate.exactly(1 + alike)
            assert dict(group.releases) == {"1.0": 1, "2.0": alike}


def test_errors_without_a_key_are_grouped_as_those_that_bring_it(
    elastic: Elasticsearch, index: str, cluster: Cluster
) -> None:
    history = steady(2, keyed=False)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW, groups=50)
    counts = history.counts(*WINDOW)
    assert {key: count.value for key, count in by_key(report).items()} == counts
    assert all(count.exact for count in by_key(report).values())
    assert {(group.service, group.key): group.users and group.users.value for group in report.groups} == history.users(
        *WINDOW
    )
    assert not any(group.kinds for group in report.groups)
    assert all(sum(group.trend) == group.count.value for group in report.groups)


def test_new_regressed_and_surging_groups_are_told_with_what_they_come_from(
    elastic: Elasticsearch, index: str, cluster: Cluster
) -> None:
    draw, history = random.Random(3), steady(3, many=4, each=400)
    new, back, surging, ignored, mended = causes(12)[5:10]
    deployed = WINDOW[0] + 6 * 3600
    for number in range(200):
        history.other(new.service, deployed + 60 + number, version="2.0")
    for number in range(60):
        history.error(draw, new, deployed + 600 + number, version="2.0")
        history.error(draw, ignored, WINDOW[0] + 100 + number)
        history.error(draw, back, START + 10 * DAY + number)
        history.error(draw, mended, START + 10 * DAY + number)
    for number in range(5):
        history.error(draw, surging, WINDOW[0] - 3600 + number)
        history.error(draw, back, WINDOW[0] + 7200 + number)
        history.error(draw, mended, WINDOW[0] + 100 + number)
    for number in range(100):
        history.error(draw, surging, WINDOW[0] + 12 * 3600 + 10 * number)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    states = {
        (cause.service, cause.key): state
        for cause, state in (
            (back, ErrorState(back.service, back.key, "resolved", at=START + 15 * DAY)),
            (mended, ErrorState(mended.service, mended.key, "resolved", at=START + 15 * DAY, release="3.0")),
            (ignored, ErrorState(ignored.service, ignored.key, "ignored", owner="ops", at=START)),
        )
    }
    incidents = [
        IncidentLink("burst", WINDOW[0] + 12 * 3600, WINDOW[0] + 12 * 3600 + 900, surging.service),
        IncidentLink("elsewhere", WINDOW[0] + 12 * 3600, WINDOW[0] + 12 * 3600 + 900, "db"),
        IncidentLink("earlier", WINDOW[0], WINDOW[0] + 60, ""),
    ]
    report = track(cluster, catalogue(index), *WINDOW, states=states, incidents=incidents, groups=3)
    groups = {(group.service, group.key): group for group in report.groups}
    told = [(group.key, sorted(group.kinds)) for group in report.groups if group.kinds]
    assert told == [(new.key, ["new"]), (back.key, ["regressed"]), (surging.key, ["surging"])]
    came = groups[new.service, new.key]
    assert new.service != "api" or (came.deployment is not None and came.deployment.version == "2.0")
    assert came.releases == (("2.0", 60.0),)
    assert came.first_seen == deployed + 600
    assert [one.title for one in groups[surging.service, surging.key].incidents] == ["burst"]
    assert report.groups[0].example is not None
    assert "example.com" not in str(report.groups[0].example)
    assert came.message == report.groups[0].message
    assert "<email>" in came.message
    assert report.deployments == (Deployment(new.service, "2.0", deployed + 60),)
    shown = sum(group.count.value for group in report.groups)
    assert report.elsewhere == Estimate.exactly(history.counts(*WINDOW).total() - shown)
    everything = track(cluster, catalogue(index), *WINDOW, states=states, groups=50)
    assert everything.groups[-1].key == ignored.key
    assert everything.groups[-1].state.owner == "ops"
    assert not everything.groups[-1].kinds
    assert track(cluster, catalogue(index), *WINDOW, states=states, groups=50) == everything


@pytest.mark.parametrize("exact", [True, None])
def test_an_error_of_several_types_is_counted_once(
    elastic: Elasticsearch, index: str, cluster: Cluster, exact: bool | None
) -> None:
    history = steady(7, many=2, each=20, keyed=False)
    for document in history.documents:
        if "error.type" in document:
            document["error.type"] = [document["error.type"], "ValueError"]
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW, groups=50, exact=exact)
    assert sum(group.count.value for group in report.groups) == report.total.value > 0


def test_services_are_asked_for_by_name(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    history = steady(4)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW, services=["web"], groups=50)
    counts = {key: count for key, count in history.counts(*WINDOW).items() if key[0] == "web"}
    assert {key: count.value for key, count in by_key(report).items()} == counts
    assert report.total.value == sum(counts.values())


def test_declared_deployments_are_read_from_their_documents(
    elastic: Elasticsearch, index: str, cluster: Cluster
) -> None:
    draw, history = random.Random(5), steady(5, many=3)
    cause = causes(12)[10]
    for number in range(30):
        history.error(draw, cause, WINDOW[0] + 7200 + number)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    create(elastic.url, f"{index}-deployments")
    load(
        elastic.url,
        f"{index}-deployments",
        [
            {
                "@timestamp": round((WINDOW[0] + at) * 1000),
                "service": {"name": service, "version": version},
                "tags": tag,
            }
            for at, service, version, tag in (
                (3600, cause.service, "7.1", "deployed"),
                (7000, cause.service, "7.2", "planned"),
                (7000, "db", "1.0", "deployed"),
            )
        ],
    )
    deployments = Deployments(index=f"{index}-deployments", query="tags:deployed")
    report = track(cluster, catalogue(index, deployments=deployments), *WINDOW)
    assert report.groups[0].key == cause.key
    assert report.groups[0].deployment == Deployment(cause.service, "7.1", WINDOW[0] + 3600, "document")
    missing = Deployments(index=f"{index}-elsewhere")
    report = track(cluster, catalogue(index, deployments=missing), *WINDOW)
    assert "deployments-unread" in [finding.kind for finding in report.findings]


def test_without_documents_from_before_nothing_is_called_new(
    elastic: Elasticsearch, index: str, cluster: Cluster
) -> None:
    draw, history = random.Random(6), History()
    for number in range(50):
        history.error(draw, causes(1)[0], WINDOW[0] + 60 + number)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW)
    assert [group.kinds for group in report.groups] == [frozenset()]
    assert "new-unknown" in [finding.kind for finding in report.findings]


def test_keys_that_began_in_the_window_make_no_group_new(elastic: Elasticsearch, index: str, cluster: Cluster) -> None:
    draw, history = random.Random(7), History()
    for number in range(3000):
        time = START + number * 21 * DAY / 3000
        history.error(draw, causes(2)[number % 2], time, keyed=time > WINDOW[0] + 3600)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW)
    assert {key: count.value for key, count in by_key(report).items()} == history.counts(*WINDOW)
    assert [group.kinds for group in report.groups] == [frozenset(), frozenset()]


def test_groups_that_only_their_frames_tell_apart_are_new_where_all_are_read_or_surge(
    elastic: Elasticsearch, index: str, cluster: Cluster
) -> None:
    """As an ingest pipeline leaves errors with a stack: no key, and no words that one group has alone."""
    draw, history = random.Random(9), History()
    usual, late = Cause("api", "KeyError", "'{id}'", "usual.py"), Cause("api", "KeyError", "'{id}'", "late.py")
    for _ in range(2000):
        history.error(draw, usual, WINDOW[1] - draw.random() * 20 * DAY, keyed=False)
    for _ in range(200):
        history.error(draw, late, WINDOW[1] - draw.random() * 3600, keyed=False)
    history.other("api", START)
    create(elastic.url, index)
    load(elastic.url, index, history.documents)
    for exact, sample in ((None, 10_000), (True, 100)):
        report = track(cluster, catalogue(index), *WINDOW, exact=exact, sample=sample)
        assert {group.key: group.kinds for group in report.groups} == {usual.key: frozenset(), late.key: {"new"}}
        assert "new-unknown" not in [finding.kind for finding in report.findings]
    report = track(cluster, catalogue(index), *WINDOW, sample=280)
    assert {group.key: group.kinds for group in report.groups} == {usual.key: frozenset(), late.key: {"surging"}}
    assert "new-unknown" in [finding.kind for finding in report.findings]


@pytest.fixture
def same_index(elastic: Elasticsearch) -> Iterator[str]:
    """An index that is called the same each time: its name is among what a sample is drawn by."""
    name = "test-a-sample-each-time"
    clear(elastic.url, name)
    yield name
    clear(elastic.url, name)


def test_a_sample_says_how_far_it_may_be_off(elastic: Elasticsearch, same_index: str, cluster: Cluster) -> None:
    index = same_index
    draw, history = random.Random(8), History()
    for number, cause in enumerate(causes(20)):
        for _ in range(3000 // (number + 1)):
            history.error(draw, cause, WINDOW[0] + 1 + draw.random() * (DAY - 1), keyed=False, user=f"u{number}")
            history.error(draw, cause, WINDOW[0] - 1 - draw.random() * 20 * DAY, keyed=False)
    late = causes(30)[25]
    for number in range(3):
        history.error(draw, late, WINDOW[0] + 60 + number, keyed=False)
    create(elastic.url, index, shards=2)
    load(elastic.url, index, history.documents)
    report = track(cluster, catalogue(index), *WINDOW, sample=800, groups=50)
    counts = history.counts(*WINDOW)
    inside = [count.low <= counts[key] <= count.high for key, count in by_key(report).items()]
    assert len(inside) >= 15
    assert sum(inside) >= len(inside) - 2  # 95 % of them, 5 % of the time
    assert report.total == Estimate.exactly(counts.total())
    assert report.elsewhere.low <= 0 <= report.elsewhere.high
    assert "drawn at random" in report.method
    assert "sampled" in [finding.kind for finding in report.findings]
    # What was there before is found by its words, however little of it a sample has.
    kinds = {group.key: group.kinds for group in report.groups}
    assert not [cause for cause in causes(20) if "new" in kinds.get(cause.key, ())]
    assert {"surging"} in kinds.values()
    whole = track(cluster, catalogue(index), *WINDOW, exact=True, groups=50)
    assert {key: count.value for key, count in by_key(whole).items()} == counts
    assert [group.key for group in whole.groups if "new" in group.kinds] == [late.key]
