"""Alerts as OpenSLO's policies and conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sla_kit.catalogue.model import Alert, Condition
from sla_kit.interchange.openslo_objects import Document, Objects, described, document
from sla_kit.interchange.openslo_windows import as_shorthand

#: Where an export keeps the second window of a condition, which looks back over one there.
SHORT = "sla-kit/short"
#: A condition for alerts that tell only of missing data: a policy must have one.
_ANY = Condition(name="any-burn-rate", burn_rate=1.0, over=3600.0)


def alert_documents(conditions: Sequence[Condition], alerts: Sequence[Alert], objects: Objects) -> Iterator[Document]:
    """Every condition, and every alert as one policy for each of its conditions."""
    for named in conditions:
        yield _condition(objects.name("AlertCondition", named.name), named, "")
    policies = []
    any_rate = False
    for alert in alerts:
        names = objects.policies(alert)
        refs = []
        for name, condition in zip(names, alert.conditions, strict=False):
            if isinstance(condition, str):
                refs.append(objects.name("AlertCondition", condition))
                continue
            called = objects.name("AlertCondition", condition.name or name)
            refs.append(called)
            yield _condition(called, condition, alert.severity)
        if not refs:
            refs.append(objects.name("AlertCondition", _ANY.name))
            if not any_rate:
                yield _condition(refs[0], _ANY, alert.severity)
            any_rate = True
        policies += [_policy(name, ref, alert, objects) for name, ref in zip(names, refs, strict=True)]
    yield from policies


def _condition(name: str, condition: Condition, severity: str) -> Document:
    said: Document = {
        "kind": "burnrate",
        "op": condition.op,
        "threshold": condition.burn_rate,
        "lookbackWindow": as_shorthand(condition.over),
    }
    if condition.after:
        said["alertAfter"] = as_shorthand(condition.after)
    spec: Document = {"severity": condition.severity or severity or "page", "condition": said}
    made = document("AlertCondition", name, condition, described(condition.description, spec))
    if condition.short:
        made["metadata"]["annotations"] = {**condition.annotations, SHORT: as_shorthand(condition.short)}
    return made


def _policy(name: str, condition: str, alert: Alert, objects: Objects) -> Document:
    spec: Document = {}
    for key, moment in (("NoData", "no-data"), ("Breaching", "breaching"), ("Resolved", "resolved")):
        if moment in alert.tell:
            spec[f"alertWhen{key}"] = True
    spec["conditions"] = [{"conditionRef": condition}]
    notified = [objects.name("AlertNotificationTarget", contact) for contact in alert.notify]
    spec["notificationTargets"] = [{"targetRef": contact} for contact in notified]
    return document("AlertPolicy", name, alert, described(alert.description, spec))
