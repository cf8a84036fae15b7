"""Rows to metrics: every type of a value, NULLs, empty answers, histograms, increments; and labels that come back."""

from __future__ import annotations

import math
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from sla_kit.exporters.business.configuration import MetricOfRows
from sla_kit.exporters.business.rows import Increments, from_totals, metrics, stored
from sla_kit.exporters.sidecar.collector import CollectError
from sla_kit.exporters.sidecar.rendering import Format, rendered


def gauge(**more: Any) -> MetricOfRows:
    return MetricOfRows(**{"name": "users", "type": "gauge", "help": "Users.", "value": "n", **more})


def samples(
    declared: MetricOfRows, rows: Sequence[Mapping[str, object]], **fixed: str
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    (family,) = metrics([declared], rows, fixed)
    return {(each.name, frozenset(each.labels.items())): each.value for each in family.samples}


def one(value: object, **more: Any) -> float:
    (found,) = samples(gauge(**more), [{"n": value}]).values()
    return found


def failure(declared: MetricOfRows, *rows: Mapping[str, object]) -> CollectError:
    with pytest.raises(CollectError) as caught:
        metrics([declared], rows, {})
    return caught.value


@pytest.mark.parametrize(
    ("value", "published"),
    [
        (3, 3.0),
        (2.5, 2.5),
        (Decimal("12.30"), 12.3),
        (True, 1.0),
        (False, 0.0),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), 1709208000.0),
        (datetime(2024, 2, 29, 14, tzinfo=timezone(timedelta(hours=2))), 1709208000.0),
        (datetime(2024, 2, 29, 12), 1709208000.0),  # no zone is UTC
        (date(2024, 2, 29), 1709164800.0),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (-1, -1.0),
        (float("inf"), float("inf")),
    ],
)
def test_values_of_every_type_are_published_as_numbers(value: object, published: float) -> None:
    assert one(value) == published


@pytest.mark.parametrize("value", ["12", b"1", [1], {"a": 1}, uuid.UUID(int=1), object()])
def test_what_is_no_number_is_an_error_that_names_column_and_type_but_no_value(value: object) -> None:
    error = failure(gauge(labels=["who"]), {"n": value, "who": "somebody's name"})
    assert error.kind == "data"
    assert "column n of users" in error.message
    assert "somebody" not in str(error)
    assert str(value) not in error.message.replace("column n", "") or value in ("12", b"1")
    assert "12" not in error.message


def test_a_number_too_large_is_an_error() -> None:
    assert failure(gauge(), {"n": 10**400}).kind == "data"


def test_null_is_no_series_or_zero_or_nan_as_declared() -> None:
    rows: list[dict[str, object]] = [{"n": None, "plan": "free"}, {"n": 2, "plan": "pro"}]
    free, pro = frozenset({("plan", "free")}), frozenset({("plan", "pro")})
    assert samples(gauge(labels=["plan"]), rows) == {("users", pro): 2.0}
    assert samples(gauge(labels=["plan"], null="zero"), rows) == {("users", free): 0.0, ("users", pro): 2.0}
    assert math.isnan(samples(gauge(labels=["plan"], null="nan"), rows)["users", free])


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        (7.0, "7"),
        (0.1, "0.1"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2024-01-01T00:00:00+00:00"),
        (date(2024, 1, 1), "2024-01-01"),
    ],
)
def test_labels_of_every_type_have_one_text(value: object, label: str) -> None:
    assert samples(gauge(labels=["plan"]), [{"n": 1, "plan": value}]) == {("users", frozenset({("plan", label)})): 1.0}


def test_no_rows_publish_nothing_unless_declared_otherwise() -> None:
    assert samples(gauge(), []) == {}
    assert samples(gauge(when_empty="zero"), [], window="5m") == {("users", frozenset({("window", "5m")})): 0.0}
    declared = gauge(labels=["plan"], always=[{"plan": "free"}, {"plan": "pro"}])
    rows = [{"n": 4, "plan": "pro"}]
    assert samples(declared, rows) == {
        ("users", frozenset({("plan", "pro")})): 4.0,
        ("users", frozenset({("plan", "free")})): 0.0,
    }


