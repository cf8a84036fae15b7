"""Kibana's saved objects: a data view of the stream, searches, and a dashboard, as one importable file.

The form is that of exports of Kibana 8.9, which later versions migrate when they import it
(elastic.co/docs/api/doc/kibana/operation/operation-post-saved-objects-import). Ids come from the stream's name and
what an object is, so that importing again replaces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sla_kit.catalogue.logs import LogFields
from sla_kit.catalogue.model import Catalogue
from sla_kit.elk import names

SavedObject = dict[str, Any]
_CORE = "8.8.0"
_VERSIONS = {"index-pattern": "8.0.0", "search": "8.0.0", "lens": "8.9.0", "dashboard": "8.9.0"}
_SLOW_SECONDS = 1.0
_LAYER = "layer"
_SOURCE_JSON = "kibanaSavedObjectMeta.searchSourceJSON.index"
#: Kibana's own name of what counts documents.
_RECORDS = "___records___"


def saved_objects(catalogue: Catalogue) -> str:
    """The text of ``saved-objects.ndjson``: each object after those that it names."""
    return "".join(json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n" for each in objects(catalogue))


def objects(catalogue: Catalogue) -> tuple[SavedObject, ...]:
    """The objects themselves."""
    stream = names.stream_name(catalogue)
    view = _data_view(catalogue, stream)
    searches = tuple(_search(catalogue, stream, *each) for each in _searches(catalogue))
    panels = tuple(_lenses(catalogue, stream))
    return (view, *searches, *panels, _dashboard(catalogue, stream, [*panels, searches[0]]))


def error_query(fields: LogFields) -> str:
    """Which documents are errors, in Kibana's query language."""
    levels = " or ".join(
        form for word in ("error", "critical", "fatal", "alert", "emergency") for form in (word, word.upper())
    )
    return f"{fields.level}: ({levels}) or {fields.error_type}: * or {fields.status} >= 500"


def _data_view(catalogue: Catalogue, stream: str) -> SavedObject:
    attributes = {
        "title": stream,
        "name": f"{catalogue.name} logs ({names.environment(catalogue)})",
        "timeFieldName": catalogue.logs.fields.time,
        "fieldAttrs": "{}",
        "fieldFormatMap": "{}",
        "fields": "[]",
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
    }
    return _object("index-pattern", stream, "data view", attributes)


def _searches(catalogue: Catalogue) -> Iterator[tuple[str, str, list[str]]]:
    """Titles, queries and columns."""
    fields = catalogue.logs.fields
    slow = _SLOW_SECONDS / fields.duration_unit_seconds
    yield "errors", error_query(fields), [fields.service, fields.level, fields.error_type, fields.message]
    columns = [fields.service, fields.path, fields.status, fields.duration]
    yield "slow requests", f"{fields.duration} >= {slow:.15g}", columns
    for service in catalogue.services:
        columns = [fields.level, fields.status, fields.message]
        yield service.name, f"{fields.service}: {_quoted(service.name)}", columns


def _search(catalogue: Catalogue, stream: str, title: str, query: str, columns: list[str]) -> SavedObject:
    source = {
        "query": {"query": query, "language": "kuery"},
        "filter": [],
        "indexRefName": _SOURCE_JSON,
        "highlightAll": True,
        "version": True,
    }
    attributes = {
        "title": f"{catalogue.name}: {title}",
        "description": "",
        "columns": columns,
        "sort": [[catalogue.logs.fields.time, "desc"]],
        "kibanaSavedObjectMeta": {"searchSourceJSON": _json(source)},
    }
    references = [{"name": _SOURCE_JSON, "type": "index-pattern", "id": _id(stream, "data view")}]
    return _object("search", stream, f"search {title}", attributes, references)


def _lenses(catalogue: Catalogue, stream: str) -> Iterator[SavedObject]:
    fields, errors = catalogue.logs.fields, error_query(catalogue.logs.fields)
    by_service = _terms(fields.service, 10)
    yield _lens(stream, catalogue, "log volume by service", "", _bars(fields.time, by_service))
    yield _lens(stream, catalogue, "errors by service", errors, _bars(fields.time, by_service))
    yield _lens(stream, catalogue, "top groups of errors", errors, _table("error.grouping_name", fields.service))
    yield _lens(stream, catalogue, "statuses", f"{fields.status}: *", _bars(fields.time, _terms(fields.status, 10)))


