"""Reading OpenMetrics text: what it says is what is read, and what is broken is refused at its line."""

from __future__ import annotations

import gzip
import itertools
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sla_kit.errors import SourceError
from sla_kit.history import History, Series, openmetrics
from tests.history.samples import generated
from tests.history.strategies import contents, histories

SAME_FOLDER = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
T = 1_790_000_000


def read(path: Path, text: str | bytes) -> History:
    file = path / "history.om"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return openmetrics.read(file)


def refusal(path: Path, text: str | bytes) -> SourceError:
    with pytest.raises(SourceError) as raised:
        read(path, text)
    assert raised.value.remedy
    return raised.value


def read_or_refused(path: Path, text: bytes) -> History:
    """The history, an empty one where it was refused by an error that says where; any other error escapes."""
    try:
        return read(path, text)
    except SourceError as error:
        if not error.place.startswith(str(path)):
            raise AssertionError(f"no place in {error}") from error
        return History(())


@SAME_FOLDER
@example(history=History([Series("x", (), np.array([0]), np.array([-0.0]))]), name="a.om")
@given(history=histories(), name=st.sampled_from(["a.om", "a.om.gz"]))
def test_what_is_written_is_read_to_the_last_bit(tmp_path: Path, history: History, name: str) -> None:
    openmetrics.write(history, tmp_path / name, {"requests": "counter"})
    assert contents(openmetrics.read(tmp_path / name)) == contents(history)


@SAME_FOLDER
@given(text=st.binary(max_size=200))
@example(text=b"x 1 1\n# EOF")
@example(text=b"x{ 1 1\n# EOF\n")
@example(text=b"{} 1 1\n# EOF\n")
@example(text=b'x "1""2" 3\n# EOF\n')
@example(text=b"x 1\x0b2 3\n# EOF\n")
@example(text=b"\x1f\x8b nonsense")
def test_any_bytes_are_a_history_or_a_source_error(tmp_path: Path, text: bytes) -> None:
    found = read_or_refused(tmp_path, text)
    assert all(one.times.size == one.values.size for one in found.series)


WORDS = rb"""x x{ {"x" a="b" } , 1 1790000000 NaN +Inf 1e3 1_0 " \ # - .""".split()
LINES = [b"x 1 2\n", b"\n", b"\r\n", b"# EOF\n", b' # {a="b"} 1', b" ", b"  ", b"\t", b"\xff", b"\x00"]
PIECES = st.sampled_from([*WORDS, *LINES])


@SAME_FOLDER
@given(text=st.lists(PIECES, max_size=14).map(b"".join))
def test_any_pieces_of_the_format_are_a_history_or_a_source_error(tmp_path: Path, text: bytes) -> None:
    found = read_or_refused(tmp_path, text + b"\n# EOF\n")
    assert all(one.metric and one.times.size for one in found.series)


