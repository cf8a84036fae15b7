"""Which fields a query names, and in which indices they would be counted wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.logs import LogFields, LogQuery
from sla_kit.sources.elasticsearch.fields import FieldUse, Mapped, fit, names, uses_of

FIELDS = LogFields()


@pytest.mark.parametrize(
    ("query", "uses"),
    [
        ("", []),
        ("*", []),
        ("timeout", []),
        ("status:500", [("status", "any")]),
        ("status:[500 TO *]", [("status", "number")]),
        ("status:{499 TO 600}", [("status", "number")]),
        ("status:>=500 AND NOT level:debug", [("status", "number"), ("level", "any")]),
        ("-status:<400", [("status", "number")]),
        ("day:[2026-01-01 TO now]", [("day", "any")]),
        ("_exists_:error.type", [("error.type", "present")]),
        ("error.type:*", [("error.type", "present")]),
        ('message:"a b:c" OR x:1', [("message", "any"), ("x", "any")]),
        ('"status:500"', []),
        ("url.path:\\/a\\:b* AND (s:1)", [("url.path", "any"), ("s", "any")]),
        ("path:/ab[0-9]:x/ a:1", [("path", "any"), ("a", "any")]),
        ("a\\ b:1", [("a b", "any")]),
        ("user.*:x", []),
        ("status:(500 OR 503)", [("status", "any")]),
        ("@timestamp:>2026", [("@timestamp", "number")]),
    ],
)
def test_fields_of_query_strings(query: str, uses: list[tuple[str, str]]) -> None:
    assert list(uses_of(query)) == uses


@pytest.mark.parametrize(
    ("query", "uses"),
    [
        ({}, []),
        ({"match_all": {}}, []),
        ({"term": {"a": {"value": 1, "boost": 2}}}, [("a", "exact")]),
        ({"terms": {"a": [1, 2], "boost": 1}}, [("a", "exact")]),
        ({"range": {"a": {"gte": 500}}}, [("a", "number")]),
        ({"range": {"a": {"gte": "500"}}}, [("a", "number")]),
        ({"range": {"a": {"gte": "now-1h"}}}, [("a", "any")]),
        ({"range": {"a": {"gte": 1, "format": "epoch_millis"}}}, [("a", "any")]),
        ({"exists": {"field": "a"}}, [("a", "present")]),
        ({"match": {"a": "x"}}, [("a", "any")]),
        ({"multi_match": {"query": "x", "fields": ["a^2", "b.*"]}}, [("a", "any")]),
        ({"query_string": {"query": "a:1", "default_field": "m"}}, [("m", "any"), ("a", "any")]),
        (
            {"bool": {"must_not": {"term": {"a": 1}}, "filter": [{"exists": {"field": "b"}}, {"prefix": {"c": "x"}}]}},
            [("a", "exact"), ("b", "present"), ("c", "exact")],
        ),
        ({"nested": {"path": "a", "query": {"match": {"a.b": 1}}}}, [("a.b", "any")]),
        ({"constant_score": {"filter": {"wildcard": {"a": "x*"}}}}, [("a", "exact")]),
    ],
)
def test_fields_of_queries(query: LogQuery, uses: list[tuple[str, str]]) -> None:
    assert list(uses_of(query)) == uses


@given(st.text(max_size=60))
def test_any_text_can_be_looked_through(text: str) -> None:
    assert all(use.field and "*" not in use.field for use in uses_of(text))


def _mapped(**types: dict[str, str]) -> Mapped:
    """By index, the types of fields; the time is a date where nothing else is said."""
    named = {index: {"@timestamp": "date"} | fields for index, fields in types.items()}
    fields = {field for each in named.values() for field in each}
    return Mapped(
        tuple(named),
        {field: {index: each[field] for index, each in named.items() if each.get(field)} for field in fields},
    )


@pytest.mark.parametrize(
    ("need", "types", "left_out"),
    [
        ("number", ["long", "integer"], ""),
        ("number", ["long", "keyword"], "b"),
        ("number", ["keyword", "keyword"], "ab"),
        ("exact", ["long", "keyword"], ""),
        ("exact", ["keyword", "text"], "b"),
        ("any", ["keyword", "text"], "b"),
        ("any", ["text", "match_only_text"], ""),
        ("any", ["keyword", "text", "text"], "a"),
        ("present", ["keyword", "text"], ""),
        ("figure", ["long", "double", "text"], "c"),
        ("any", ["object", "keyword"], "a"),
    ],
)
def test_what_is_left_out(need: str, types: list[str], left_out: str) -> None:
    mapped = _mapped(**{index: {"x": type} for index, type in zip("abc", types, strict=False)})
    found = fit(mapped, "@timestamp", [FieldUse("x", need)], [], FIELDS)  # type: ignore[arg-type]
    assert found.left_out == set(left_out)
    assert found.known is (len(left_out) < len(types))
    assert bool(found.remarks) is bool(left_out)


def test_an_index_without_the_time_is_left_out_and_told() -> None:
    found = fit(_mapped(a={}, b={"@timestamp": ""}), "@timestamp", [], [], FIELDS)
    assert found.left_out == {"b"}
    assert [remark.kind for remark in found.remarks] == ["field-missing"]


def test_a_missing_field_of_a_side_is_believed_only_of_errors() -> None:
    mapped = _mapped(a={})
    assert fit(mapped, "@timestamp", [], [FieldUse("error.code", "present")], FIELDS).known
    assert not fit(mapped, "@timestamp", [], [FieldUse("statsu", "any")], FIELDS).known
    assert not fit(mapped, "@timestamp", [FieldUse("error.code", "present")], [], FIELDS).known
    own = LogFields(status="statsu")
    assert fit(mapped, "@timestamp", [], [FieldUse("statsu", "any")], own).known


def test_where_nothing_could_be_looked_at_all_is_taken_as_it_is() -> None:
    found = fit(Mapped((), {}), "@timestamp", [FieldUse("x", "number")], [], FIELDS)
    assert found.known
    assert not found.remarks


def test_long_lists_are_cut() -> None:
    assert names(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
