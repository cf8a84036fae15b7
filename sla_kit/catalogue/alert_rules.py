"""What alerts, their conditions and indicators of other sources must hold beyond their types."""

from __future__ import annotations

from collections.abc import Sequence

from sla_kit.catalogue.indicator_rules import check_limits
from sla_kit.catalogue.model import Alert, Catalogue, Condition, External
from sla_kit.configuration.places import Findings, Path


def check_alerts(catalogue: Catalogue, findings: Findings) -> None:
    """Notes every mistake of the catalogue's own alerts and conditions."""
    for index, condition in enumerate(catalogue.conditions):
        if not condition.name:
            findings.say(
                ("conditions", index), "a condition of the catalogue has no name", "alerts refer to it by name"
            )
        _condition(condition, ("conditions", index), findings)
    for index, alert in enumerate(catalogue.alerts):
        _alert(alert, ("alerts", index), catalogue, findings)


def check_alerts_of(alerts: Sequence[str | Alert], path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Notes every mistake of one SLO's alerts."""
    known = [alert.name for alert in catalogue.alerts]
    for index, alert in enumerate(alerts):
        if isinstance(alert, str):
            findings.expect(alert, known, (*path, index), "alert", [("alerts",)])
        else:
            _alert(alert, (*path, index), catalogue, findings)


def check_external(sli: External, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Notes what an indicator of another source lacks, or has too much of."""
    broken = findings.places.broken
    if sli.source:
        known = [*(each.name for each in catalogue.external), *(each.name for each in catalogue.sources)]
        findings.expect(sli.source, known, (*path, "source"), "external source", [("external",)])
    ratio = [key for key in ("good", "bad") if getattr(sli, key) is not None or broken((*path, key))]
    ready = [key for key in ("good_ratio", "bad_ratio", "value") if getattr(sli, key) is not None]
    if any(broken((*path, key)) for key in ("total", "good_ratio", "bad_ratio", "value")):
        return
    if bool(ratio) != (sli.total is not None) or len(ratio) + len(ready) != 1:
        hint = "total with good or bad; or good_ratio, bad_ratio, or value"
        findings.say(path, "an external indicator is one thing", hint)
    if sli.value is not None and any(
        limit is not None for limit in (sli.min, sli.max, sli.above, sli.below)
    ):  # without any it waits for an SLO
        check_limits(sli, path, findings)


def _alert(alert: Alert, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    known = [condition.name for condition in catalogue.conditions]
    for index, condition in enumerate(alert.conditions):
        here = (*path, "conditions", index)
        if isinstance(condition, str):
            findings.expect(condition, known, here, "condition", [("conditions",)])
        else:
            _condition(condition, here, findings)
    contacts = [contact.name for contact in catalogue.contacts]
    for index, name in enumerate(alert.notify):
        findings.expect(name, contacts, (*path, "notify", index), "contact", [("contacts",)])


def _condition(condition: Condition, path: Path, findings: Findings) -> None:
    if not condition.over > 0:
        findings.say((*path, "over"), "over must be above 0", "such as 1h")
    elif condition.short > condition.over:
        findings.say((*path, "short"), f"short ({condition.short:g} s) is longer than over ({condition.over:g} s)")
