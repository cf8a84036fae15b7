"""What a silence of an incident takes: its own group, and no other."""

from __future__ import annotations

import pytest

from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Incident
from sla_kit.routing.planning.contents import matchers
from sla_kit.routing.planning.grouping import dedup_key, group_key, group_labels

BY = ["alertname", "service", "cluster"]


def incident(*every: dict[str, str], by: list[str] = BY) -> Incident:
    alerts = {
        str(number): Alert(labels=labels, fingerprint=str(number), firing=True, starts_at=0.0)
        for number, labels in enumerate(every)
    }
    group = group_key(every[0], by)
    shared = dict(set.intersection(*(set(labels.items()) for labels in every)))
    return Incident(
        group=group,
        dedup_key=dedup_key(group),
        title="it",
        severity="critical",
        status="firing",
        opened_at=0.0,
        received_at=0.0,
        group_labels=group_labels(every[0], by),
        labels=shared,
        alerts=alerts,
    )


def test_groups_that_have_a_label_which_this_one_lacks_are_left_alone() -> None:
    found = incident({"alertname": "Down", "severity": "critical"})
    assert matchers(found, BY) == {"alertname": "Down", "service": "", "cluster": ""}


@pytest.mark.parametrize("by", [["team"], ["..."]], ids=["another label", "all labels"])
def test_what_is_grouped_otherwise_by_now_is_still_found(by: list[str]) -> None:
    found = incident({"alertname": "Down", "service": "api", "cluster": "a", "team": "x"})
    assert matchers(found, by) == {"alertname": "Down", "service": "api", "cluster": "a"}


def test_a_group_without_any_of_the_labels_is_told_by_what_its_alerts_share_and_by_what_they_lack() -> None:
    found = incident({"severity": "critical", "pod": "a"}, {"severity": "critical", "pod": "b"})
    assert matchers(found, BY) == {"alertname": "", "service": "", "cluster": "", "severity": "critical"}
