"""The format of a log is told by its first lines, and what is mixed or unknown is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs.access_formats import LogFormatError
from sla_kit.logs.guessing import guess

COMMON = '203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 2326'
COMBINED = COMMON + ' "-" "curl/8"'
JSON = '{"time":1714564801,"level":"info","msg":"m"}'
TEXT = "2024-05-01 12:00:01,123 ERROR boom"
TRACE = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "ValueError: x"]


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        ([COMMON], "common"),
        ([COMBINED], "combined"),
        ([COMBINED + " 0.001"], "nginx-time"),
        ([COMBINED + " 0.001 0.001"], "nginx-timed"),
        ([COMBINED + ' "-"'], "nginx-main"),
        (["shop.example:80 " + COMBINED], "vhost-combined"),
        ([JSON], "json"),
        ([TEXT], "text"),
        ([TEXT, *TRACE, *TRACE, *TRACE], "text"),
        (["", JSON, ""], "json"),
        ([COMBINED] * 9 + ["garbage"], "combined"),
        (['{"reason":"r","file":"f","line":1,"id":"i","text":"t","format":"json"}'], "dead-letters"),
        ([], "text"),
    ],
)
def test_formats(lines: list[str], form: str) -> None:
    assert guess(lines).format == form


@pytest.mark.parametrize(
    "lines", [[COMBINED, JSON], [JSON] * 3 + [COMBINED], [JSON] * 7 + [TEXT] * 3, [COMBINED] * 3 + [JSON, JSON]]
)
def test_mixed_lines_are_refused(lines: list[str]) -> None:
    with pytest.raises(LogFormatError, match=r"several formats|unknown"):
        guess(lines, "file")


@pytest.mark.parametrize("lines", [["nothing of the kind"], ["a,b,c", "1,2,3"], [COMBINED] + ["?"] * 9])
def test_unknown_lines_are_refused_with_what_to_do(lines: list[str]) -> None:
    with pytest.raises(LogFormatError, match="format") as caught:
        guess(lines, "file")
    assert "--format" in caught.value.remedy


@given(st.lists(st.text(max_size=40) | st.sampled_from([COMMON, COMBINED, JSON, TEXT]), max_size=10))
def test_no_lines_are_too_odd(lines: list[str]) -> None:
    with suppress(LogFormatError):
        guess(lines)
