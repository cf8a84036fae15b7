"""What counts as different, and what is only another form of the same."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.elk.comparing import Change, changes, covers, mapping_changes, settings_changes

_NAMES = st.text("abcxyz", min_size=1, max_size=3)
_SCALARS = st.one_of(st.integers(-5, 5), st.booleans(), st.text("ab ", min_size=1, max_size=4))
_OBJECTS = st.recursive(
    st.dictionaries(_NAMES, _SCALARS, min_size=1, max_size=3),
    lambda inner: st.dictionaries(
        _NAMES, st.one_of(_SCALARS, inner, st.lists(inner, min_size=1, max_size=2)), min_size=1
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("wanted", "current"),
    [
        ({"settings": {"index.number_of_shards": 1}}, {"settings": {"index": {"number_of_shards": "1"}}}),
        ({"settings": {"number_of_shards": "1"}}, {"settings": {"index": {"number_of_shards": "1"}}}),
        ({"template": {"settings": {"index.x": True}}}, {"template": {"settings": {"index": {"x": "true"}}}}),
        ({"data_stream": {}}, {"data_stream": {"hidden": False, "allow_custom_routing": False}}),
        ({"a": 1}, {"a": 1, "created_date_millis": 17, "modified_date": "2026"}),
        ({"a": 1}, {"a": 1, "composed_of": [], "version": None}),
    ],
)
def test_another_form_of_the_same_is_no_difference(wanted: dict[str, Any], current: dict[str, Any]) -> None:
    assert changes(wanted, current) == ()


@pytest.mark.parametrize(
    ("wanted", "current", "expected"),
    [
        ({"priority": 200}, {"priority": 100}, Change("priority", "100", "200")),
        ({}, {"_meta": {"by": "hand"}}, Change("_meta.by", '"hand"', "")),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [2, 1]}}, Change("a.b", "[2, 1]", "[1, 2]")),
        ({"p": [{"set": {"v": 1}}]}, {"p": []}, Change("p[0].set.v", "", "1")),
        ({"settings": {"index.x": "1"}}, {"settings": {}}, Change("settings.index.x", "", '"1"')),
    ],
)
def test_what_differs_is_told_by_its_path(wanted: dict[str, Any], current: dict[str, Any], expected: Change) -> None:
    assert changes(wanted, current) == (expected,)


@given(_OBJECTS)
def test_nothing_differs_from_itself_however_it_was_sent(value: dict[str, Any]) -> None:
    assert changes(value, json.loads(json.dumps(value))) == ()


@given(_OBJECTS, _OBJECTS)
def test_a_difference_is_seen_from_both_sides(first: dict[str, Any], second: dict[str, Any]) -> None:
    there, back = changes(first, second), changes(second, first)
    assert {(each.path, each.before, each.after) for each in there} == {
        (each.path, each.after, each.before) for each in back
    }


def test_a_type_stays_and_a_new_field_can_be_added() -> None:
    wanted = {"properties": {"a": {"type": "long"}, "b": {"properties": {"c": {"type": "date"}}}, "d": {"type": "ip"}}}
    current = {"properties": {"a": {"type": "keyword"}, "b": {"type": "text"}, "came": {"type": "text"}}}
    missing, fixed = mapping_changes(wanted, current)
    assert missing == (Change("d", "", '{"type": "ip"}'),)
    assert [change.path for change in fixed] == ["a", "b.c"]


def test_settings_that_an_index_has_besides_are_its_own() -> None:
    current = {"index": {"uuid": "x", "refresh_interval": "1s", "codec": "default"}}
    assert settings_changes({"index.refresh_interval": "5s", "index.codec": "default"}, current) == (
        Change("index.refresh_interval", '"1s"', '"5s"'),
    )


@given(st.text("ab*-", max_size=8), st.text("ab-", max_size=8))
def test_a_pattern_covers_what_its_stars_stand_for(pattern: str, name: str) -> None:
    assert covers(pattern, name) == bool(re.fullmatch(fnmatch.translate(pattern), name))
