"""Errors of a real node by group, held against counts of the documents themselves."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from sla_kit.elastic import Cluster, ClusterError
from sla_kit.error_tracking import track
from sla_kit.error_tracking.results import ErrorReport, ErrorState, Estimate, IncidentLink
from tests.error_tracking.history import DAY, START, Cause, History, catalogue, causes, create, load, request
from tests.servers.elasticsearch import Elasticsearch

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
