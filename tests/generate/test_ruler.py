"""What the rulers of Mimir, Cortex and Thanos get is whole for each tenant."""

from __future__ import annotations

from pathlib import Path

from sla_kit.catalogue import load
from sla_kit.generate.plan import outputs
from tests.generate.test_plan import AT, TWO

EVENTS = "calendar: {events: [{name: Match, start: 2026-12-06T13:00, duration: 3h}]}\n"


def test_each_tenant_is_told_what_the_calendar_says(tmp_path: Path) -> None:
    """Alerts ask for live events where they are evaluated, which sees nothing of another tenant."""
    text = TWO.replace("monitoring: {", "monitoring: {slo: {event_burn_factor: 0.5}, ") + EVENTS
    (tmp_path / "sla.yml").write_text(text)
    found = outputs(load(tmp_path / "sla.yml"), AT, form="ruler")
    asking = {each.path.partition("/")[0] for each in found if "on () sla_event_active" in each.text}
    telling = {each.path.partition("/")[0] for each in found if "record: sla_event_active" in each.text}
    assert asking == telling == {"one", "two", "thanos"}
