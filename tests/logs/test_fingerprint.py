"""Fingerprints: the same error has one key whatever its numbers are, and different errors have different ones."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sla_kit.logs.fingerprint import (
    LONGEST,
    NORMALISATIONS,
    REDACTIONS,
    fingerprint,
    normalised,
    redacted_message,
)

#: Pieces that the rules look for, so that texts made of them meet the rules' edges.
_PIECES = st.sampled_from(
    [
        *"'\"`<>:/\\.,;-_=@ 0159aAfFzE[]{}()+%?\n\t",
        *(
            "://",
            "http://x/y",
            "10.0.0.1",
            "::1",
            "2026-11-27T10:00:00Z",
            "12:30:45",
            "27/Nov/2026",
            "0x1f",
            "deadbeef12",
        ),
        *(
            "code ",
            "HTTP/1.1 ",
            "password=",
            "token: ",
            '"secret": "',
            "bob@example.com",
            "Bearer ",
            "eyJ",
            "cookie: a=b;",
        ),
        *(
            "4111 1111 1111 1111",
            "<number>",
            "<text>",
            "-7d9f8b6c5d-x2z9q",
            "/var/lib/x",
            "C:\\x",
            "don't",
            "…",
            "é",
            "١",
        ),
    ]
)
_TEXTS = st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=40).map("".join))


@given(_TEXTS)
@settings(max_examples=600, deadline=None)
@example("0E0.0")
@example("1'x'")
@example("1234567::E1")
@example('"' + "1 " * 900 + '"')
def test_normalising_twice_is_normalising_once(message: str) -> None:
    once = normalised(message)
    assert normalised(once) == once


@given(st.integers(1, LONGEST), _PIECES, st.text(max_size=5))
@settings(max_examples=150, deadline=None)
def test_long_messages_are_cut_to_something_that_stays(count: int, piece: str, end: str) -> None:
    once = normalised((piece + " ") * count + end)
    assert len(once) <= LONGEST
    assert normalised(once) == once


@given(_TEXTS)
@settings(max_examples=400, deadline=None)
def test_a_redacted_message_has_the_key_of_the_message_itself(message: str) -> None:
    assert redacted_message(redacted_message(message)) == redacted_message(message)
    assert normalised(redacted_message(message)) == normalised(message)