def _lens(stream: str, catalogue: Catalogue, title: str, query: str, shown: tuple[str, Any, Any]) -> SavedObject:
    kind, columns, visualization = shown
    layer = {"columnOrder": list(columns), "columns": columns, "incompleteColumns": {}}
    attributes = {
        "title": f"{catalogue.name}: {title}",
        "description": "",
        "visualizationType": kind,
        "state": {
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "visualization": visualization,
            "query": {"query": query, "language": "kuery"},
            "filters": [],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    name = f"indexpattern-datasource-layer-{_LAYER}"
    references = [{"name": name, "type": "index-pattern", "id": _id(stream, "data view")}]
    return _object("lens", stream, f"lens {title}", attributes, references)


def _bars(time: str, split: dict[str, Any]) -> tuple[str, Any, Any]:
    columns = {"split": split, "time": _over_time(time), "count": _count()}
    visualization = {
        "preferredSeriesType": "bar_stacked",
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "layers": [
            {
                "layerId": _LAYER,
                "layerType": "data",
                "seriesType": "bar_stacked",
                "xAccessor": "time",
                "splitAccessor": "split",
                "accessors": ["count"],
            }
        ],
    }
    return "lnsXY", columns, visualization


def _table(group: str, service: str) -> tuple[str, Any, Any]:
    columns = {"group": _terms(group, 20), "service": _terms(service, 3), "count": _count()}
    shown = {"layerId": _LAYER, "layerType": "data", "columns": [{"columnId": name} for name in columns]}
    return "lnsDatatable", columns, shown


def _terms(field: str, size: int) -> dict[str, Any]:
    return {
        "label": f"Top {size} of {field}",
        "dataType": "string",
        "operationType": "terms",
        "scale": "ordinal",
        "isBucketed": True,
        "sourceField": field,
        "params": {
            "size": size,
            "orderBy": {"type": "column", "columnId": "count"},
            "orderDirection": "desc",
            "otherBucket": True,
            "missingBucket": False,
        },
    }


def _over_time(field: str) -> dict[str, Any]:
    return {
        "label": field,
        "dataType": "date",
        "operationType": "date_histogram",
        "scale": "interval",
        "isBucketed": True,
        "sourceField": field,
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _count() -> dict[str, Any]:
    return {
        "label": "Documents",
        "dataType": "number",
        "operationType": "count",
        "scale": "ratio",
        "isBucketed": False,
        "sourceField": _RECORDS,
        "params": {"emptyAsNull": True},
    }


def _dashboard(catalogue: Catalogue, stream: str, shown: list[SavedObject]) -> SavedObject:
    """Two panels a row on Kibana's grid of 48 columns; the last one, a search, has a row of its own."""
    panels, references = [], []
    for number, each in enumerate(shown):
        last, key = number == len(shown) - 1, f"panel-{number + 1}"
        place = {"x": 0 if last else number % 2 * 24, "y": number // 2 * 15, "w": 48 if last else 24, "h": 15, "i": key}
        name = f"panel_{key}"
        panels.append(
            {
                "type": each["type"],
                "panelIndex": key,
                "gridData": place,
                "embeddableConfig": {"enhancements": {}},
                "panelRefName": name,
            }
        )
        references.append({"name": f"{key}:{name}", "type": each["type"], "id": each["id"]})
    attributes = {
        "title": f"{catalogue.name} logs ({names.environment(catalogue)})",
        "description": "Volume, errors and their groups; written by sla-kit from the catalogue.",
        "panelsJSON": _json(panels),
        "optionsJSON": _json({"useMargins": True, "syncColors": True, "syncCursor": True, "hidePanelTitles": False}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": "now-24h",
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": _json({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
    }
    return _object("dashboard", stream, "dashboard", attributes, references)


def _object(
    kind: str, stream: str, what: str, attributes: dict[str, Any], references: list[dict[str, str]] | None = None
) -> SavedObject:
    return {
        "id": _id(stream, what),
        "type": kind,
        "attributes": attributes,
        "references": references or [],
        "coreMigrationVersion": _CORE,
        "typeMigrationVersion": _VERSIONS[kind],
    }


def _id(stream: str, what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"sla-kit:kibana:{stream}:{what}"))


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
