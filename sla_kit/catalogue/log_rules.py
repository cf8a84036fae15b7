"""What indicators of documents, ``logs`` and comparisons must hold beyond their types."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sla_kit.catalogue.logs import LogFields, LogQuery, Logs, ServerType
from sla_kit.catalogue.model import LOG_KINDS, Catalogue, LogEvents, LogLatency, Server, Service, Sli, Slo
from sla_kit.catalogue.query_strings import slip_of, takes_all
from sla_kit.catalogue.resting_rules import expect_slo, unit_of
from sla_kit.configuration.places import Findings, Path, nearest

#: Marks of scripts, expressions and templates, which shippers and pipelines are written in.
_NO_FIELD = re.compile(r"[\x00-\x1f\x7f\"'`<>(){}\[\]\\|;%]")
_PATTERN = "a pattern, an alias or a data stream, such as logs-*"
# https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create: names of indices. A wildcard is
# a pattern's, a colon parts a remote cluster from its index.
_NO_INDEX = re.compile(r'[\\/?"<>|\s#]')
_CLOUD = re.compile(r"elasticsearch\+cloud://[^\s/@]+")
#: Queries by their type, https://www.elastic.co/docs/reference/query-languages/querydsl; those that plugins bring can
#: stand inside a bool.
_TYPES = """
    bool boosting combined_fields constant_score dis_max distance_feature exists function_score fuzzy
    geo_bounding_box geo_distance geo_grid geo_polygon geo_shape has_child has_parent ids intervals knn match
    match_all match_bool_prefix match_none match_phrase match_phrase_prefix more_like_this multi_match nested
    parent_id percolate pinned prefix query_string range rank_feature regexp rule script script_score semantic
    shape simple_query_string span_containing span_field_masking span_first span_multi span_near span_not span_or
    span_term span_within sparse_vector term terms terms_set text_expansion weighted_tokens wildcard wrapper
