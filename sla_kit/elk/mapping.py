"""Which type each field of a log document has: the Elastic Common Schema's fields, in types that every cluster knows."""

from __future__ import annotations

from typing import Any

from sla_kit.catalogue.logs import LogFields

Mapping = dict[str, Any]

DATE: Mapping = {"type": "date"}
KEYWORD: Mapping = {"type": "keyword", "ignore_above": 1024}
LONG_KEYWORD: Mapping = {"type": "keyword", "ignore_above": 4096}
TEXT: Mapping = {"type": "text"}
LONG: Mapping = {"type": "long"}
FLOAT: Mapping = {"type": "float"}
IP: Mapping = {"type": "ip"}

#: elastic.co/docs/reference/ecs, without the types of modules: `wildcard` and `constant_keyword` are `keyword` here,
#: `match_only_text` is `text`. An address that is no IP (a host name of an access log) is kept beside `source.ip`.
ECS: dict[str, Mapping] = {
    "@timestamp": DATE,
    "message": TEXT,
    "tags": KEYWORD,
    "data_stream.type": KEYWORD,
    "data_stream.dataset": KEYWORD,
    "data_stream.namespace": KEYWORD,
    "ecs.version": KEYWORD,
    "error.code": KEYWORD,
    "error.grouping_key": KEYWORD,
    "error.grouping_name": {**LONG_KEYWORD, "fields": {"text": TEXT}},
    "error.id": KEYWORD,
    "error.message": TEXT,
    "error.stack_trace": TEXT,
    "error.type": KEYWORD,
    "event.category": KEYWORD,
    "event.created": DATE,
    "event.dataset": KEYWORD,
    "event.duration": LONG,
    "event.ingested": DATE,
    "event.kind": KEYWORD,
    "event.original": {"type": "keyword", "index": False, "doc_values": False},
    "event.outcome": KEYWORD,
    "event.reason": KEYWORD,
    "event.type": KEYWORD,
    "host.ip": IP,
    "host.name": KEYWORD,
    "http.request.bytes": LONG,
    "http.request.id": KEYWORD,
    "http.request.method": KEYWORD,
    "http.request.referrer": LONG_KEYWORD,
    "http.response.body.bytes": LONG,
    "http.response.bytes": LONG,
    "http.response.status_code": LONG,
    "http.version": KEYWORD,
    "log.file.path": LONG_KEYWORD,
    "log.level": KEYWORD,
    "log.logger": KEYWORD,
    "log.offset": LONG,
    "process.name": KEYWORD,
    "process.pid": LONG,
    "process.thread.name": KEYWORD,
    "service.environment": KEYWORD,
    "service.name": KEYWORD,
    "service.node.name": KEYWORD,
    "service.version": KEYWORD,
    "source.address": KEYWORD,
    "source.ip": IP,
    "span.id": KEYWORD,
    "trace.id": KEYWORD,
    "transaction.id": KEYWORD,
    "url.domain": KEYWORD,
    "url.original": LONG_KEYWORD,
    "url.path": LONG_KEYWORD,
    "url.query": LONG_KEYWORD,
    "url.scheme": KEYWORD,
    "user.id": KEYWORD,
    "user.name": KEYWORD,
    "user_agent.device.name": KEYWORD,
    "user_agent.name": KEYWORD,
    "user_agent.original": LONG_KEYWORD,
    "user_agent.os.name": KEYWORD,
    "user_agent.version": KEYWORD,
}


def types(fields: LogFields) -> dict[str, Mapping]:
    """The mapping of each field by its dotted name: ECS, and those that a catalogue names instead."""
    found = dict(_renamed(fields))
    for name, mapping in ECS.items():
        if not any(name == other or _within(name, other) or _within(other, name) for other in found):
            found[name] = mapping
    return dict(sorted(found.items()))


def properties(fields: LogFields) -> Mapping:
    """The same as a mapping's ``properties``, object in object."""
    tree: Mapping = {}
    for name, mapping in types(fields).items():
        *parents, leaf = name.split(".")
        level = tree
        for parent in parents:
            level = level.setdefault(parent, {"properties": {}})["properties"]
        level[leaf] = dict(mapping)
    return tree


def mapping(fields: LogFields) -> Mapping:
    """The whole mapping. Texts that nobody foresaw become keywords of bounded length, and nothing is taken for a date
    because it looks like one: a field would get the type of whatever came first."""
    return {
        "date_detection": False,
        "dynamic_templates": [{"strings": {"match_mapping_type": "string", "mapping": dict(KEYWORD)}}],
        "properties": properties(fields),
    }


def _renamed(fields: LogFields) -> dict[str, Mapping]:
    """The fields that a catalogue calls by names of its own, in the type that what they hold needs."""
    kept: dict[str, Mapping] = {
        "time": DATE,
        "ingested": DATE,
        "status": LONG,
        "duration": LONG if fields.duration_unit_seconds <= 1e-3 else FLOAT,
        "message": TEXT,
        "error_message": TEXT,
        "stack": TEXT,
        "path": LONG_KEYWORD,
    }
    usual = LogFields()
    names = [name for name in LogFields.__struct_fields__ if name != "duration_unit_seconds"]
    own = {
        getattr(fields, name): kept.get(name, KEYWORD)
        for name in names
        if getattr(fields, name) != getattr(usual, name)
    }
    if fields.duration == usual.duration and fields.duration_unit_seconds > 1e-3:
        own[fields.duration] = FLOAT
    return own


def _within(name: str, other: str) -> bool:
    return name.startswith(f"{other}.")
