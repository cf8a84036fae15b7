"""What is planned before all else."""

from __future__ import annotations

from pathlib import Path

from sla_kit.catalogue import Catalogue, Contact
from sla_kit.catalogue.model import SeverityLevel
from sla_kit.routing.deciding.deciding import Deciding
from sla_kit.routing.events import Acknowledgement, Alert, Alerts, Change, Event, Notice
from sla_kit.routing.outbox.accepting import accept, mark_planned, new_events
from sla_kit.routing.outbox.store import open_outbox
from sla_kit.routing.planning.urgency import is_urgent

CATALOGUE = Catalogue(name="c", services=[], contacts=[Contact(name="a", slack="#a")])


def _alerts(name: str, severity: str, *, firing: bool = True) -> Alerts:
    labels = {"alertname": name, "severity": severity}
    return Alerts(alerts=[Alert(labels=labels, fingerprint=name, firing=firing, starts_at=1.0)])


def test_pages_signs_of_life_and_deeds_are_urgent_and_the_rest_is_not() -> None:
    deciding = Deciding(CATALOGUE)
    urgent: list[Event] = [
        _alerts("Down", "critical"),
        _alerts("Down", "critical", firing=False),
        _alerts("Watchdog", "none"),
        Acknowledgement(incident="k", by="b", at=1.0, via="api"),
        Notice(title="t", severity="critical"),
    ]
    mild: list[Event] = [
        _alerts("Slow", "warning"),
        _alerts("Odd", ""),
        Notice(title="t"),
        Change(summary="s", at=1.0),
        Alerts(alerts=[]),
    ]
    assert all(is_urgent(deciding, each) for each in urgent)
    assert not any(is_urgent(deciding, each) for each in mild)


def test_the_catalogue_says_what_is_most_severe() -> None:
    levels = [SeverityLevel(name="page"), SeverityLevel(name="ticket")]
    deciding = Deciding(Catalogue(name="c", services=[], severities=levels))
    assert is_urgent(deciding, _alerts("Down", "page")) == (deciding.priority("page") == 0)
    assert not is_urgent(deciding, _alerts("Down", "ticket"))


def test_what_is_urgent_is_planned_before_a_backlog(tmp_path: Path) -> None:
    deciding = Deciding(CATALOGUE)
    told = [_alerts(f"Mild{number}", "info") for number in range(50)]
    told += [_alerts("Down", "critical"), _alerts("Down", "critical", firing=False)]
    with open_outbox(str(tmp_path / "outbox.db"), exclusive=True) as outbox:
        for each in told:
            accept(outbox, each, urgent=is_urgent(deciding, each)).result()
        first, second, third = outbox.write(lambda connection: new_events(connection, 3))
        assert [first.event, second.event, third.event] == [told[50], told[51], told[0]]
        outbox.write(lambda connection: mark_planned(connection, [first.id, second.id]))
        [next_] = outbox.write(lambda connection: new_events(connection, 1))
        assert next_.event == told[0]
