"""The types of the fields that sla-kit writes and reads, by the Elastic Common Schema, as a plain mapping.

Only types that every Elasticsearch has without further modules; `sla_kit.elk` builds the whole template from it.
"""

from __future__ import annotations

from typing import Any

_MOST_CHARACTERS = 1024

#: A field's type by its dotted name. ``text`` fields are searched by word, ``keyword`` fields compared whole.
FIELDS: dict[str, str] = {
    "@timestamp": "date",
    "message": "text",
    "labels": "flattened",
    "tags": "keyword",
    "client.ip": "ip",
    "container.id": "keyword",
    "data_stream.dataset": "keyword",
    "data_stream.namespace": "keyword",
    "data_stream.type": "keyword",
    "ecs.version": "keyword",
    "error.code": "keyword",
    "error.grouping_key": "keyword",
    "error.grouping_name": "keyword",
    "error.message": "text",
    "error.stack_trace": "text",
    "error.type": "keyword",
    "event.action": "keyword",
    "event.category": "keyword",
    "event.dataset": "keyword",
    "event.duration": "long",
    "event.ingested": "date",
    "event.kind": "keyword",
    "event.outcome": "keyword",
    "host.name": "keyword",
    "http.request.bytes": "long",
    "http.request.id": "keyword",
    "http.request.method": "keyword",
    "http.request.referrer": "keyword",
    "http.response.body.bytes": "long",
    "http.response.bytes": "long",
    "http.response.status_code": "integer",
    "http.version": "keyword",
    "log.file.path": "keyword",
    "log.level": "keyword",
    "log.logger": "keyword",
    "network.forwarded_ip": "ip",
    "process.pid": "long",
    "process.thread.name": "keyword",
    "server.address": "keyword",
    "server.port": "long",
    "service.environment": "keyword",
    "service.name": "keyword",
    "service.version": "keyword",
    "session.id": "keyword",
    "source.address": "keyword",
    "source.ip": "ip",
    "source.port": "long",
    "span.id": "keyword",
    "tls.cipher": "keyword",
    "tls.version": "keyword",
    "trace.id": "keyword",
    "transaction.id": "keyword",
    "upstream.duration": "long",
    "url.domain": "keyword",
    "url.original": "keyword",
    "url.path": "keyword",
    "url.query": "keyword",
    "url.scheme": "keyword",
    "user.id": "keyword",
    "user.name": "keyword",
    "user_agent.original": "keyword",
}
#: What is only shown and never searched: stored, not indexed.
_NOT_INDEXED = frozenset({"error.stack_trace"})


def properties(fields: dict[str, str] = FIELDS) -> dict[str, Any]:
    """The fields as the nested ``properties`` of a mapping."""
    tree: dict[str, Any] = {}
    for name, kind in fields.items():
        *parents, last = name.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {"properties": {}})["properties"]
        place[last] = _field(name, kind)
    return tree


def mappings(fields: dict[str, str] = FIELDS) -> dict[str, Any]:
    """A mapping for an index or a template: what is not named here becomes a keyword where it is text."""
    return {
        "dynamic_templates": [
            {"text_is_a_keyword": {"match_mapping_type": "string", "mapping": _field("", "keyword")}},
        ],
        "date_detection": False,
        "properties": properties(fields),
    }


def _field(name: str, kind: str) -> dict[str, Any]:
    if kind == "keyword":
        return {"type": kind, "ignore_above": _MOST_CHARACTERS}
    if kind == "text" and name in _NOT_INDEXED:
        return {"type": kind, "index": False, "norms": False}
    return {"type": kind}