def test_columns_are_series_of_one_metric_by_their_names() -> None:
    declared = gauge(value="", values=["ok", "failed"], value_label="outcome", constant_labels={"shop": "eu"})
    assert samples(declared, [{"ok": 5, "failed": None}]) == {
        ("users", frozenset({("outcome", "ok"), ("shop", "eu")})): 5.0
    }


def test_rows_with_the_same_labels_are_an_error() -> None:
    error = failure(gauge(labels=["plan"]), {"n": 1, "plan": "secret"}, {"n": 2, "plan": "secret"})
    assert (error.kind, error.message) == ("data", "two rows have the same labels of users (plan)")


def test_a_missing_column_is_an_error_that_says_which_there_are() -> None:
    error = failure(gauge(), {"m": 1, "o": 2})
    assert (error.kind, error.message) == ("query", "the answer has no column n; it has m, o")


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_counter_is_no_negative_or_infinite_number(value: float) -> None:
    assert failure(gauge(name="users_total", type="counter"), {"n": value}).kind == "data"


def test_an_info_has_its_columns_as_labels() -> None:
    (family,) = metrics([MetricOfRows(name="app_info", type="info", help="App.", labels=["v"])], [{"v": "2.1"}], {})
    assert b'app_info{v="2.1"} 1.0' in rendered(family, Format.TEXT).lines
    assert b'app_info{v="2.1"} 1.0' in rendered(family, Format.OPENMETRICS).lines


LABELS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=12), min_size=3, max_size=3)


@settings(deadline=None)
@given(st.lists(st.tuples(LABELS, st.floats(allow_nan=False)), max_size=8, unique_by=lambda row: str(row[0])))
def test_labels_come_back_as_they_were_from_both_forms_of_text(rows: list[tuple[dict[str, str], float]]) -> None:
    declared = gauge(labels=["a", "b", "c"])
    (family,) = metrics([declared], [{**labels, "n": value} for labels, value in rows], {"source": 'x"\\\n'})
    want = Counter((frozenset({**labels, "source": 'x"\\\n'}.items()), value) for labels, value in rows)
    for form, parse in ((Format.TEXT, plain), (Format.OPENMETRICS, openmetrics)):
        chunk = rendered(family, form)
        text = (chunk.header + chunk.lines + form.end).decode()
        got = [sample for parsed in parse(text) for sample in parsed.samples]
        assert Counter((frozenset(sample.labels.items()), sample.value) for sample in got) == want


OBSERVED = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 40).map(lambda n: n / 4), st.integers(0, 5)), max_size=40
)
BOUNDS = st.lists(st.integers(0, 40).map(lambda n: n / 4), min_size=1, max_size=6, unique=True).map(sorted)


def expected(observed: list[tuple[str, float, int]], bounds: list[float]) -> dict[tuple[str, str, str], float]:
    """A histogram's samples by counting anew for each bucket."""
    by_label: dict[str, list[float]] = defaultdict(list)
    for label, value, times in observed:
        by_label[label] += [value] * times
    found: dict[tuple[str, str, str], float] = {}
    for label, values in by_label.items():
        if values:
            for bound in bounds:
                found["h_bucket", label, str(bound)] = sum(value <= bound for value in values)
            found["h_bucket", label, "+Inf"] = found["h_count", label, ""] = len(values)
            found["h_sum", label, ""] = sum(values)
    return found


def histogram(bounds: list[float]) -> MetricOfRows:
    return MetricOfRows(name="h", type="histogram", help="H.", value="v", count="n", labels=["who"], buckets=bounds)


def observed_samples(family: Any) -> dict[tuple[str, str, str], float]:
    return {(each.name, each.labels["who"], each.labels.get("le", "")): each.value for each in family.samples}


@settings(deadline=None)
@given(OBSERVED, BOUNDS)
def test_a_histogram_counts_rows_into_their_buckets(
    observed: list[tuple[str, float, int]], bounds: list[float]
) -> None:
    rows = [{"who": label, "v": value, "n": times} for label, value, times in observed]
    (family,) = metrics([histogram(bounds)], rows, {})
    assert observed_samples(family) == expected(observed, bounds)


