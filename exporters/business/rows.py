"""From the rows of an answer to metrics: pure, row by row, so that an answer needs no more memory than its series."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from sla_kit.exporters.business.configuration import MetricOfRows
from sla_kit.exporters.business.sources import Row
from sla_kit.exporters.sidecar.collector import CollectError

#: The labels of a series, in the order of their names.
Key = tuple[tuple[str, str], ...]
_INFINITY = float("inf")
_ONCE = 1.0


def metrics(declared: Sequence[MetricOfRows], rows: Iterable[Row], fixed: Mapping[str, str]) -> list[Metric]:
    """What rows say as they are now. ``fixed`` are labels that all series have (the source, the value of a parameter).

    Raises `CollectError`: ``query`` where a column is missing, ``data`` where a value can't be published. It names the
    column and the type, never the value.
    """
    series: list[dict[Key, float]] = [{} for _ in declared]
    buckets: list[dict[Key, _Buckets]] = [{} for _ in declared]
    for row in rows:
        for index, each in enumerate(declared):
            for key, value, times in points(each, row, fixed):
                if each.type == "histogram":
                    counts = buckets[index].get(key) or buckets[index].setdefault(key, _Buckets(each.buckets))
                    counts.observe(value, times)
                elif key in series[index]:
                    raise _repeated(each, key)
                else:
                    series[index][key] = value
    found = []
    for index, each in enumerate(declared):
        if each.type == "histogram":
            for key in declared_keys(each, fixed, empty=not buckets[index]):
                buckets[index].setdefault(key, _Buckets(each.buckets))
            found.append(_histogram(each, buckets[index]))
            continue
        for key in declared_keys(each, fixed, empty=not series[index]):
            series[index].setdefault(key, 0.0)
        found.append(_family(each, series[index]))
    return found


def points(metric: MetricOfRows, row: Row, fixed: Mapping[str, str]) -> Iterator[tuple[Key, float, float]]:
    """What one row says of a metric: the labels, the value, and how many times that was observed."""
    labels = {**fixed, **metric.constant_labels}
    for column in metric.labels:
        labels[column] = _text(column, _column(row, column))
    if metric.type == "info":
        yield tuple(sorted(labels.items())), 1.0, _ONCE
        return
    times = _ONCE
    if metric.count:
        counted = _number(metric, metric.count, _column(row, metric.count), null="zero")
        times = _growing(metric.count, counted or 0.0)
        if not times:
            return
    for column in metric.values or (metric.value,):
        value = _number(metric, column, _column(row, column), metric.null)
        if value is None:
            continue
        if metric.type == "counter":
            _growing(column, value)
        elif metric.type == "histogram" and math.isnan(value):
            raise CollectError(
                "data", f"column {column} holds NaN, which is in no bucket", remedy="leave it out in SQL"
            )
        if metric.value_label:
            labels[metric.value_label] = column
        yield tuple(sorted(labels.items())), value, times


def declared_keys(metric: MetricOfRows, fixed: Mapping[str, str], *, empty: bool) -> Iterator[Key]:
    """The series that are there with 0 where no row has them; ``empty`` says that no row came."""
    labels = {**fixed, **metric.constant_labels}
    for each in metric.always:
        yield tuple(sorted({**labels, **each}.items()))
    if empty and metric.when_empty == "zero" and not metric.labels:
        for column in metric.values or (metric.value,):
            named = {metric.value_label: column} if metric.value_label else {}
            yield tuple(sorted({**labels, **named}.items()))


class Increments:
    """What rows add to counters, summed by series before it is stored.

    ``since`` is the watermark that was asked with, ``column`` the one that holds the rows' own; ``watermark`` is the
    newest of those. Raises `CollectError` (``data``) where a row would be counted twice or lost.
    """

    def __init__(
        self,
        declared: Sequence[MetricOfRows],
        fixed: Mapping[str, str],
        column: str,
        since: object,
        name: str = "since",
    ) -> None:
        self._declared = declared
        self._fixed = fixed
        self._column = column
        self._name = name
        self.watermark: object = since
        self._since = since
        #: Amounts by metric (of a histogram: its parts, see `stored`) and labels.
        self.amounts: dict[tuple[str, Key], float] = {}
        for each in declared:
            for key in declared_keys(each, fixed, empty=True):
                self._add(each, key, None, 0.0)

    def take(self, row: Row) -> None:
        """Adds what a row says."""
        newest = watermark(self._column, _column(row, self._column))
        newer = newest is not None and self._after(newest, self._since)
        for each in self._declared:
            for key, value, times in points(each, row, self._fixed):
                grows = times if each.type == "histogram" else value
                if grows and not newer:
                    raise CollectError(
                        "data",
                        f"a row's {self._column} is "
                        + ("NULL" if newest is None else "not newer than the watermark it was asked for")
                        + ", and it would be counted again",
                        remedy=f"ask only for rows after the parameter {self._name} (>, not >=)",
                    )
                self._add(each, key, value, times)
        if newer and self._after(newest, self.watermark):
            self.watermark = newest

    def beyond(self, totals: Callable[[str], Totals], most: int) -> set[tuple[str, Key]]:
        """The amounts whose series are not among the ``totals``, by their stored names, and would make a metric have
        more than ``most``: there is room for those that came first."""
        found: set[tuple[str, Key]] = set()
        for name in dict.fromkeys(each.name for each in self._declared):
            same = [each for each in self._declared if each.name == name]
            names = stored(same[0])
            sums = totals(names[-1])
            kept = {key for each in same for key in held(each, self._fixed, sums)}
            new = [key for stored_as, key in self.amounts if stored_as == names[-1] and key not in kept]
            if left_out := set(new[max(0, most - len(kept)) :]):
                found |= {at for at in self.amounts if at[0] in names and _series(same[0], at[1]) in left_out}
        return found

    def _after(self, one: object, other: object) -> bool:
        numbers = (int, float, Decimal)
        if type(one) is not type(other) and not (isinstance(one, numbers) and isinstance(other, numbers)):
            return True  # what counting began with is written as a text, such as a date
        try:
            return bool(one > other)  # type: ignore[operator]  # both numbers, times or texts, see `watermark`
        except TypeError:
            raise CollectError(
                "data", f"column {self._column} has times with a zone and without", remedy="cast it to timestamptz"
            ) from None

    def _add(self, metric: MetricOfRows, key: Key, value: float | None, times: float) -> None:
        if metric.type != "histogram":
            at = (metric.name, key)
            self.amounts[at] = self.amounts.get(at, 0.0) + (value or 0.0)
            return
        bounds = [*metric.buckets, _INFINITY]
        bound = bounds[bisect_left(bounds, value)] if value is not None else _INFINITY
        _growing(metric.value, value or 0.0)
        for at, amount in (
            (("_bucket", (*key, ("le", bound_text(bound)))), times),
            (("_sum", key), (value or 0.0) * times),
        ):
            name = (metric.name + at[0], at[1])
            self.amounts[name] = self.amounts.get(name, 0.0) + amount


#: The series of one stored name: labels and sum, as `sla_kit.exporters.sidecar.counters.Counters.totals` has them.
Totals = Sequence[tuple[Mapping[str, str], float]]


def stored(metric: MetricOfRows) -> tuple[str, ...]:
    """The names under which a metric's sums are stored: of a histogram its buckets (each on its own) and its sum."""
    return (f"{metric.name}_bucket", f"{metric.name}_sum") if metric.type == "histogram" else (metric.name,)


