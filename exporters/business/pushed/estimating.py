"""How many different ids there were, from a HyperLogLog that also knows when each of its registers was last raised.

A register of a HyperLogLog keeps the highest rank of the ids that fall to it. Here each register keeps, for every rank,
when it was last seen; the registers as of a window are then the highest ranks seen within it, for any window at once
(the idea of Sliding HyperLogLog, Chabchoub and Hébrail 2010). The estimate is Ertl's improved raw estimator ("New
cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6), which needs no tables of corrections.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

#: An id's hash.
HASH_BITS = 64
#: A cell is the register times 64, plus the rank.
RANK_BITS = 6


def precision_for(error_ratio: float) -> int:
    """The binary logarithm of how many registers keep the standard error, 1.04 / sqrt(registers), within
    ``error_ratio``; from 4 to 18."""
    return min(18, max(4, math.ceil(2 * math.log2(1.04 / error_ratio))))


def cell(hashed: int, precision: int) -> int:
    """The cell of an id by its hash of 64 bits: its first bits say the register, the place of the first 1 in the others
    the rank, from 1."""
    rest_bits = HASH_BITS - precision
    register = hashed >> rest_bits
    rest = hashed & ((1 << rest_bits) - 1)
    return register << RANK_BITS | min(rest_bits - rest.bit_length() + 1, (1 << RANK_BITS) - 1)


def estimate(registers_by_rank: Mapping[int, int], precision: int) -> float:
    """How many ids there were, where so many registers have each highest rank; those not counted have none."""
    registers = 1 << precision
    top = HASH_BITS - precision
    empty = registers - sum(registers_by_rank.values())
    if empty == registers:
        return 0.0
    total = registers * _tau(1 - registers_by_rank.get(top + 1, 0) / registers)
    for rank in range(top, 0, -1):
        total = 0.5 * (total + registers_by_rank.get(rank, 0))
    total += registers * _sigma(empty / registers)
    return registers * registers / (2 * math.log(2)) / total


def _sigma(share: float) -> float:
    """The part of empty registers: sum of x^(2^k) 2^(k-1), and x."""
    if share == 1.0:
        return math.inf
    factor, result = 1.0, share
    while True:
        share *= share
        before = result
        result += share * factor
        factor += factor
        if result == before:
            return result


def _tau(share: float) -> float:
    """The part of full registers."""
    if share in (0.0, 1.0):
        return 0.0
    factor, result = 1.0, 1.0 - share
    while True:
        share = math.sqrt(share)
        before = result
        factor *= 0.5
        result -= (1.0 - share) ** 2 * factor
        if result == before:
            return result / 3.0
