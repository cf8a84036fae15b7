"""Decoding against json and float(): the same values to the last bit, whatever numbers and gaps there are."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sla_kit.sources.decode import decode_series, read_answer
from sla_kit.sources.numbers import PADDING, quoted_numbers
from sla_kit.timeline import Floats, Grid

START, STEP = 1_700_000_040, 60


def go_text(value: float) -> str:
    """A float as Prometheus writes it: the shortest digits, no exponent from 1e-6 to 1e21."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        text = np.format_float_positional(value, trim="-")
        return text.removesuffix(".")
    return repr(value)


def body_of(series: list[tuple[dict[str, str], dict[int, str]]], blanks: bool = False) -> bytes:
    result = [
        {"metric": labels, "values": [[START + STEP * (column + 1), text] for column, text in sorted(samples.items())]}
        for labels, samples in series
    ]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    return json.dumps(answer, separators=None if blanks else (",", ":")).encode()


def expected(series: list[tuple[dict[str, str], dict[int, str]]], count: int) -> Floats:
    values = np.full((len(series), count), np.nan)
    for row, (_, samples) in enumerate(series):
        for column, text in samples.items():
            if 0 <= column < count:
                values[row, column] = float(text)
    return values


def bits(values: Floats) -> list[int]:
    """Each value's bits; all NaNs alike."""
    flat = values.ravel().copy()
    flat[np.isnan(flat)] = np.nan
    return [int(bit) for bit in flat.view(np.uint64)]


NUMBERS = st.one_of(
    st.floats().map(go_text),
    st.floats(width=32).map(go_text),
    st.floats(min_value=-1e6, max_value=1e6).map(go_text),
    st.integers(min_value=-(2**53), max_value=2**53).map(str),
    st.integers(min_value=0, max_value=10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=12).map(lambda number: f"{number:f}"),
    st.sampled_from(["+Inf", "-Inf", "NaN", "-0", "0", "1e+21", "2.5e-7", "0.1", "9007199254740993", "1."]),
)
SAMPLES = st.dictionaries(st.integers(min_value=-3, max_value=14), NUMBERS, max_size=18)


@settings(max_examples=300, deadline=None)
@given(st.lists(SAMPLES, max_size=6), st.booleans())
@example([{column: str(column) for column in range(10)}] * 3, False)
@example([dict.fromkeys(range(10), "18446744073709551615")], False)
@example([{}, {0: "-0"}, {}], False)
def test_decoding_equals_json_and_float(samples: list[dict[int, str]], blanks: bool) -> None:
    series = [({"__name__": "m", "i": str(row)}, one) for row, one in enumerate(samples)]
    answer = read_answer(body_of(series, blanks))
    decoded = decode_series(answer.data.result, Grid(START, STEP, 10))
    assert [dict(labels) for labels in decoded.labels] == [labels for labels, _ in series]
    assert bits(decoded.values) == bits(expected(series, 10))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=2**64 - 1), min_size=1, max_size=60))
def test_floats_of_any_bits_are_exact(patterns: list[int]) -> None:
    floats = [struct.unpack("<d", struct.pack("<Q", pattern))[0] for pattern in patterns]
    texts = [go_text(value) for value in floats]
    found, _, _ = quoted_numbers(PADDING + ",".join(f'[1,"{text}"]' for text in texts).encode())
    assert bits(found) == bits(np.array([float(text) for text in texts]))


def test_seventeen_digits_are_rounded_once() -> None:
    # Many numbers that no float holds exactly, among them ones close to the middle between two floats.
    rng = np.random.default_rng(3)
    texts = [repr(value) for value in (rng.random(20_000) * 10.0 ** rng.integers(-4, 12, 20_000)).tolist()]
    texts += [f"{number}.{half}" for number in range(2**52, 2**52 + 500) for half in ("5", "25", "499", "501")]
    found, _, _ = quoted_numbers(PADDING + ",".join(f'[1,"{text}"]' for text in texts).encode())
    assert bits(found) == bits(np.array([float(text) for text in texts]))


@pytest.mark.parametrize("number", ["", "1,2", "1[2", "1..2", "1-2", "--1", "12:3", "x", "1.2.3", "1 2"])
def test_what_is_no_number_is_refused(number: str) -> None:
    answer = read_answer(body_of([({}, {0: number, 1: "1"})]))
    with pytest.raises(ValueError):
        decode_series(answer.data.result, Grid(START, STEP, 10))


@pytest.mark.parametrize("cut", [1, 20, 60, 100])
def test_a_body_that_was_cut_short_is_refused(cut: int) -> None:
    body = body_of([({"a": "b"}, {0: "1", 1: "2"})])
    with pytest.raises(ValueError):
        read_answer(body[:-cut])


def test_samples_between_the_ends_of_buckets_are_left_out() -> None:
    body = (
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[%d.5,"1"],[%d,"2"]]}]}}'
    )
    answer = read_answer(body % (START + 60, START + 120))
    values = decode_series(answer.data.result, Grid(START, STEP, 2)).values
    assert np.isnan(values[0, 0])
    assert values[0, 1] == 2


def test_warnings_and_partial_answers_are_kept() -> None:
    answer = read_answer(
        b'{"status":"success","isPartial":true,"data":{"resultType":"matrix","result":[]},'
        b'"warnings":["w"],"infos":["i"],"stats":{"more":1}}'
    )
    assert (answer.isPartial, answer.warnings, answer.infos) == (True, ["w"], ["i"])
    assert decode_series(answer.data.result, Grid(START, STEP, 2)).values.shape == (0, 2)
