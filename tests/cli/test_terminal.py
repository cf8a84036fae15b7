"""What others wrote does nothing to a terminal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sla_kit.cli.terminal import visible, visible_json

HOSTILE = "\x1b[31m\x9b5m\x1b]0;title\x07\r\x08\u202eevil\u2066\u2028"


def test_no_order_is_left() -> None:
    assert visible(f"a{HOSTILE}\n\tb") == "a�[31m�5m�]0;title����evil��\n\tb"


def test_what_people_write_stays() -> None:
    text = "Größe\u00a0≥ 5 µs, 日本語, שלום, 👩‍🚒"
    assert visible(text) == visible_json(text) == text


@given(st.text() | st.just(HOSTILE))
def test_json_says_the_same_in_signs_that_can_be_seen(text: str) -> None:
    shown = visible_json(json.dumps({text: [text]}, ensure_ascii=False, indent=2))
    assert json.loads(shown) == {text: [text]}
    assert visible(shown) == shown
