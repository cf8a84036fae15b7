"""Tables: lines of several queries put together, sorted, renamed, as Grafana's transformations do it."""

from __future__ import annotations

from typing import Any

from sla_kit.preview.tables import table_of
from tests.preview.pages import answered, panel


def table(*answers: Any, sort: str = "", **organize: dict[str, Any]) -> list[list[str]]:
    options = {"sortBy": [{"displayName": sort, "desc": True}]} if sort else {}
    document = panel("table", transformations=[{"id": "organize", "options": organize}], options=options)
    found = table_of(document, answers, 0.0)
    return [list(found.headings), *([cell.text for cell in line] for line in found.lines)]


def instant(ref: str, **values: float) -> Any:
    return answered(*(({"service": name}, [value]) for name, value in values.items()), ref=ref, instant=True)


def test_lines_of_several_queries_are_put_together_by_their_labels() -> None:
    assert table(instant("A", api=1.0, web=2.0), instant("B", web=4.0, db=5.0)) == [
        ["service", "Value #A", "Value #B"],
        ["api", "1", ""],
        ["web", "2", "4"],
        ["db", "", "5"],
    ]


def test_a_label_that_only_one_query_has_does_not_part_lines() -> None:
    told = answered(({"service": "api", "promise": "fast"}, [0.99]), ref="A", instant=True)
    assert table(told, instant("B", api=7.0)) == [
        ["promise", "service", "Value #A", "Value #B"],
        ["fast", "api", "0.990", "7"],
    ]


def test_lines_of_one_query_never_become_one() -> None:
    two = answered(({"a": "1", "b": "x"}, [1.0]), ({"a": "1", "b": "y"}, [2.0]), ref="A", instant=True)
    one = answered(({"a": "1"}, [9.0]), ref="B", instant=True)
    found = table(two, one)
    assert [line[:3] for line in found[1:]] == [["1", "x", "1"], ["1", "y", "2"]]


def test_columns_are_hidden_renamed_ordered_and_sorted() -> None:
    found = table(
        instant("A", api=1.0, web=30.0, db=float("nan")),
        sort="Requests",
        excludeByName={"Time": True},
        renameByName={"service": "Service", "Value": "Requests"},
        indexByName={"Value": 0, "service": 1},
    )
    assert found == [["Requests", "Service"], ["30", "web"], ["1", "api"], ["NaN", "db"]]
    assert table(instant("A", api=1.0), excludeByName={"service": True}) == [["Value"], ["1"]]


def test_log_entries_are_counted_under_the_name_that_grafana_gives_the_column() -> None:
    from dataclasses import replace

    counted = replace(instant("A", api=12.0), counted="Count")
    assert table(counted, renameByName={"Count": "Lines"}) == [["service", "Lines"], ["api", "12"]]


def test_a_large_table_takes_no_longer_than_its_lines() -> None:
    many = answered(*(({"pod": f"pod-{place}"}, [float(place)]) for place in range(4000)), ref="A", instant=True)
    again = answered(*(({"pod": f"pod-{place}"}, [float(place)]) for place in range(4000)), ref="B", instant=True)
    found = table(many, again, sort="Value #A")
    assert len(found) == 4001
    assert found[1] == ["pod-3999", "4.00 K", "4.00 K"]
