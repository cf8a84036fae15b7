"""Basic authentication: right, at one price for all, and cheap for who asks again."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine
from typing import Any, TypeVar

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.serving import authenticating
from sla_kit.serving.authenticating import BusyError, Users, credentials

Result = TypeVar("Result")


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that were computed with, one an attempt."""
    seen: list[bytes] = []
    real = authenticating._matches

    def counted(password: bytes, against: bytes) -> bool:
        seen.append(against)
        return real(password, against)

    monkeypatch.setattr(authenticating, "_matches", counted)
    return seen


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


LONG = "x" * 80


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (basic("alice", "pass:word"), True),
        (basic("alice", "pass:word").replace("Basic", "bAsIc"), True),
        (basic("alice", "wrong"), False),
        (basic("alice", ""), False),
        (basic("alice", "pass\0word"), False),
        (basic("nobody", "pass:word"), False),
        (basic("jörg", "größe"), True),
        (basic("long", LONG), True),
        ("", False),
        ("Basic", False),
        ("Basic !!!", False),
        ("Basic " + base64.b64encode(b"alice").decode(), False),
        ("Bearer " + base64.b64encode(b"alice:pass:word").decode(), False),
    ],
)
def test_who_is_admitted(header: str, good: bool) -> None:
    users = Users([("alice", hashed("pass:word")), ("jörg", hashed("größe")), ("long", hashed(LONG))])
    assert run(users.admits(header)) is good
    users.close()


def test_a_user_that_there_is_not_costs_what_others_cost(computed: list[bytes]) -> None:
    users = Users([("alice", hashed("a")), ("bob", bcrypt.hashpw(b"b", bcrypt.gensalt(6)).decode())])
    assert not run(users.admits(basic("nobody", "x")))
    [against] = computed
    assert against.startswith(b"$2b$06$")
    bcrypt.checkpw(b"x", against)  # it is one that can be computed with
    users.close()


def test_asking_again_costs_no_hash_whether_good_or_bad(computed: list[bytes]) -> None:
    users = Users([("alice", hashed("a"))])

    async def often() -> None:
        for _ in range(5):
            assert await users.admits(basic("alice", "a"))
            assert not await users.admits(basic("alice", "b"))
            assert not await users.admits(basic("nobody", "a"))

    run(often())
    assert len(computed) == 3
    users.close()


def test_guessing_does_not_drive_out_who_was_admitted(computed: list[bytes]) -> None:
    users = Users([("alice", hashed("a"))])

    async def guess() -> None:
        assert await users.admits(basic("alice", "a"))
        for number in range(150):
            assert not await users.admits(basic("alice", str(number)))
        before = len(computed)
        assert await users.admits(basic("alice", "a"))
        assert len(computed) == before

    run(guess())
    users.close()


def test_many_guesses_at_a_time_are_turned_away_and_good_ones_are_not() -> None:
    users = Users([("alice", hashed("a"))])

    async def crowd() -> None:
        assert await users.admits(basic("alice", "a"))
        guesses = [asyncio.create_task(users.admits(basic("alice", str(number)))) for number in range(200)]
        await asyncio.sleep(0)
        assert await users.admits(basic("alice", "a"))
        ends = await asyncio.gather(*guesses, return_exceptions=True)
        assert not any(end is True for end in ends)
        assert any(isinstance(end, BusyError) for end in ends)

    run(crowd())
    users.close()


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters=":"), max_size=20), st.text(
    alphabet=st.characters(codec="utf-8"), max_size=20))  # fmt: skip
def test_credentials_read_back(name: str, password: str) -> None:
    assert credentials(basic(name, password)) == (name.encode(), password.encode())


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_no_header_is_too_odd(header: str) -> None:
    credentials(header)
    credentials(f"Basic {header}")
