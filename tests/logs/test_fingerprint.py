"""Fingerprints: the same error has one key whatever its numbers are, and different errors have different ones."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sla_kit.logs.fingerprint import LONGEST, fingerprint, frames, normalised, redacted_message

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


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Request failed with status code 404", "Request failed with status code 404"),
        ("HTTP 500 from https://x.y/z?a=1", "HTTP 500 from <url>"),
        ("user bob@example.com id 4711 not found", "user <email> id <number> not found"),
        ("can't open /var/lib/x.y: no such file", "can't open <path>: no such file"),
        ('open "C:\\x": denied', "open <text>: denied"),
        ("C:\\Users\\x\\y.txt missing", "<path> missing"),
        ("E11000 duplicate key, ORA-00942", "E11000 duplicate key, ORA-00942"),
        ("connect ECONNREFUSED 10.0.0.1:5432", "connect ECONNREFUSED <ip>"),
        ("fe80::1%eth0 and ::1 are down", "<ip> and <ip> are down"),
        ("pod web-7d9f8b6c5d-x2z9q is gone", "pod web-<pod> is gone"),
        ("[Errno 2] No such file: 'a b'", "[Errno 2] No such file: <text>"),
        ("card 4111 1111 1111 1111 refused", "card <number> refused"),
        ("at 2026-11-27T10:00:00.123Z took 5.2s, 1,234 rows", "at <time> took <number>s, <number> rows"),
        ("com.x.Foo@1a2b3c4d failed for req_8fh3kD93ksAA1", "com.x.Foo@<number> failed for req_<id>"),
        ("ids [1, 2, 3] and [4]", "ids [<number>] and [<number>]"),
        ("0xdeadbeef d41d8cd98f00b204e9800998ecf8427e", "<number> <number>"),
        ("don't do that, it isn't 'x y'", "don't do that, it isn't <text>"),
        ("9f1c8a52-0c1d-4f7e-9d62-1f6f2f4b8a11\n  of  user42", "<uuid> of user<number>"),
        ("read/write I/O and/or", "read/write I/O and/or"),
        ("total -86400, -1728000 and +1234567.5", "total <number> and <number>"),
        ("(-86400) (-1728000) exit code -1073741819", "(<number>) (<number>) exit code <number>"),
        ("10-20 1000000-2000000", "<number>-<number> <number>-<number>"),
    ],
)
def test_what_differs_from_one_time_to_the_next_is_a_placeholder(message: str, expected: str) -> None:
    assert normalised(message) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail bob.smith+x@mail.example.co.uk now", "mail <email> now"),
        ("GET /reset?mail=bob%40example.com&x=1", "GET /reset?mail=<email>&x=1"),
        ("Authorization: Bearer abc.def-ghi123", "Authorization: Bearer <token>"),
        ("authorization: basic\n dXNlcjpwYXNz", "authorization: basic\n<token>"),
        ("Basic authentication failed", "Basic authentication failed"),
        ("postgres://app:s3cret@db:5432/x", "postgres://<secret>@db:5432/x"),
        ("password=hunter2 user=bob", "password=<secret> user=bob"),
        ('{"api_key": "a\\"b c", "id": 1}', '{"api_key": "<secret>", "id": 1}'),
        ("token: expired", "token: expired"),
        ("token: 7f3a9c01 expired", "token: <secret> expired"),
        ("jwt eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl!", "jwt <token>!"),
        ("key AKIAIOSFODNN7EXAMPLE", "key <token>"),
        ("card 4111-1111-1111-1111, 378282246310005", "card <card>, <card>"),
        ("order 4111-1111-1111-1112", "order 4111-1111-1111-1112"),
        ("Cookie: sid=abc; theme=dark sent", "Cookie: <secret> sent"),
        ("lodash@4.17.21 at node@example", "lodash@4.17.21 at node@example"),
    ],
)
def test_secrets_are_shown_to_nobody(text: str, expected: str) -> None:
    assert redacted_message(text) == expected


def test_a_cut_leaves_no_part_of_a_secret_behind() -> None:
    text = "x" * 90 + " bob@example.com"
    assert "bob" not in redacted_message(text, 95)


def test_type_message_and_frames_make_the_key() -> None:
    stack = 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in place\n'
    found = fingerprint("OrderError", "order 17 failed", stack)
    assert found == fingerprint("OrderError", "order 18 failed", stack.replace("line 3", "line 4"))
    # SHA-256 of the three lines, by another program: printf 'OrderError\norder <number> failed\na.py:place' | sha256sum
    assert found.key == "226e7089b826706f"
    assert found.name == "OrderError: order <number> failed"
    others = {fingerprint("E", "order 17 failed", stack).key, fingerprint("OrderError", "order 17 lost", stack).key}
    assert found.key not in others | {fingerprint("OrderError", "order 17 failed").key}
    assert len(others) == 2


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "eyJ",
            "a@",
            "'",
            '"',
            "1",
            "1-",
            "/a",
            "password=",
            "x",
            " ",
            "://a:",
            "bearer ",
            "<a:",
            ":",
            "cookie: a=b;",
        ),
        *("at a (", "a.b.", '  File "', '"secret": "\\', "0:", "-----BEGIN PRIVATE KEY-----", "Jan ", "a-b", "\u201c"),
    ],
)
def test_a_long_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    # A pattern that looks back and forth would take hours for these: the test's own time-out tells.
    text = piece * (300_000 // len(piece))
    assert len(normalised(text)) <= LONGEST
    assert len(redacted_message(text, 300_000)) <= 300_000
    for head in (
        "goroutine 1 [running]:\n",
        "  at x.y(\n",
        "  at x (y:1:1)\n",
        "stack backtrace:\n",
        '  File "a", line 1\n',
    ):
        frames(head + text)
