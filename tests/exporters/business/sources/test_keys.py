"""Names of keys with labels and times in them."""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.business.sources.keys import TemplateError, combinations, slots, template

VALUES = st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1, max_size=12)


@given(VALUES, VALUES, st.integers(0, 4_000_000_000))
@settings(deadline=None)
def test_labels_and_times_are_found_again_in_a_key(feature: str, plan: str, at: int) -> None:
    keys = template("active:{feature}:{%Y%m%d%H%M}:{plan}")
    key = keys.keys({"feature": feature, "plan": plan}, at)
    match = keys.expression().fullmatch(key)
    assert match is not None
    assert (match["l0"], match["l1"]) == (feature, plan)
    assert match["t0"] == time.strftime("%Y%m%d%H%M", time.gmtime(at))


def test_a_label_holds_no_separator() -> None:
    expression = template("active:{feature}").expression()
    assert expression.fullmatch("active:search")
    assert not expression.fullmatch("active:search:20260101")


def test_the_pattern_takes_text_as_it_is() -> None:
    assert template("a[1]*?\\:{x}").glob() == r"a\[1\]\*\?\\:*"
    assert fnmatchcase("users:pro", template("users:{plan}").glob())


def test_doubled_braces_are_braces() -> None:
    keys = template("{{shop}}:{plan}")
    assert keys.keys({"plan": "pro"}) == "{shop}:pro"
    assert keys.labels == ("plan",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("a:{%Y%m%d%H%M}", 60),
        ("a:{%Y-%m-%dT%H}", 3600),
        ("a:{%F}", 86400),
        ("a:{%Y%m}", 0),
        ("a:{%H:%M:%S}", 1),
        ("a", 0),
    ],
)
def test_the_finest_part_of_a_time_tells_how_long_a_slot_is(text: str, seconds: int) -> None:
    assert template(text).slot_seconds == seconds


@pytest.mark.parametrize("text", ["a{", "a}", "{}", "{1a}", "{a}{b}", "{a}:{a}", "{__a}", "{a b}"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        template(text)


@given(st.floats(1e6, 4e9), st.floats(1, 1e6), st.sampled_from([1, 60, 3600, 86400]))
@settings(deadline=None)
def test_slots_cover_the_window_and_less_than_one_more_on_each_side(now: float, window: float, slot: int) -> None:
    begins = slots(now, window, slot)
    assert begins[0] <= now - window < begins[0] + slot
    assert begins[-1] <= now < begins[-1] + slot
    assert [later - earlier for earlier, later in pairwise(begins)] == [slot] * (len(begins) - 1)


def test_combinations_are_every_choice() -> None:
    assert combinations({"a": ["1", "2"], "b": ["x"]}) == [{"a": "1", "b": "x"}, {"a": "2", "b": "x"}]