@settings(deadline=None)
@given(st.lists(OBSERVED, max_size=4), BOUNDS)
def test_increments_of_a_histogram_add_up_to_the_whole(
    batches: list[list[tuple[str, float, int]]], bounds: list[float]
) -> None:
    declared, sums = histogram(bounds), dict[tuple[str, Any], float]()
    for number, batch in enumerate(batches):
        found = Increments([declared], {}, "id", number)
        for label, value, times in batch:
            found.take({"who": label, "v": value, "n": times, "id": number + 1})
        assert found.watermark == (number + 1 if batch else number)
        for at, amount in found.amounts.items():
            sums[at] = sums.get(at, 0.0) + amount
    totals = {
        name: [(dict(key), amount) for (part, key), amount in sums.items() if part == name] for name in stored(declared)
    }
    every = [observation for batch in batches for observation in batch]
    assert observed_samples(from_totals(declared, {}, totals)) == expected(every, bounds)


def test_buckets_declared_anew_hold_what_was_counted() -> None:
    totals = {"h_bucket": [({"who": "x", "le": "3.0"}, 4.0), ({"who": "x", "le": "+Inf"}, 1.0)], "h_sum": []}
    family = from_totals(histogram([1.0, 5.0]), {}, totals)
    assert observed_samples(family) == {
        ("h_bucket", "x", "1.0"): 0,
        ("h_bucket", "x", "5.0"): 4,
        ("h_bucket", "x", "+Inf"): 5,
        ("h_count", "x", ""): 5,
        ("h_sum", "x", ""): 0,
    }


def counter(**more: Any) -> MetricOfRows:
    return MetricOfRows(**{"name": "n_total", "type": "counter", "help": "N.", "value": "n", **more})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"n": 1, "at": 5}, "not newer than the watermark"),
        ({"n": 1, "at": 4}, "not newer than the watermark"),
        ({"n": 1, "at": 4.5}, "not newer than the watermark"),
        ({"n": 1, "at": Decimal(5)}, "not newer than the watermark"),
        ({"n": 1, "at": None}, "is NULL"),
        ({"n": -1, "at": 6}, "a negative number"),
        ({"n": 1, "at": True}, "can't be a watermark"),
        ({"n": 1, "at": float("nan")}, "is not finite"),
    ],
)
def test_increments_that_would_count_twice_are_errors(row: dict[str, object], said: str) -> None:
    with pytest.raises(CollectError) as caught:
        Increments([counter()], {}, "at", 5).take(row)
    assert caught.value.kind == "data"
    assert said in caught.value.message


def test_times_with_a_zone_and_without_are_not_compared() -> None:
    found = Increments([counter()], {}, "at", datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(CollectError, match="with a zone and without"):
        found.take({"n": 1, "at": datetime(2026, 1, 2)})


def test_a_sum_over_nothing_moves_no_watermark() -> None:
    found = Increments([counter()], {}, "at", 5)
    found.take({"n": 0, "at": None})
    assert found.watermark == 5
    assert found.amounts == {("n_total", ()): 0.0}


def test_totals_with_other_labels_than_are_declared_are_left_alone() -> None:
    declared = counter(labels=["plan"])
    totals = {"n_total": [({"plan": "a", "shop": "eu"}, 1.0), ({"plan": "a", "shop": "us"}, 2.0), ({"plan": "a"}, 9.0)]}
    family = from_totals(declared, {"shop": "eu"}, totals)
    assert [(each.labels, each.value) for each in family.samples] == [({"plan": "a", "shop": "eu"}, 1.0)]


@pytest.mark.parametrize("number", [Decimal("1e600"), Decimal("-1e400"), 10**400])
def test_a_number_that_is_too_large_is_no_infinity(number: object) -> None:
    told = failure(gauge(), {"n": number})
    assert told.kind == "data"
    assert "too large" in told.message
    assert one(Decimal("Infinity")) == math.inf