def held(metric: MetricOfRows, fixed: Mapping[str, str], totals: Totals) -> dict[Key, float]:
    """The series among the sums of one stored name that are the metric's now. Those with other labels than are declared
    now, or of another source or value, are none."""
    own = {**fixed, **metric.constant_labels}
    names = {*own, *metric.labels, *filter(None, [metric.value_label])}
    bound = {"le"} if metric.type == "histogram" else set()
    return {
        tuple(sorted(labels.items())): amount
        for labels, amount in totals
        if labels.keys() - bound == names and own.items() <= labels.items()
    }


def from_totals(metric: MetricOfRows, fixed: Mapping[str, str], totals: Mapping[str, Totals]) -> Metric:
    """A metric as its sums have it, by the names of `stored`; see `held` for whose series they are."""
    if metric.type != "histogram":
        return _family(metric, held(metric, fixed, totals[metric.name]))
    found: dict[Key, _Buckets] = {}
    for key, amount in held(metric, fixed, totals[f"{metric.name}_bucket"]).items():
        series = _series(metric, key)
        buckets = found.get(series) or found.setdefault(series, _Buckets(metric.buckets))
        buckets.put(float(dict(key)["le"]), amount)
    for key, amount in held(metric, fixed, totals[f"{metric.name}_sum"]).items():
        (found.get(key) or found.setdefault(key, _Buckets(metric.buckets))).sum = amount
    return _histogram(metric, found)


def _series(metric: MetricOfRows, key: Key) -> Key:
    """The series that something stored belongs to: a bucket of a histogram is a part of one."""
    return tuple(item for item in key if item[0] != "le") if metric.type == "histogram" else key


def bound_text(bound: float) -> str:
    """A bucket's upper bound as its label ``le``."""
    text: str = floatToGoString(bound)  # type: ignore[no-untyped-call]
    return text


