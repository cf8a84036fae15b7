"""Cutting a range: every bucket asked for exactly once, whatever is too large on the way."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.sources.connection import QueryTooLargeError
from sla_kit.sources.fetching import MOST_POINTS, SAMPLES, fetch_pieces
from sla_kit.timeline import Grid


@dataclass(frozen=True)
class Answer:
    weight: int


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(0, 30_000),
    weights=st.lists(st.integers(0, 3000), min_size=1, max_size=4),
    limit=st.integers(100_000, 2_000_000),
    connections=st.integers(1, 4),
)
def test_every_bucket_is_answered_once(count: int, weights: list[int], limit: int, connections: int) -> None:
    grid = Grid(600, 60, count)
    lock, under_way, most = threading.Lock(), 0, 0

    def ask(expression: str, piece: Grid) -> Answer:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        try:
            assert 0 < piece.count <= MOST_POINTS
            if piece.count * weights[int(expression)] > limit:
                raise QueryTooLargeError("too much")
            return Answer(weights[int(expression)])
        finally:
            with lock:
                under_way -= 1

    seen: list[list[Grid]] = [[] for _ in weights]
    ended = []
    for index, piece, answer, last in fetch_pieces(ask, [str(n) for n in range(len(weights))], grid, connections):
        assert index not in ended
        if answer is not None:
            seen[index].append(piece)
        if last:
            ended.append(index)
    assert sorted(ended) == list(range(len(weights)))
    assert most <= connections
    for pieces in seen:
        pieces.sort(key=lambda piece: piece.start)
        assert sum(piece.count for piece in pieces) == count
        for before, after in pairwise(pieces):
            assert before.end == after.start


def test_pieces_grow_to_what_an_answer_may_hold() -> None:
    pieces = [piece for _, piece, _, _ in fetch_pieces(lambda _, __: Answer(100), ["e"], Grid(0, 60, 20_000), 1)]
    assert max(piece.count for piece in pieces[1:]) == SAMPLES // 100
    few = list(fetch_pieces(lambda _, __: Answer(1), ["e"], Grid(0, 60, 43_200), 1))
    assert len(few) <= 7


def test_a_single_bucket_that_is_too_large_is_an_error() -> None:
    def ask(expression: str, piece: Grid) -> Answer:
        raise QueryTooLargeError("too much")

    with pytest.raises(QueryTooLargeError):
        list(fetch_pieces(ask, ["e"], Grid(0, 60, 9), 3))


def test_an_error_ends_what_is_under_way() -> None:
    asked = 0

    def ask(expression: str, piece: Grid) -> Answer:
        nonlocal asked
        asked += 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(fetch_pieces(ask, [str(n) for n in range(50)], Grid(0, 60, 9), 1))
    assert asked < 5
