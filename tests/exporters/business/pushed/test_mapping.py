"""Names of StatsD as metrics with labels, and what is refused."""

from __future__ import annotations

import pytest

from sla_kit.exporters.business.pushed.changes import Admission, Change, RefusedError
from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.mapping import Mapping, Mappings
from sla_kit.exporters.business.pushed.statsd import Sample, parse

REQUESTS = PushedMetric(name="requests_total", type="counter", help="Requests.", labels=["client", "plan"])
VIEWERS = PushedMetric(name="viewers", type="gauge", help="Viewers.", labels=[], expires=60.0)
SECONDS = PushedMetric(name="checkout_seconds", type="histogram", help="Time.", buckets=[1.0])
USERS = PushedMetric(name="active_users", type="users", help="Users.", windows=["1m"])
MAPPINGS = [
    Mapping(match="api.*.*.requests", name="requests_total", labels={"client": "$1", "plan": "plan-${2}"}),
    Mapping(match="api.*.requests", name="requests_total", labels={"client": "$1", "plan": "none"}),
]
ADMISSION = Admission([REQUESTS, VIEWERS, SECONDS, USERS], Mappings(MAPPINGS), ["env"])


def change(line: str) -> Change:
    (sample,) = parse(line.encode())
    assert isinstance(sample, Sample)
    return ADMISSION.sampled(sample)


def test_parts_of_a_name_become_labels() -> None:
    found = change("api.ios.pro.requests:3|c|@0.5")
    assert (found.metric, found.labels, found.action, found.numbers) == (REQUESTS, ("ios", "plan-pro"), "add", (6.0,))
    assert change("api.web.requests:1|c").labels == ("web", "none")


def test_tags_are_labels_and_ignored_ones_are_left_out() -> None:
    found = change("requests.total:1:2|c|#plan:pro,client:web,env:prod")
    assert (found.labels, found.numbers) == (("web", "pro"), (3.0,))


def test_milliseconds_are_seconds_and_samples_weigh() -> None:
    found = change("checkout_seconds:250|ms|@0.1")
    assert (found.numbers, found.weight) == ((0.25,), 10.0)
    assert change("checkout-seconds:0.25|h").numbers == (0.25,)


def test_gauges_are_set_or_moved() -> None:
    assert (change("viewers:5|g").action, change("viewers:-5|g").action) == ("set", "add")
    assert change("active_users:u:1|s").ids == ("u:1",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("other:1|c", "unknown"),
        ("viewers:1|c", "type"),
        ("viewers:1|ms", "type"),
        ("requests_total:1|g|#client:a,plan:b", "type"),
        ("requests_total:1|c|#client:a", "labels"),
        ("requests_total:1|c|#client:a,plan:b,x:y", "labels"),
        ("requests_total:1|c|#client:a,plan:" + "b" * 300, "labels"),
        ("requests_total:1|c|#client:a\tb,plan:b", "labels"),
        ("requests_total:-1|c|#client:a,plan:b", "value"),
        ("active_users:" + "u" * 2000 + "|s", "value"),
    ],
)
def test_what_was_not_declared_is_refused(line: str, reason: str) -> None:
    with pytest.raises(RefusedError) as told:
        change(line)
    assert told.value.reason == reason


def test_ids_stand_in_no_message_and_no_repr() -> None:
    assert "u-secret" not in repr(change("active_users:u-secret|s"))
    with pytest.raises(RefusedError) as told:
        change("active_users:" + "u-secret" * 200 + "|s")
    assert "u-secret" not in str(told.value)
    assert "u-secret" not in repr(list(parse(b"active_users:u-secret|s")))


def test_only_so_many_names_are_remembered() -> None:
    mappings = Mappings(MAPPINGS)
    for number in range(10_000):
        mappings.find(f"name.{number}")
    assert len(mappings._known) <= 2_000
