"""The deployments of services: from documents that tell of them, else from the first document of each version."""

from __future__ import annotations

from collections.abc import Collection

from sla_kit.catalogue.logs import LogFields
from sla_kit.catalogue.model import Catalogue
from sla_kit.elastic.cluster import Cluster, ClusterError
from sla_kit.error_tracking.asking import Query, Span, as_query, both, in_time, released
from sla_kit.error_tracking.documents import Document
from sla_kit.error_tracking.linking import first_seen, in_order
from sla_kit.error_tracking.reading import Logs
from sla_kit.error_tracking.results import Deployment
from sla_kit.error_tracking.searching import Searches, buckets, hits, searching
from sla_kit.timeline import Finding

#: So many deployments of a lookback are read, the newest.
_MOST = 1000


def deployments(
    cluster: Cluster,
    catalogue: Catalogue,
    search: Searches,
    logs: Logs,
    everything: Query,
    span: Span,
    services: Collection[str],
) -> tuple[list[Deployment], list[Finding]]:
    """The deployments in a span, by time, and what kept declared ones from being read."""
    declared = catalogue.logs.errors.deployments
    findings = []
    if declared.index or declared.query:
        index = declared.index or catalogue.logs.index
        try:
            told = _told(cluster, index, as_query(declared.query), catalogue.logs.fields, span)
        except ClusterError as error:
            said = f"deployments can't be read from {index}: {error.message}"
            findings.append(Finding("deployments-unread", f"{said}; first documents by version stand for them"))
        else:
            if told:
                return [one for one in told if one.service in services or not one.service or not services], findings
            findings.append(Finding("deployments-unread", f"{index} tells of no deployment: documents by version do"))
    if not logs.readable.version:
        return [], findings
    answer = search.one("find releases", released(both(everything, span.within(logs.readable.time)), logs.readable))
    versions: dict[tuple[str, str], float] = {}
    by_service = [(str(each["key"]), each) for each in buckets(answer, "services")]
    for service, each in by_service or [("", answer.get("aggregations") or {})]:
        for one in (each.get("versions") or {}).get("buckets", ()):
            versions[service, str(one["key"])] = one["first"]["value"] / 1000.0
        if "first" in each:  # also the documents without a version tell since when the service is there
            versions[service, ""] = each["first"]["value"] / 1000.0
    return first_seen(versions, span.start), findings


def _told(cluster: Cluster, index: str, query: Query, fields: LogFields, span: Span) -> list[Deployment]:
    with searching(cluster, index) as search:
        body = in_time(both(query, span.within(fields.time)), fields.time, _MOST, fields, "desc")
        found = [Document.of(hit, fields) for hit in hits(search.one("read deployments", body))]
    return in_order(Deployment(one.service, one.version, one.time, "document") for one in found if one.version)
