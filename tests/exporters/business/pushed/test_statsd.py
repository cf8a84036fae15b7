"""Datagrams of StatsD: whatever comes, nothing is raised; what is valid is read as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sla_kit.exporters.business.pushed.statsd import Sample, StatsdType, parse

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=":|\n\r\0"), min_size=1, max_size=20).filter(
    lambda name: not name.startswith(("_e{", "_sc"))
)
TAGS = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters=":|,\n\r\0#"), min_size=1, max_size=8),
    st.text(st.characters(codec="utf-8", exclude_characters="|,\n\r\0"), max_size=8),
    max_size=4,
)
MEMBERS = st.text(st.characters(codec="utf-8", exclude_characters="|\n\r\0"), min_size=1, max_size=20)
NUMBERS = st.floats(-1e12, 1e12).map(lambda number: number + 0.0)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    kind: StatsdType = draw(st.sampled_from(["c", "g", "ms", "h", "d", "s"]))
    tags = tuple(draw(TAGS).items())
    rate = draw(st.sampled_from([1.0, 0.5, 0.1, 0.001]))
    name = draw(NAMES)
    if kind == "s":
        return Sample(name, kind, member=draw(MEMBERS), rate=rate, tags=tags)
    if kind == "g":
        relative = draw(st.booleans())
        number = draw(NUMBERS) if relative else abs(draw(NUMBERS))
        return Sample(name, kind, (number,), relative=relative, rate=rate, tags=tags)
    return Sample(name, kind, tuple(draw(st.lists(NUMBERS, min_size=1, max_size=4))), rate=rate, tags=tags)


def written(sample: Sample) -> str:
    """A sample as a client sends it."""
    value = sample.member if sample.type == "s" else ":".join(map(repr, sample.numbers))
    if sample.relative and not value.startswith("-"):
        value = "+" + value
    text = f"{sample.name}:{value}|{sample.type}"
    if sample.rate != 1:
        text += f"|@{sample.rate}"
    if sample.tags:
        text += "|#" + ",".join(f"{name}:{tag}" for name, tag in sample.tags)
    return text


@given(st.lists(samples(), max_size=5))
@settings(deadline=None)
def test_what_was_written_is_read(sent: list[Sample]) -> None:
    assert list(parse("\n".join(map(written, sent)).encode())) == sent


@given(st.binary(max_size=200))
@example(b"a:1|c|@0\n\n:1|c\na:|c\na:1|\n|c\na:nan|g\na:1e999|c\na:1_0|c\n\xff:1|c\na:1|c|@nan\na:\xd9\xa1|c")
@settings(deadline=None)
def test_no_bytes_raise(datagram: bytes) -> None:
    for each in parse(datagram):
        assert isinstance(each, Sample) or each in ("malformed", "unsupported")


@given(samples(), st.integers(0, 60), st.binary(min_size=1, max_size=3))
@settings(deadline=None)
def test_no_damage_raises(sample: Sample, at: int, noise: bytes) -> None:
    text = written(sample).encode()
    list(parse(text[:at] + noise + text[at:]))


@pytest.mark.parametrize(
    "line",
    ["a", "a:", "a:1", "a:1|", ":1|c", "a:x|c", "a:1|c|@2", "a:1|c|@0", "a:inf|g", "a:nan|g", "a:1:x|h", "a:0x10|c",
     "a:1|c|?", "a:+1:2|g", "a:" + "1" * 70 + "|c", "a:1|C!", "a|b:1|c"],
)  # fmt: skip
def test_what_is_no_line_is_malformed(line: str) -> None:
    assert list(parse(line.encode())) == ["malformed"]


def test_extensions_of_dogstatsd() -> None:
    lines = [
        ("a:1:2.5|ms|#x:1,flag,y:b:c|c:ci-1234|T1656581400|e:abc|card:low", Sample("a", "ms", (1, 2.5))),
        ("a:u:1|s", Sample("a", "s", member="u:1")),
        ("_e{5,4}:title|text", "unsupported"),
        ("_sc|name|0", "unsupported"),
        ("a:1|kv", "unsupported"),
    ]
    found = list(parse("\r\n".join(line for line, _ in lines).encode()))
    assert isinstance(found[0], Sample)
    assert found[0].numbers == (1, 2.5)
    assert dict(found[0].tags) == {"x": "1", "flag": "true", "y": "b:c"}
    assert found[1:] == [wanted for _, wanted in lines[1:]]
