"""Matchers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.errors import SlaKitError
from sla_kit.routing.alertmanager import parse_matchers, takes_everything, written
from sla_kit.selectors import Matcher

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)
MATCHERS = st.builds(Matcher, NAMES, st.sampled_from(["=", "!="]), st.text(max_size=30)) | st.builds(
    Matcher, NAMES, st.sampled_from(["=~", "!~"]), st.sampled_from([".+", "a|b", r"\d{1,3}\.x", '"', "", "(?i)x"])
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alertname=Down", [Matcher("alertname", "=", "Down")]),
        ('alertname="Disk fills, soon"', [Matcher("alertname", "=", "Disk fills, soon")]),
        ('{a="b",c=~"d|e",}', [Matcher("a", "=", "b"), Matcher("c", "=~", "d|e")]),
        ("a!=b , c!~d.*", [Matcher("a", "!=", "b"), Matcher("c", "!~", "d.*")]),
        (r'a="say \"x\"\n\\"', [Matcher("a", "=", 'say "x"\n\\')]),
        (r'a=~"\d+"', [Matcher("a", "=~", r"\d+")]),
        ("a=", [Matcher("a", "=", "")]),
        ('a="}"', [Matcher("a", "=", "}")]),
    ],
)
def test_alertmanagers_syntax_is_read(text: str, expected: list[Matcher]) -> None:
    assert parse_matchers(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no matcher"),
        ("{}", "no matcher"),
        ("Down", 'alertname="Down"'),
        ("a=b,", "after a comma"),
        ("a=b,,c=d", "is no matcher"),
        ('a="b', "does not end"),
        ('a="b"c', "after a quoted value"),
        ('a=b"c"', "without quotes"),
        ("1a=b", "is no matcher"),
        ("a==b,c", "is no matcher"),
        ('a=~"("', "no regular expression"),
        ('a=~"*"', "no regular expression"),
    ],
)
def test_what_is_none_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SlaKitError, match=words.replace("(", r"\(")) as caught:
        parse_matchers(text)
    assert caught.value.remedy


@given(st.lists(MATCHERS, min_size=1, max_size=4))
def test_what_is_written_is_read_back(matchers: list[Matcher]) -> None:
    assert parse_matchers(written(matchers)) == matchers
    assert parse_matchers("{" + written(matchers) + "}") == matchers


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_matchers(text)
    except SlaKitError:
        return
    assert found


@pytest.mark.parametrize(
    ("text", "everything"),
    [
        ('alertname=~".+"', True),
        ('alertname=~".*",service!=""', True),
        ('alertname!="Watchdog"', True),
        ('service!~"a|b"', True),
        ('alertname="Down"', False),
        ('alertname=~".+",service="api"', False),
        ('service=~"a|b"', False),
        ('service=~"(?i:API)"', False),
    ],
)
def test_who_means_nothing_in_particular_means_everything(text: str, everything: bool) -> None:
    assert takes_everything(parse_matchers(text)) is everything
