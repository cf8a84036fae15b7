"""What is told of a configuration before it runs: all of it at once, each at its line; and what is good is let be."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.process_collector import ProcessCollector

from sla_kit.errors import ConfigurationError
from sla_kit.exporters.business import EXPORTER
from sla_kit.exporters.business.parameters import bound
from sla_kit.exporters.business.queries import QueryCollector
from sla_kit.exporters.business.sql_text import bare, colon_parameters, mentions, why_not
from sla_kit.exporters.sidecar.exporter import Loaded

SOURCES = """
sources:
  shop: {kind: postgresql, url: "postgresql://reader@db/shop"}
  book: {kind: postgresql, url: "postgresql://reader@db/book"}
  file: {kind: sqlite, file: shop.db}
queries:
"""
GAUGE = "{name: users, type: gauge, help: Users., value: n}"


def load(folder: Path, queries: str, head: str = "") -> Loaded:
    path = folder / "business.yml"
    path.write_text(head + SOURCES + textwrap.indent(textwrap.dedent(queries).strip("\n"), "  "))
    return EXPORTER.load(path)


def told(folder: Path, queries: str, head: str = "") -> list[str]:
    """What is wrong, without where."""
    try:
        load(folder, queries, head)
    except ConfigurationError as error:
        return [mistake.message for mistake in error.mistakes]
    return []


def query(
    metrics: str, more: str = "", sql: str = "SELECT count(*) AS n, plan, at FROM users", source: str = "shop"
) -> str:
    return f'q:\n  source: {source}\n  sql: "{sql}"\n  {more}\n  metrics: [{metrics}]\n'


def test_all_mistakes_are_told_at_once_each_at_its_line(tmp_path: Path) -> None:
    text = """
    a: {source: shp, sql: SELECT 1 AS n, metrics: [{name: users, type: gauge, help: Users., value: n}]}
    b:
      source: file
      sql: DELETE FROM users
      metrics:
        - {name: users, type: counter, help: Users., value: n}
        - {name: wait_ms, type: histogram, help: Waits., value: n, buckets: [2, 1]}
    """
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    found = [(mistake.line, mistake.message) for mistake in caught.value.mistakes]
    assert found == [
        (7, "there is no source 'shp'"),
        (10, "begins with DELETE: it does not read"),
        (12, "users is a counter and does not end with _total"),
        (12, "users is a counter here and a gauge before"),
        (12, "the answer has no column n"),
        (13, "wait_ms is not in a base unit"),
        (13, "the answer has no column n"),
        (13, "must rise"),
    ]
    assert str(caught.value.mistakes[0]).startswith(f"{tmp_path}/business.yml:7:15: there is no source 'shp' (did you")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (query("{name: users_total, type: gauge, help: U., value: n}"), "ends with _total, but is a gauge"),
        (query("{name: app, type: info, help: U., labels: [plan]}"), "does not end with _info"),
        (query("{name: users, type: gauge, help: ' ', value: n}"), "has an empty help"),
        (query("{name: load_percent, type: gauge, help: U., value: n}"), "is not in a base unit"),
        (query("{name: sla_exporter_x, type: gauge, help: U., value: n}"), "is taken"),
        (query("{name: 2users, type: gauge, help: U., value: n}"), "can't be the name of a metric"),
        (query("{name: users, type: gauge, help: U., value: n, labels: [a-b]}"), "can't be the name of a label"),
        (query("{name: users, type: gauge, help: U.}"), "has no value"),
        (query("{name: users, type: gauge, help: U., value: n, values: [n]}"), "stands beside value"),
        (query("{name: users, type: gauge, help: U., values: [n]}"), "has only one of values and value_label"),
        (query("{name: h, type: histogram, help: U., value: n}"), "has no buckets"),
        (query("{name: h, type: histogram, help: U., value: n, buckets: [1, 1]}"), "must rise"),
        (query("{name: h, type: histogram, help: U., value: n, buckets: [1], labels: [le]}"), "has the label le"),
        (query("{name: users, type: gauge, help: U., value: n, buckets: [1]}"), "a gauge has no buckets"),
        (query("{name: n_total, type: counter, help: U., value: n, 'null': nan}"), "a counter can't be NaN"),
        (query("{name: users, type: gauge, help: U., value: n, labels: [n]}"), "is the value, and a label"),
        (
            query("{name: users, type: gauge, help: U., value: n, labels: [plan], constant_labels: {plan: x}}"),
            "has the label plan twice",
        ),
        (
            query("{name: users, type: gauge, help: U., value: n, labels: [plan], when_empty: zero}"),
            "are not known without rows",
        ),
        (
            query("{name: users, type: gauge, help: U., value: n, labels: [plan], always: [{pln: free}]}"),
            "must name the labels that rows have: plan",
        ),
        (query("{name: users, type: gauge, help: U., value: m}"), "the answer has no column m"),
        (query(GAUGE, sql="INSERT INTO users VALUES (1)"), "begins with INSERT"),
        (query(GAUGE, sql="SELECT 1 AS n; SELECT 2 AS n"), "has more than one statement"),
        (query(GAUGE, sql="WITH x AS (DELETE FROM a RETURNING n) SELECT n FROM x"), "would write"),
        (query(GAUGE, sql="SELECT n FROM users WHERE id > %(id)s"), "which is no parameter"),
        (query(GAUGE, "for_each: {window: [1m]}"), "the query does not use window"),
        (query(GAUGE, "for_each: {plan: [a, a]}"), "has a more than once"),
        (query(GAUGE, "for_each: {plan: []}"), "has no values"),
        (query(GAUGE, "parameters: {since: 1}"), "since is taken"),
        (query(GAUGE, "interval: 100ms"), "must be at least 1s"),
        (query(GAUGE, "jitter: 80%"), "must be at most 50%"),
        (query(GAUGE, "max_rows: 0"), "must be at least 1"),
        (query(GAUGE, "redis: {command: scard, key: x}"), "is no question for this source"),
        (query(GAUGE, source="[shop, book]"), "no label tells them apart"),
        (query(GAUGE, "source_label: shop", source="[shop, shop]"), "names a source twice"),
        (query(GAUGE, source="[]"), "names no source"),
        (query(""), "must declare a metric"),
        ("q: {source: shop, metrics: [" + GAUGE + "]}", "asks nothing: it has no sql"),
        (query(GAUGE, "since: {column: at, start: 0}"), "needs a file to keep its sums in"),
        (query(GAUGE, "since: {column: at, start: 0}"), "a gauge can't be summed up"),
        (query(GAUGE, "since: {column: at, start: 0}"), "does not use the parameter since"),
        (query(GAUGE, "since: {column: at, start: 0, settle: 5s}"), "does not use the parameter settle_seconds"),
        (query(GAUGE, "since: {column: newest, start: 0}"), "the query has no column newest"),
        (query(GAUGE + ", " + GAUGE), "nothing keeps its series apart"),
        (query(GAUGE + ", " + GAUGE.replace("Users.", "Others.")), "has another help here"),
        (query(GAUGE + ", " + GAUGE.replace("value: n", "value: n, labels: [plan]")), "has other labels here (plan)"),
        (query(GAUGE + ", {name: users_total, type: counter, help: U., value: n}"), "users_total is a counter here"),
        (
            query("{name: h, type: histogram, help: U., value: n, buckets: [1]}, " + GAUGE.replace("users", "h_count")),
            "publishes h_count",
        ),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, said: str) -> None:
    found = told(tmp_path, text)
    assert [message for message in found if said in message], found


@pytest.mark.parametrize(
    "text",
    [
        query(GAUGE),
        query(GAUGE, sql="select * from users"),
        query(GAUGE, sql="SELECT u.* FROM users u"),
        query(GAUGE, sql="TABLE users"),
        query(GAUGE, sql="SELECT n FROM users WHERE a = 'delete from x; update y set' FOR UPDATE"),
        query(GAUGE, sql="(SELECT 1 AS n) UNION (SELECT 2 AS N);"),
        query(GAUGE, sql="SELECT n FROM updates -- insert into x"),
        query(GAUGE, "source_label: shop", source="[shop, book]"),
        query(GAUGE, "for_each: {window: [1m, {value: 30d, interval: 1h}]}", sql="SELECT %(window_seconds)s AS n"),
        query(GAUGE[:-1] + ", constant_labels: {a: x}}, " + GAUGE[:-1] + ", constant_labels: {a: y}}"),
        query("{name: users, type: gauge, help: U., values: [n, plan], value_label: what, when_empty: zero}"),
        query("{name: n_total, type: counter, help: U., value: n, labels: [plan], always: [{plan: free}]}"),
    ],
)
def test_what_is_good_is_let_be(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == []


def test_two_queries_of_one_metric_are_told_apart_by_what_they_are_asked_for(tmp_path: Path) -> None:
    first = query(GAUGE, "for_each: {w: [1m]}", sql="SELECT %(w)s AS n").replace("q:", "a:", 1)
    second = query(GAUGE, "for_each: {w: [5m]}", sql="SELECT %(w)s AS n").replace("q:", "b:", 1)
    assert told(tmp_path, first + second) == []
    assert told(tmp_path, first + second.replace("5m", "1m"))


def test_nothing_declared_is_told(tmp_path: Path) -> None:
    path = tmp_path / "business.yml"
    path.write_text("log: {level: info}\n")
    with pytest.raises(ConfigurationError, match="declares nothing to publish"):
        EXPORTER.load(path)


def test_a_query_is_one_collector_for_each_source_and_value_at_its_own_pace(tmp_path: Path) -> None:
    text = query(
        GAUGE,
        "source_label: shop\n  interval: 10s\n  for_each: {w: [1m, {value: 30d, interval: 1h, timeout: 2m}]}",
        sql="SELECT %(w_seconds)s AS n",
        source="[shop, book]",
    )
    found = {
        collector.name: (collector.schedule.interval_seconds, collector.schedule.timeout_seconds, dict(collector.fixed))
        for collector in load(tmp_path, text).collectors
        if isinstance(collector, QueryCollector)
    }
    assert found == {
        "q/shop/1m": (10, 10, {"shop": "shop", "w": "1m"}),
        "q/shop/30d": (3600, 120, {"shop": "shop", "w": "30d"}),
        "q/book/1m": (10, 10, {"shop": "book", "w": "1m"}),
        "q/book/30d": (3600, 120, {"shop": "book", "w": "30d"}),
    }


def test_collectors_are_equal_as_long_as_nothing_of_theirs_changes(tmp_path: Path) -> None:
    first = query(GAUGE).replace("q:", "a:", 1)
    second = query(GAUGE.replace("users", "others")).replace("q:", "b:", 1)
    before, same = load(tmp_path, first + second).collectors, load(tmp_path, first + second).collectors
    assert list(before) == list(same)
    after = load(tmp_path, first + second.replace("AS n", "AS  n")).collectors
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5m", {"w": "5m", "w_seconds": 300}),
        ("1h30m", {"w": "1h30m", "w_seconds": 5400}),
        ("100ms", {"w": "100ms", "w_seconds": 0.1}),
        ("7", {"w": 7}),
        ("-7.5", {"w": -7.5}),
        ("007", {"w": "007"}),
        ("1e5", {"w": "1e5"}),
        ("", {"w": ""}),
        ("pro", {"w": "pro"}),
    ],
)
def test_values_are_bound_as_what_they_are_written_as(text: str, values: dict[str, object]) -> None:
    found = bound({"w": text})
    assert found == values
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in values.items()}


QUOTED = st.text(max_size=12).map(lambda text: "'" + text.replace("'", "''") + "'")
COMMENT = st.text(st.characters(exclude_characters="\n"), max_size=12).map(lambda text: f"--{text}\n") | st.text(
    max_size=12
).filter(lambda text: "*/" not in f"{text}*").map(lambda text: f"/*{text}*/")
PLAIN = st.sampled_from(["a", "b.c", "count(*)", "<", "+", ":p", "%(q)s"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), PLAIN, QUOTED | COMMENT), max_size=8))
def test_comments_and_literals_are_left_out_whatever_they_hold(parts: list[tuple[bool, str, str]]) -> None:
    sql = " ".join(text if plain else other for plain, text, other in parts)
    assert bare(sql).split() == [text for plain, text, _ in parts if plain]


def test_what_is_said_of_a_text_heeds_literals_names_and_casts() -> None:
    assert colon_parameters("SELECT a::text, ':x', :y FROM \"t:z\" -- :c") == {"y"}
    assert mentions('SELECT 1 AS "Users Now"', "users now")
    assert not mentions("SELECT 'users' AS n", "users")
    assert why_not("SELECT $x$; DELETE FROM a$x$ AS n") is None
    assert why_not(r"SELECT E'it\'s; one' AS n") is None
    assert why_not("-- nothing") is not None
    assert why_not("SELECT n INTO other FROM t") is not None


def test_no_two_collectors_have_one_name(tmp_path: Path) -> None:
    """Of two with one name only one would run: the other's figures would be missing without a word."""
    pushed = "pushed: {metrics: [{name: things_total, type: counter, help: Things.}]}\n"
    query = f"pushed: {{source: file, sql: SELECT 1 AS n, metrics: [{GAUGE}]}}"
    assert told(tmp_path, query, pushed) == ["has a collector pushed, as what is pushed has"]
    assert told(tmp_path, query) == []
    each = "a: {source: file, sql: 'SELECT :x AS n, :y', for_each: {x: ['1/2', '1'], y: ['3', '2/3']}, metrics: [%s]}"
    assert told(tmp_path, each % GAUGE) == ["has a collector a/1/2/3, as the query a has"]
    assert told(tmp_path, (each % GAUGE).replace("'1/2'", "'1_2'")) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("process_resident_memory_bytes", "process_resident_memory_bytes is taken"),
        ("process_open_fds", "process_open_fds is taken"),
        ("sla_exporter_series", "sla_exporter_series is taken"),
        ("sla_push_series", "sla_push_series is taken"),
        ("job:users:count", "job:users:count has a colon"),
        ("process_orders", ""),
    ],
)
def test_names_that_are_taken(tmp_path: Path, name: str, message: str) -> None:
    wrong = told(tmp_path, query(GAUGE.replace("name: users", f'name: "{name}"')))
    assert wrong == ([message] if message else [])


def test_what_the_process_publishes_is_taken(tmp_path: Path) -> None:
    for family in ProcessCollector(registry=None).collect():
        ending = "_total" if family.type == "counter" else ""
        metric = GAUGE.replace("users", family.name + ending, 1).replace("gauge", family.type)
        assert told(tmp_path, query(metric)) == [f"{family.name}{ending} is taken"]


def test_times_that_no_server_could_hold(tmp_path: Path) -> None:
    assert told(tmp_path, query(GAUGE, more="interval: 400d")) == ["must be at most a year"]
    assert told(tmp_path, query(GAUGE, more="timeout: 25d")) == ["must be at most a day"]
    assert told(tmp_path, query(GAUGE, more="timeout: 1d\n  interval: 30d")) == []