class _Buckets:
    """How many observations there are by bucket, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = [*bounds, _INFINITY]
        self.counts = [0.0] * len(self.bounds)
        self.sum = 0.0

    def observe(self, value: float, times: float) -> None:
        self.put(value, times)
        self.sum += value * times

    def put(self, value: float, times: float) -> None:
        # A bound that is declared no longer falls into the next higher one: what is at most 3 is at most 5.
        self.counts[bisect_left(self.bounds, value)] += times

    def cumulative(self) -> list[tuple[str, float]]:
        total, found = 0.0, []
        for bound, count in zip(self.bounds, self.counts, strict=True):
            total += count
            found.append((bound_text(bound), total))
        return found


def _family(metric: MetricOfRows, series: Mapping[Key, float]) -> Metric:
    family: Metric
    if metric.type == "counter":
        family = CounterMetricFamily(metric.name, metric.help)
    elif metric.type == "info":
        family = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
    else:
        family = GaugeMetricFamily(metric.name, metric.help)
    family.samples = [Sample(metric.name, dict(key), value) for key, value in series.items()]
    return family


def _histogram(metric: MetricOfRows, series: Mapping[Key, _Buckets]) -> Metric:
    family = HistogramMetricFamily(metric.name, metric.help)
    for key, buckets in series.items():
        labels = dict(key)
        for bound, count in buckets.cumulative():
            family.samples.append(Sample(f"{metric.name}_bucket", {**labels, "le": bound}, count))
        family.samples.append(Sample(f"{metric.name}_count", labels, sum(buckets.counts)))
        family.samples.append(Sample(f"{metric.name}_sum", labels, buckets.sum))
    return family


def watermark(column: str, value: object) -> object:
    """A row's watermark as it is stored: an int, float, Decimal, datetime, text, or None. Raises `CollectError`."""
    if value is None or (isinstance(value, int | float | Decimal | datetime | str) and not isinstance(value, bool)):
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise CollectError("data", f"column {column} can't be a watermark: it is not finite")
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | bytes | list | dict | timedelta):
        raise CollectError(
            "data", f"column {column} can't be a watermark: it is {_called(value)}", remedy="take an id or a time"
        )
    return str(value)


def _column(row: Row, column: str) -> object:
    try:
        return row[column]
    except KeyError:
        there = ", ".join(sorted(row)[:20]) or "none"
        raise CollectError(
            "query", f"the answer has no column {column}; it has {there}", remedy=f"name it: … AS {column}"
        ) from None


def _number(metric: MetricOfRows, column: str, value: object, null: str) -> float | None:
    if value is None:
        return None if null == "skip" else 0.0 if null == "zero" else math.nan
    try:
        if isinstance(value, int | float | Decimal):  # a bool is an int
            number = float(value)
            if math.isinf(number) and isinstance(value, Decimal) and value.is_finite():
                raise OverflowError
            return number
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC).timestamp()
        if isinstance(value, timedelta):
            return value.total_seconds()
    except (OverflowError, ValueError):
        raise CollectError(
            "data", f"column {column} holds {_called(value)} that is too large for a metric", remedy="scale it"
        ) from None
    raise CollectError(
        "data",
        f"column {column} of {metric.name} is {_called(value)}, which is no number",
        remedy="cast it in the query; times are published as seconds since 1970",
    )


def _growing(column: str, value: float) -> float:
    if not 0 <= value < _INFINITY:
        what = "a negative number" if value < 0 else "no finite number"
        raise CollectError(
            "data",
            f"column {column} holds {what}, which no counter can",
            remedy="publish a gauge, or correct the query",
        )
    return value


def _text(column: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, bytes | bytearray | memoryview | list | tuple | dict):
        remedy = "cast it to text"
        if isinstance(value, bytes):
            remedy += "; where it is text, of a PostgreSQL in SQL_ASCII, say client_encoding=UTF8 (or LATIN1) in url"
        raise CollectError("data", f"column {column} is {_called(value)}, which is no label", remedy=remedy)
    return str(value)


def _repeated(metric: MetricOfRows, key: Key) -> CollectError:
    names = ", ".join(name for name, _ in key) or "none at all"
    return CollectError(
        "data",
        f"two rows have the same labels of {metric.name} ({names})",
        remedy="group by the label columns, or add the column that tells the rows apart",
    )


#: How types are called where they can't be published.
_CALLED: tuple[tuple[type, str], ...] = (
    (bool, "a bool"),
    (int, "an int"),
    (str, "text"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (list, "an array"),
    (dict, "JSON"),
    (timedelta, "an interval"),
)


def _called(value: object) -> str:
    return next((called for kind, called in _CALLED if isinstance(value, kind)), f"of type {type(value).__name__}")