""".split()  # noqa: SIM905  # fifty lines otherwise


def check_log_indicator(sli: LogEvents | LogLatency, path: Path, findings: Findings) -> None:
    """Notes every mistake of one indicator of documents, ``path`` being where it stands."""
    if sli.index:
        check_index(sli.index, (*path, "index"), findings)
    check_query(sli.query, (*path, "query"), findings)
    if isinstance(sli, LogEvents):
        _sides(sli, path, findings)
        return
    for key in ("threshold", "unit_seconds"):
        value = getattr(sli, key)
        if value is not None and not value > 0:
            findings.say((*path, key), f"{key} must be above 0")
    if not 0 < sli.quantile < 1:
        findings.say((*path, "quantile"), f"a quantile of {sli.quantile:g} is impossible", "such as 0.95")
    if sli.field:
        _field(sli.field, (*path, "field"), findings)


def _sides(sli: LogEvents, path: Path, findings: Findings) -> None:
    broken = findings.places.broken
    sides = [side for side in ("good", "bad") if getattr(sli, side) is not None or broken((*path, side))]
    if len(sides) != 1:
        wrong = "says both good and bad" if sides else "says neither good nor bad"
        findings.say(path, f"an indicator of documents {wrong}", "exactly one of them tells the two apart")
    for side in sides:
        query: LogQuery | None = getattr(sli, side)
        if query is None:
            continue
        if not query or query == sli.query or (isinstance(query, str) and takes_all(query)):
            hint = "say which of them it means, such as http.response.status_code:[500 TO *]"
            findings.say((*path, side), f"{side} selects every document", hint)
        check_query(query, (*path, side), findings)


def check_query(query: LogQuery, path: Path, findings: Findings) -> None:
    """Notes a query that no server would take, or that means something else than it seems to."""
    if isinstance(query, str):
        slip = slip_of(query)
        if slip is not None:
            findings.say(path, slip.message, slip.hint)
        return
    try:
        json.dumps(query, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        findings.say(path, "the query holds what no JSON can", "text, numbers, true, false, lists and mappings")
        return
    if not query:
        return
    names = list(query)
    if len(names) > 1:
        hint = "put several under bool: {filter: [{…}, {…}]}"
        findings.say(path, f"a query has one type, not {len(names)} ({', '.join(map(str, names))[:60]})", hint)
    elif names[0] == "query":
        findings.say(path, "the query stands in another query", "leave out the key query inside")
    elif names[0] not in _TYPES:
        close = nearest(names[0], _TYPES)
        hint = close if close.startswith("did") and "." not in names[0] else f"such as term: {{{names[0]}: …}}"
        findings.say(path, f"{names[0][:60]!r} is no type of query", hint)
    elif not isinstance(query[names[0]], dict):
        findings.say(path, f"{names[0]} must hold a mapping", "such as term: {log.level: error}")


def check_index(index: str, path: Path, findings: Findings) -> None:
    """Notes what is no name of indices, and what means every index of a cluster."""
    parts = index.split(",")
    for number, part in enumerate(parts):
        if part.startswith("<") and part.endswith(">"):  # a date is reckoned into it
            continue
        name = part.removeprefix("-").rpartition(":")[2]
        wrong, hint = "", _PATTERN
        if not name:
            wrong = "an index has no name"
        elif part.startswith("-") and not number:
            wrong, hint = f"{part[:60]!r} takes away from nothing", "what is left out stands after what it is in"
        elif name in ("*", "_all"):
            wrong, hint = (
                "every index of the cluster is meant",
                "name those that hold the service's logs, such as logs-*",
            )
        elif name != name.lower():
            wrong, hint = f"{name[:60]!r} holds capitals, which no index has", name.lower()[:60]
        elif bad := _NO_INDEX.search(name):
            wrong = f"{name[:60]!r} holds {bad[0]!r}, which no index has"
            hint = "only * stands for any letters" if bad[0] == "?" else "several are parted by commas, without spaces"
        elif name[0] in "_+-" or name in (".", ".."):
            wrong = f"{name[:60]!r} can't be the name of an index"
        elif len(name.encode()) > 255:
            wrong = "the name of an index is 255 bytes at most"
        if wrong:
            findings.say(path, wrong, hint)


def check_logs(catalogue: Catalogue, findings: Findings, environments: Sequence[str] | None) -> None:
    """Notes every mistake in ``logs``; ``environments`` are those that exist, None where that is not known."""
    logs, here, say = catalogue.logs, ("logs",), findings.say
    if findings.places.broken(here):
        return
    check_index(logs.index, (*here, "index"), findings)
    if logs.source:
        check_source(logs.source, True, (*here, "source"), catalogue, findings)
    for field in msgspec.structs.fields(LogFields):
        value = getattr(logs.fields, field.name)
        if isinstance(value, str):
            _field(value, (*here, "fields", field.name), findings)
    if not logs.fields.duration_unit_seconds > 0:
        hint = "0.000000001 for nanoseconds, 0.001 for milliseconds"
        say((*here, "fields", "duration_unit_seconds"), "duration_unit_seconds must be above 0", hint)
    if logs.quiet < 0:
        say((*here, "quiet"), "quiet is negative", "such as 5m")
    _error_tracking(logs, (*here, "errors"), findings)
    if logs.stream:
        _stream(logs.stream, (*here, "stream"), findings)
    said = logs.retention != Logs().retention
    for name, length in logs.retention.items():
        at = (*here, "retention", name)
        if not length > 0 or length != int(length):
            say(at, "a retention must be whole seconds, above 0", 'such as "7d"')
        if said and environments:
            findings.expect(name, environments, at, "environment", [("environments",)])


def _error_tracking(logs: Logs, path: Path, findings: Findings) -> None:
    errors = logs.errors
    check_query(errors.query, (*path, "query"), findings)
    if not errors.lookback > 0:
        findings.say((*path, "lookback"), "lookback must be above 0", "such as 30d")
    if not errors.surge_factor > 1:
        findings.say((*path, "surge_factor"), "surge_factor must be above 1", "3 is three times as many as before")
    for key in ("surge_count", "groups"):
        if getattr(errors, key) < 1:
            findings.say((*path, key), f"{key} must be 1 or more")
    if errors.deployments.index:
        check_index(errors.deployments.index, (*path, "deployments", "index"), findings)
    check_query(errors.deployments.query, (*path, "deployments", "query"), findings)


def _stream(stream: str, path: Path, findings: Findings) -> None:
    # https://www.elastic.co/docs/reference/ecs/ecs-data_stream: no part holds a hyphen, which parts them.
    parts = stream.split("-")
    hint = "type-dataset-namespace, such as logs-web.access-production"
    if len(parts) != 3 or not all(parts):
        findings.say(path, f"{stream[:60]!r} is no name of a data stream", hint)
    elif "*" in stream or _NO_INDEX.search(stream) or "," in stream or ":" in stream or stream != stream.lower():
        findings.say(path, f"{stream[:60]!r} holds what no data stream may", hint)
    elif stream[0] in "_+." or any(len(part) > 100 for part in parts):
        findings.say(path, f"{stream[:60]!r} can't be the name of a data stream", hint)


def _field(name: str, path: Path, findings: Findings) -> None:
    if not name.strip():
        findings.say(path, f"{path[-1]} is empty", "leave it out for the Elastic Common Schema's name")
    elif "*" in name or name != name.strip() or name.startswith(".") or name.endswith(".") or ".." in name:
        findings.say(path, f"{name[:60]!r} can't be a field's name", "such as http.response.status_code")
    elif bad := _NO_FIELD.search(name):
        findings.say(
            path, f"{name[:60]!r} holds {bad[0]!r}, which no field's name does", "letters, digits, _ - @ and ."
        )


# --- servers ----------------------------------------------------------------------------------------------------------


def check_server(server: Server, path: Path, findings: Findings) -> None:
    """Notes what can't be of a server of this type."""
    written: ServerType = server.type
    if written == "prometheus" and server.url.startswith("elasticsearch+"):
        findings.say((*path, "type"), "the address is an Elasticsearch's, the type is not", "type: elasticsearch")
    if server.tenant and server.holds_logs and not findings.places.broken((*path, "type")):
        hint = "headers come from SLA_KIT_ELASTICSEARCH_<NAME>_HEADERS"
        findings.say((*path, "tenant"), "a tenant means nothing to an Elasticsearch", hint)


