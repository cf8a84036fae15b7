"""An incident ends in the same state however often and in whichever order its alerts are told."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Incident
from sla_kit.routing.planning.grouping import dedup_key, group_key, split
from sla_kit.routing.planning.merging import KEPT_ALERTS, STALE_SECONDS, Delivered, Merged, Resolution, merge

RANKS = {"critical": 0, "warning": 1, "info": 2}
LABELS = {"alertname": "Down", "service": "api"}


def rank(severity: str) -> int:
    return RANKS.get(severity, 3)


def alert(
    name: str = "a", *, firing: bool = True, since: float = 100.0, until: float | None = None, severity: str = "warning"
) -> Alert:
    labels = {**LABELS, "instance": name, "severity": severity}
    return Alert(labels=labels, fingerprint=name, firing=firing, starts_at=since, ends_at=until)


class Group:
    """Merges one webhook after the other, as planning does."""

    def __init__(self) -> None:
        self.incident: Incident | None = None
        self.previous: Incident | None = None
        self.resolutions: dict[str, Resolution] = {}
        self.opened = 0

    def hear(self, *alerts: Alert, at: float) -> Merged:
        open_ = self.incident if self.incident and self.incident.status == "firing" else None
        previous = self.incident if open_ is None else None
        delivered = Delivered(group_key(LABELS, list(LABELS)), LABELS, list(alerts), at)
        merged = merge(open_, delivered, rank=rank, resolutions=self.resolutions, previous=previous)
        self.resolutions = merged.resolutions
        if merged.incident is not None:
            self.opened += open_ is None
            self.incident = merged.incident
        return merged

    @property
    def firing(self) -> dict[str, float]:
        if self.incident is None or self.incident.status == "resolved":
            return {}
        return {each.fingerprint: each.starts_at for each in self.incident.firing} | self.incident.beyond


def test_groups_have_different_texts_and_stable_short_keys() -> None:
    by = ["alertname", "service"]
    assert group_key({"alertname": "A", "service": "", "pod": "x"}, by) == '{"alertname":"A"}'
    assert group_key({"service": "b", "alertname": "a"}, by) == group_key({"alertname": "a", "service": "b"}, by[::-1])
    assert group_key({"alertname": 'a","service":"b'}, by) != group_key({"alertname": "a", "service": "b"}, by)
    assert group_key({"alertname": "a", "pod": "x"}, ["..."]) == '{"alertname":"a","pod":"x"}'
    assert dedup_key('{"alertname":"A"}') == "sla-kit-953222e376c248c80ed598dcac2e884288f08c9b"
    assert len(dedup_key("x" * 10_000)) == 48


@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=3)), min_size=2, max_size=2),
)
def test_a_group_is_told_from_every_other(both: list[dict[str, str]]) -> None:
    one, other = ({name: value for name, value in each.items() if value} for each in both)
    by = ["a", "b", "c"]
    assert (group_key(one, by) == group_key(other, by)) == (one == other)
    assert (dedup_key(group_key(one, by)) == dedup_key(group_key(other, by))) == (one == other)


def test_a_webhook_of_many_groups_is_split() -> None:
    alerts = [alert("a"), alert("b"), alert("c")]
    assert [len(each) for each in split(alerts, ["alertname"]).values()] == [3]
    assert [each[0].fingerprint for each in split(alerts, ["instance"]).values()] == ["a", "b", "c"]


def test_resolved_ends_what_fires_and_a_later_beginning_is_a_new_incident() -> None:
    group = Group()
    assert group.hear(alert(), at=101).urgent
    assert group.hear(alert(firing=False, until=200), at=201).urgent
    assert group.incident is not None
    assert (group.incident.status, group.incident.opened_at, group.incident.resolved_at) == ("resolved", 100, 200)
    group.hear(alert(since=210), at=211)
    assert group.firing == {"a": 210}
    assert group.opened == 2


def test_a_duplicate_changes_nothing() -> None:
    group = Group()
    group.hear(alert(), alert("b"), at=101)
    before = group.incident
    merged = group.hear(alert("b"), alert(), at=102)
    assert (merged.changed, merged.urgent, merged.incident) == (False, False, before)


def test_a_late_firing_message_is_stale_for_a_while_and_then_the_alert_come_back() -> None:
    group = Group()
    group.hear(alert(), at=101)
    group.hear(alert(firing=False, until=200), at=201)
    assert not group.hear(alert(), at=201 + STALE_SECONDS - 1).changed
    assert group.opened == 1
    assert group.hear(alert(), at=201 + STALE_SECONDS).urgent
    assert group.incident is not None
    assert group.opened == 2
    assert group.incident.opened_at == 200  # before that it was another incident


def test_resolved_before_firing_is_remembered() -> None:
    group = Group()
    assert group.hear(alert(firing=False, until=200), at=201).incident is None
    assert group.hear(alert(), at=202).incident is None


def test_an_alert_whose_beginning_moved_back_is_resolved_all_the_same() -> None:
    group = Group()
    group.hear(alert(since=100), at=101)
    group.hear(alert(since=90, firing=False, until=200), at=201)  # another Prometheus began earlier
    assert group.firing == {}


def test_the_end_of_an_earlier_firing_does_not_end_a_later_one() -> None:
    group = Group()
    group.hear(alert(since=300), at=301)
    group.hear(alert(since=100, firing=False, until=200), at=302)
    assert group.firing == {"a": 300}


def test_changed_words_are_no_urgent_change_and_a_raised_severity_is() -> None:
    group = Group()
    group.hear(alert(), at=101)
    described = Alert(
        **{**{name: getattr(alert(), name) for name in Alert.__struct_fields__}, "annotations": {"a": "1"}}
    )
    merged = group.hear(described, at=102)
    assert (merged.changed, merged.urgent) == (True, False)
    merged = group.hear(alert("b", severity="critical"), at=103)
    assert (merged.changed, merged.urgent) == (True, True)
    assert merged.incident is not None
    assert merged.incident.severity == "critical"
    assert merged.incident.labels == LABELS  # what both have
    assert not group.hear(alert("c", severity="info"), at=104).urgent


def test_an_alert_that_is_missing_stays_as_it_is() -> None:
    group = Group()
    group.hear(alert("a"), alert("b"), at=101)
    assert not group.hear(alert("a"), at=102).changed
    assert group.firing == {"a": 100, "b": 100}


@pytest.mark.parametrize("count", [KEPT_ALERTS, KEPT_ALERTS + 1, 3 * KEPT_ALERTS])
def test_every_alert_of_a_large_group_is_counted(count: int) -> None:
    group = Group()
    alerts = [alert(f"{number}") for number in range(count)]
    group.hear(*alerts, at=101)
    group.hear(*alerts, at=102)
    assert group.incident is not None
    assert group.incident.firing_count == group.incident.alert_count == count
    assert len(group.incident.alerts) == KEPT_ALERTS
    over = [alert(f"{number}", firing=False, until=200) for number in range(0, count, 2)]
    group.hear(*over, *over, at=201)
    assert group.incident is not None
    assert group.incident.firing_count == count // 2
    group.hear(alert("new", since=202), at=203)
    assert group.incident is not None
    assert group.incident.firing_count == count // 2 + 1
    assert group.incident.alert_count == count + 1
    assert "new" in group.incident.alerts
    group.hear(*(alert(f"{number}", firing=False, until=210) for number in range(count)), at=211)
    group.hear(alert("new", firing=False, since=202, until=210), at=211)
    assert group.incident is not None
    assert (group.incident.status, group.incident.firing_count) == ("resolved", 0)


def test_what_is_told_again_without_its_beginning_goes_on_since_it_began() -> None:
    group = Group()

    def undated(since: float, text: str = "") -> Alert:
        return msgspec.structs.replace(alert(since=since), dated=False, annotations={"summary": text})

    group.hear(undated(100), at=100)
    assert not group.hear(undated(150), at=150).changed
    group.hear(undated(200, "worse"), at=200)
    assert group.firing == {"a": 100}
    group.hear(msgspec.structs.replace(alert(since=210, until=210, firing=False), dated=False), at=210)
    assert group.incident is not None
    assert group.incident.resolved_at == 210
    group.hear(undated(220), at=220)
    assert (group.firing, group.opened) == ({"a": 220}, 2)


def test_a_beginning_that_is_still_to_come_is_none() -> None:
    group = Group()
    group.hear(alert(since=700), at=100)
    assert group.firing == {"a": 100}
    assert not group.hear(alert(since=700), at=110).changed
    group.hear(alert(since=97, until=115, firing=False), at=115)
    assert group.incident is not None
    assert (group.incident.status, group.incident.resolved_at) == ("resolved", 115)


@st.composite
def histories(draw: st.DrawFn) -> list[Alert]:
    """What is told of some alerts, in its order: each begins and ends a few times, and may go on in the end."""
    found = []
    for name in draw(st.sets(st.sampled_from("abc"), min_size=1)):
        times = sorted(draw(st.sets(st.integers(1, 50), min_size=1, max_size=6)))
        for began, ended in zip(times[::2], [*times[1::2], None][: (len(times) + 1) // 2], strict=True):
            found.append((began, alert(name, since=began)))
            if ended is not None:
                found.append((ended, alert(name, since=began, until=ended, firing=False)))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


@given(histories(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_order_and_any_number_of_times_end_in_the_same_state(
    history: list[Alert], chance: random.Random, times: int
) -> None:
    straight, shuffled = Group(), Group()
    for each in history:
        straight.hear(each, at=60)
    messages = history * times
    chance.shuffle(messages)
    for number, each in enumerate(messages):
        shuffled.hear(each, at=60 + number * 0.1)
    assert shuffled.firing == straight.firing
    truth = {each.fingerprint: each for each in sorted(history, key=lambda each: (each.starts_at, not each.firing))}
    assert straight.firing == {name: each.starts_at for name, each in truth.items() if each.firing}