def line_by_line(text: str) -> dict[str, list[tuple[int, float]]]:
    samples: dict[str, list[tuple[int, float]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            head, value, at = line.split(" # ")[0].rsplit(" ", 2)
            samples.setdefault(head, []).append((round(float(at) * 1000), float(value)))
    return {head: sorted(found) for head, found in samples.items()}


@SAME_FOLDER
@given(seed=st.integers(0, 10**6), lines=st.integers(1, 200), runs=st.integers(1, 60))
def test_runs_of_any_length_are_read_as_line_by_line(tmp_path: Path, seed: int, lines: int, runs: int) -> None:
    chosen = random.Random(seed)
    heads = ["x", "xx", 'x{a="x 1"}', 'x{a="x 1",b="c"}', "x_total"]
    written: list[str] = []
    at = T
    while len(written) < lines:
        head = chosen.choice(heads)
        for _ in range(chosen.randint(1, runs)):
            at += chosen.randint(1, 20)
            value = chosen.choice(["1", "17.25", "-3", "1e-7", "0.1", "12345678901234567890", "+Inf"])
            extra = chosen.choice(["", "", "", ' # {id="x 1 2"} 5 1790000000.5'])
            written.append(f"{head} {value} {at}{chosen.choice(['', '.5', '.007'])}{extra}")
        if chosen.random() < 0.2:
            written.append("# HELP x what")
    text = "\n".join([*written, "# EOF", ""])
    expected = line_by_line(text)
    found = read(tmp_path, text)
    assert len(found) == len(expected)
    texts = {(): ""} | {(("a", "x 1"),): '{a="x 1"}', (("a", "x 1"), ("b", "c")): '{a="x 1",b="c"}'}
    for one in found.series:
        samples = list(zip(one.times.tolist(), one.values.tolist(), strict=True))
        assert samples == expected[one.metric + texts[one.labels]]


def test_blocks_are_joined_without_seams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = generated()
    openmetrics.write(history, tmp_path / "a.om", {"requests": "counter"})
    monkeypatch.setattr(openmetrics, "_BLOCK", 777)
    assert contents(openmetrics.read(tmp_path / "a.om")) == contents(history)


@pytest.mark.parametrize("value", ["NaN", "nan", "+Inf", "-Inf", "Inf", "-0", "1e300", "5e-324", "0.1", "0x", "1_0"])
def test_values_are_those_of_the_format(tmp_path: Path, value: str) -> None:
    text = f"x {value} {T}\n# EOF\n"
    if value in ("0x", "1_0"):
        assert f"{value!r} is no number" in str(refusal(tmp_path, text))
        return
    found = read(tmp_path, text).series[0].values[0]
    assert math.isnan(found) if value.lower() == "nan" else float(found).hex() == float(value).hex()


def test_times_are_read_to_the_millisecond(tmp_path: Path) -> None:
    times = [T * 1000 + ms for ms in (1, 7, 10, 100, 123, 999)]
    text = "".join(f"x 1 {ms // 1000}.{ms % 1000:03d}\n" for ms in times)
    assert read(tmp_path, text + "# EOF\n").series[0].times.tolist() == times


def test_quoted_names_exemplars_and_carriage_returns_are_read(tmp_path: Path) -> None:
    text = (
        "# TYPE x counter\r\n"
        f'{{"http.requests",code="200"}} 5 {T}\r\n'
        f'{{"http.requests","the.code"="200"}} 6 {T}\r\n'
        f'x_total{{a="# {{}} 1 2"}} 7 {T} # {{trace="a b"}} 1 {T}\r\n'
        f'x_total{{a="# {{}} 1 2"}} 8 {T + 1} # {{trace="c d"}} 1 {T}\r\n'
        "\r\n"
        "# EOF\r\n"
    )
    assert contents(read(tmp_path, text)) == {
        ("http.requests", (("code", "200"),)): [(T * 1000, (5.0).hex())],
        ("http.requests", (("the.code", "200"),)): [(T * 1000, (6.0).hex())],
        ("x_total", (("a", "# {} 1 2"),)): [(T * 1000, (7.0).hex()), ((T + 1) * 1000, (8.0).hex())],
    }


def test_tabs_and_several_spaces_separate_too(tmp_path: Path) -> None:
    found = read(tmp_path, f"x  1\t{T}\nx\t2   {T + 1} \nx 3 {T + 2}\n# EOF\n")
    assert found.series[0].values.tolist() == [1.0, 2.0, 3.0]


def test_label_order_does_not_make_another_series(tmp_path: Path) -> None:
    text = f'x{{a="1",b="2"}} 1 {T}\nx{{b="2",a="1"}} 2 {T + 1}\n# EOF\n'
    assert [one.values.tolist() for one in read(tmp_path, text).series] == [[1.0, 2.0]]


def test_times_that_run_backwards_are_sorted_and_found(tmp_path: Path) -> None:
    found = read(tmp_path, f"x 3 {T + 2}\nx 1 {T}\nx 2 {T + 1}\nx 4 {T + 2}\n# EOF\n")
    assert found.series[0].values.tolist() == [1.0, 2.0, 4.0]  # of two samples at one time the later line counts
    assert [finding.kind for finding in found.findings] == ["clock-backwards"]


GOOD = "".join(f"x 1 {T + second}\n" for second in range(40))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("x 1", "has no time"),
        ("x 1 2 3", "no value and time"),
        ("x", "no sample"),
        (f"x a {T}", "'a' is no number"),
        ("x 1 a", "'a' is no number"),
        (f"x 1 {T * 1000}", "not in seconds"),
        ("x 1 NaN", "not in seconds"),
        (f'x 1 {T} "', "no value and time"),
        (f'x{{a="b" c="d"}} 1 {T}', "labels can't be read"),
        (f"x{{a=b}} 1 {T}", "labels can't be read"),
        (f'x{{a="b}} 1 {T}', "no sample"),
        (f"{{}} 1 {T}", "no name"),
        (f'{{a="b"}} 1 {T}', "no name"),
        (f"0x 1 {T}", "no sample"),
        (f'x{{a="b",c="d",a="e"}} 1 {T}', "the label 'a' twice"),
    ],
)
@pytest.mark.parametrize("comment", ["", "# HELP x of x\n"])
def test_a_wrong_line_is_named(tmp_path: Path, wrong: str, said: str, comment: str) -> None:
    error = refusal(tmp_path, f"# TYPE x gauge\n{GOOD}{comment}{wrong}\n{GOOD}# EOF\n")
    assert said in error.message
    assert error.place == f"{tmp_path / 'history.om'}:{42 + bool(comment)}"