def is_cloud(url: str) -> bool:
    """Whether an address is an Elasticsearch's by its cloud id."""
    return _CLOUD.fullmatch(url) is not None


def check_source(name: str, logs: bool, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Notes a source that does not exist, that holds metrics where ``logs`` are asked for, or the other way round."""
    servers = {server.name: index for index, server in enumerate(catalogue.sources)}
    if not findings.expect(name, servers, path, "source", [("sources",)]):
        return
    at = ("sources", servers[name])
    if catalogue.sources[servers[name]].holds_logs is logs or findings.places.has_broken(at):
        return
    others = [server.name for server in catalogue.sources if server.holds_logs is logs]
    what, other = ("logs", "metrics") if logs else ("metrics", "logs")
    hint = f"{' or '.join(others)} {'do' if len(others) > 1 else 'does'}" if others else f"no source holds {what}"
    if logs and not others:
        hint = "type: elasticsearch says that a source holds logs"
    findings.say(path, f"{name} holds {other}, no {what}", hint)


def check_source_of(name: str, sli: Sli | None, path: Path, catalogue: Catalogue, findings: Findings) -> bool:
    """Notes a source that can't tell of an indicator; False, and nothing noted, where that is no question."""
    from sla_kit.catalogue.model import Composite, External, Recovery

    if not name or sli is None or isinstance(sli, Composite | External | Recovery):
        return False
    check_source(name, isinstance(sli, LOG_KINDS), path, catalogue, findings)
    return True


# --- comparisons ------------------------------------------------------------------------------------------------------


def check_comparison(service: Service, slo: Slo, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Notes what is wrong with the SLO that an SLO is compared with."""
    comparison, here, say = slo.compare_with, (*path, "compare_with"), findings.say
    if comparison is None or findings.places.broken(here):
        return
    for key in ("within", "total_within"):
        share: Any = getattr(comparison, key)
        if share is not None and not 0 < share <= 1 and not findings.places.broken((*here, key)):
            say((*here, key), f"{key} must be above 0 % and at most 100 %", "how far apart they may be, such as 0.05%")
    if not comparison.slo or findings.places.broken((*here, "slo")):
        return
    mine, target = (service.name, slo.name), comparison.target(service.name)
    if target == mine:
        say((*here, "slo"), f"{comparison.slo} can't be compared with itself", "name the SLO that measures the same")
        return
    other = expect_slo(target, (*here, "slo"), catalogue, findings)
    if other is None or findings.places.has_broken(path):
        return
    for measured, name in ((mine, slo.name), (target, comparison.slo)):
        unit = unit_of(catalogue, measured)
        if unit is not None and unit != "requests":
            say((*here, "slo"), f"{name} counts {unit}, no events", "only SLOs that count events can be compared")
            return
