"""Which documents tell of an error."""

from __future__ import annotations

from sla_kit.catalogue.logs import LogFields, LogQuery
from sla_kit.exporters.logs.documents import Query

#: Levels at which something went wrong, as loggers and syslog call them.
LEVELS = ("error", "critical", "fatal", "alert", "emergency")
_SERVER_ERROR = 500


def error_query(query: LogQuery, fields: LogFields) -> Query:
    """What is an error: as ``query`` has it; where that is empty what has such a level or a type of error, or was
    answered with a status from 500 on."""
    if query:
        return query_of(query)
    # Keywords are compared letter by letter, and loggers differ in the case.
    levels = [form for level in LEVELS for form in (level, level.upper(), level.capitalize())]
    either: list[Query] = []
    if fields.level:
        either.append({"terms": {fields.level: levels}})
    if fields.error_type:
        either.append({"exists": {"field": fields.error_type}})
    if fields.status:
        either.append({"range": {fields.status: {"gte": _SERVER_ERROR}}})
    return {"bool": {"should": either, "minimum_should_match": 1}}


def query_of(query: LogQuery) -> Query:
    """A query as Elasticsearch takes it: a text is in Lucene's syntax."""
    return query if isinstance(query, dict) else {"query_string": {"query": query}}