@pytest.mark.parametrize("labels", [b'{a="\xff"}', b'{"\xff"="b"}', b'{"\xff"}'])
def test_bytes_that_are_no_text_do_not_make_one_series_of_several(tmp_path: Path, labels: bytes) -> None:
    name = b"" if labels == b'{"\xff"}' else b"x"
    lines = [name + labels.replace(b"\xff", byte) + b" 1 %d\n" % T for byte in (b"\xff", b"\xfe")]
    error = refusal(tmp_path, GOOD.encode() + b"".join(lines) + b"# EOF\n")
    assert "no UTF-8" in error.message
    assert error.place.endswith(":41")


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(["x 5", f"x 5 6 {T}"])))
def test_a_missing_time_is_not_made_up_by_a_line_with_three_numbers(tmp_path: Path, first: str, second: str) -> None:
    error = refusal(tmp_path, f"{GOOD}{first}\n{GOOD}{second}\n{GOOD}# EOF\n")
    assert error.place.endswith(":41")


def test_a_wrong_line_is_named_in_a_later_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmetrics, "_BLOCK", 100)
    assert refusal(tmp_path, f"{GOOD}x 1\n{GOOD}# EOF\n").place.endswith(":41")


@pytest.mark.parametrize("text", ["", GOOD, GOOD[:-3], "# TYPE x gauge\n", f"{GOOD}# EO"])
def test_a_recording_without_its_end_is_refused(tmp_path: Path, text: str) -> None:
    assert "cut short" in refusal(tmp_path, text).message


def test_samples_after_the_end_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, f"x 1 {T}\n# EOF\n\nx 2 {T + 1}\n")
    assert "after # EOF" in error.message
    assert error.place.endswith(":4")


@pytest.mark.parametrize("cut", [1, 5, 20, 60, -1, -9])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, cut: int) -> None:
    packed = gzip.compress(f"{GOOD}# EOF\n".encode())
    assert refusal(tmp_path, packed[:cut]).place.startswith(str(tmp_path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        openmetrics.read(tmp_path / "nothing.om")


def test_a_recording_in_order_of_time_is_read_nearly_as_fast(tmp_path: Path) -> None:
    lines = [f'x_total{{instance="{i}",job="api"}} {7 * s} {T + 15 * s}\n' for i in range(50) for s in range(1000)]
    by_time = [lines[1000 * instance + second] for second in range(1000) for instance in range(50)]
    paths = [tmp_path / "by_series.om", tmp_path / "by_time.om"]
    for path, text in zip(paths, (lines, by_time), strict=True):
        path.write_text("".join(text) + "# EOF\n")
    least = [float("inf")] * 2
    for _ in range(20):  # by turns, until nothing else that the machine does shows any more
        for place, path in enumerate(paths):
            begun = time.process_time()
            openmetrics.read(path)
            least[place] = min(least[place], time.process_time() - begun)
        if least[1] < 10 * least[0]:
            break
    assert least[1] < 10 * least[0]
    assert contents(openmetrics.read(paths[0])) == contents(openmetrics.read(paths[1]))


def test_a_family_stands_together_with_its_type(tmp_path: Path) -> None:
    openmetrics.write(generated(), tmp_path / "a.om", {"requests": "counter", "seconds": "histogram"})
    types = [line for line in (tmp_path / "a.om").read_text().splitlines() if line.startswith("#")]
    assert types == [
        "# TYPE limit gauge",
        "# TYPE requests counter",
        "# TYPE seconds histogram",
        "# TYPE temperature gauge",
        "# EOF",
    ]


def test_a_history_of_nothing_is_written_and_read(tmp_path: Path) -> None:
    openmetrics.write(History(()), tmp_path / "a.om", {})
    assert len(openmetrics.read(tmp_path / "a.om")) == 0
    assert openmetrics.read(tmp_path / "a.om").span() is None


def test_numbers_of_many_digits_are_exact(tmp_path: Path) -> None:
    drawn = np.random.default_rng(5).random(3000) * 10.0 ** np.random.default_rng(6).integers(-30, 30, 3000)
    text = "".join(f"x {value!r} {T + second}\n" for second, value in enumerate(drawn.tolist()))
    assert read(tmp_path, text + "# EOF\n").series[0].values.tolist() == drawn.tolist()
