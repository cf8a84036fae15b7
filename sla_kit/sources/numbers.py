"""Many decimal numbers from text to floats at once, each exactly as Python's ``float()`` reads it.

A call of ``float()`` per number costs more than fetching them. Here eight digits at a time are read as one 64-bit word
and turned into a number by three multiplications, for all numbers together in numpy. What that does not cover
(exponents, infinities, more than nineteen digits) is left to ``float()``, one by one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sla_kit.timeline import Floats, Ints, Mask

Words = npt.NDArray[np.uint64]

#: Must stand before the first number: words are read from before it.
PADDING = b"0" * 24
_QUOTE, _MINUS, _DOT = b'"-.'
#: Bytes that say something about a number: all but digits and the punctuation of JSON's arrays.
_TELLING = bytes(0 if chr(code) in "0123456789,[]" else 1 for code in range(256))
#: 10**19 is the highest power of ten in 64 bits.
_MOST_DIGITS = 19
_POWERS = np.array([10**power for power in range(_MOST_DIGITS + 1)], dtype=np.uint64)
_EXACT = np.uint64(2**53)
#: The 80-bit floats of x86 hold every 64-bit integer; elsewhere long doubles are something else, and not used.
_EXTENDED = np.finfo(np.longdouble).nmant == 63


def quoted_numbers(text: bytes) -> tuple[Floats, Ints, Ints]:
    """The numbers in double quotes of ``text``, and where their opening and closing quotes stand; three arrays (n,).

    ``text`` begins with `PADDING` and is otherwise made of JSON arrays of bare integers and quoted numbers. Raises
    ``ValueError`` for anything else.
    """
    marks = np.flatnonzero(np.frombuffer(text.translate(_TELLING), np.bool_))
    kinds = np.frombuffer(text, np.uint8)[marks]
    quotes = kinds == _QUOTE
    at = marks if quotes.all() else marks[quotes]
    if at.size % 2:
        raise ValueError("a number's quote is not closed")
    opens, closes = at[0::2], at[1::2]
    if at.size == marks.size and opens.size and int((closes - opens).max()) <= _MOST_DIGITS + 1:
        return digits(text, closes, closes - opens - 1).astype(np.float64), opens, closes
    before = np.cumsum(quotes)[~quotes]
    if (before % 2 == 0).any():
        raise ValueError("a timestamp is no whole number")
    return _decimals(text, opens, closes, marks[~quotes], kinds[~quotes], before // 2), opens, closes


def digits(text: bytes, ends: Ints, lengths: Ints) -> Words:
    """The whole numbers of 1 to 19 digits that end before ``ends`` in ``text``, shape of ``ends``.

    Raises ``ValueError`` where there is anything but digits.
    """
    if lengths.size and (int(lengths.min()) < 1 or int(lengths.max()) > _MOST_DIGITS):
        raise ValueError("a number is missing, or too long")
    # A word at every offset: it holds eight characters, the first in its lowest byte.
    words = np.ndarray((len(text) - 7,), np.dtype("<u8"), text, strides=(1,))
    number = _eight(words[ends - 8], lengths)
    longest = int(lengths.max(initial=0))
    for done in range(8, longest, 8):
        longer = np.flatnonzero(lengths > done)
        more = _eight(words[ends[longer] - done - 8], lengths[longer] - done)
        more *= _POWERS[done]
        number[longer] += more
    return number


def _eight(words: Words, lengths: Ints) -> Words:
    """The numbers that the last ``lengths`` (at most eight) characters of each word spell; reuses ``words``."""
    unused = ((8 - np.minimum(lengths, 8)) << 3).astype(np.uint64)
    words ^= np.uint64(0x3030303030303030)
    words >>= unused
    words <<= unused
    if (words & np.uint64(0xF0F0F0F0F0F0F0F0)).any():
        raise ValueError("a number holds something other than digits")
    # Neighbouring digits become pairs, pairs fours, fours the whole: 10 * first + second, in all lanes at once.
    for factor, shift, lanes in (
        (10 * 2**8 + 1, 8, 0x00FF00FF00FF00FF),
        (100 * 2**16 + 1, 16, 0x0000FFFF0000FFFF),
        (10000 * 2**32 + 1, 32, 0x00000000FFFFFFFF),
    ):
        words *= np.uint64(factor)
        words >>= np.uint64(shift)
        words &= np.uint64(lanes)
    return words


def _decimals(text: bytes, opens: Ints, closes: Ints, at: Ints, kinds: Words, owners: Ints) -> Floats:
    """Numbers with signs, points or anything else in them: ``at`` (m,) are the places of those characters,
    ``kinds`` what they are and ``owners`` the index of the number each is in."""
    negative, odd = np.zeros(opens.size, np.bool_), np.zeros(opens.size, np.bool_)
    signs = (kinds == _MINUS) & (at == opens[owners] + 1)
    negative[owners[signs]] = True
    starts = opens + 1 + negative
    points = kinds == _DOT
    odd[owners[~signs & ~points]] = True
    point = closes.copy()
    # Of several points in one number the last stays here, and the first then is no digit.
    point[owners[points]] = at[points]
    fraction = np.where(point < closes, closes - point - 1, 0)
    whole = point - starts
    has_fraction = np.zeros(opens.size, np.bool_)
    has_fraction[owners[points]] = True
    odd |= (whole < 1) | (whole > _MOST_DIGITS) | (has_fraction & (fraction < 1))
    leading = np.frombuffer(text, np.uint8)[np.minimum(starts, closes)] == ord("0")
    odd |= np.where((whole == 1) & leading, 0, whole) + fraction > _MOST_DIGITS
    # Two points in one number: caught by float().
    odd[owners[points][1:][owners[points][1:] == owners[points][:-1]]] = True

    values = np.empty(opens.size)
    plain = np.flatnonzero(~odd & ~has_fraction)
    values[plain] = digits(text, closes[plain], whole[plain])
    split = np.flatnonzero(~odd & has_fraction)
    if split.size:
        scale = _POWERS[fraction[split]]
        mantissa = digits(text, point[split], whole[split]) * scale + digits(text, closes[split], fraction[split])
        values[split], doubtful = _quotient(mantissa, scale)
        odd[split[doubtful]] = True
    np.negative(values, out=values, where=negative)
    for index in np.flatnonzero(odd):
        values[index] = float(text[opens[index] + 1 : closes[index]])
    return values


def _quotient(mantissa: Words, scale: Words) -> tuple[Floats, Mask]:
    """mantissa / scale rounded once to the nearest float, and where that is not certain."""
    result = mantissa / scale  # both exact up to 2**53: then the division rounds once (scale is at most 10**19)
    inexact = np.flatnonzero((mantissa > _EXACT) | (scale > _EXACT))
    doubtful = np.zeros(mantissa.size, np.bool_)
    if not inexact.size:
        return result, doubtful
    if not _EXTENDED:
        doubtful[inexact] = True
        return result, doubtful
    wide = mantissa[inexact].astype(np.longdouble) / scale[inexact].astype(np.longdouble)
    result[inexact] = wide
    # Rounding to 64 bits and then to 53 goes wrong only where the first fell on the very middle of the second.
    last_bits = wide.view(np.uint64)[::2] & np.uint64(0x7FF)
    doubtful[inexact[last_bits == 0x400]] = True
    return result, doubtful
