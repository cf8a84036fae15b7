"""What a service's declared capacity must hold: an indicator that counts its traffic, gauges, and sensible limits."""

from __future__ import annotations

from sla_kit.catalogue.indicator_rules import check_selector
from sla_kit.catalogue.model import Latency, Promql, Requests, Service
from sla_kit.configuration.places import Findings, Path


def check_capacity(service: Service, path: Path, findings: Findings) -> None:
    """Notes every mistake in the capacity of a service, ``path`` being where the service stands."""
    capacity, here = service.capacity, (*path, "capacity")
    if capacity is None or findings.places.broken(here):
        return
    pool = (*path, "slis")
    indicator = f"indicator of {service.name}"
    if findings.expect(capacity.requests, service.slis, (*here, "requests"), indicator, [pool]):
        sli = service.slis[capacity.requests]
        if not isinstance(sli, Requests | Latency | Promql) and not findings.places.broken((*pool, capacity.requests)):
            kind = type(sli).__struct_config__.tag
            hint = "name one of kind requests, latency or promql"
            findings.say((*here, "requests"), f"{capacity.requests} is of kind {kind}, which counts no requests", hint)
    for key in ("pods", "connections"):
        resource = getattr(capacity, key)
        if resource is None or findings.places.broken((*here, key)):
            continue
        check_selector(resource.metric, resource.matchers, (*here, key), findings)
        if resource.limit is not None and not resource.limit > 0:
            findings.say((*here, key, "limit"), f"a limit of {resource.limit:g} leaves nothing")
    if capacity.per_pod_rps is not None and not capacity.per_pod_rps > 0:
        findings.say((*here, "per_pod_rps"), "per_pod_rps must be above 0")
