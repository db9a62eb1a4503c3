"""
Where results are cut, and what their short forms count: found at append, in the one count of the batch.

    text -> places near 12, 15, 20, … characters from either end -> segments, counted one by one
         -> for each length of the LADDER the most that fits, with the marker

A place is one where nothing joins across it, neither the text's other side nor the marker's line (shared/tokens/cuts.py
has the rules, whose patterns take milliseconds to compile: these few are asked of single characters), so the segments
add up to the text's count, and to that of each form: nothing is counted twice.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple
from unicodedata import category

from shared.items.short import Short, marker

LADDER = tuple(48 << step for step in range(10))
"""
Tokens that a form may count, with its marker: the first by its beginning alone, the others by beginning and end. A text
has those that save a third of it.
"""

CHARS_MIN = 64
"""A shorter text has no short form."""

_STEP = 1.3
_NEAR_CHARS, _CHARS_MAX = 160, 8 * LADDER[-1]


class Cut(NamedTuple):
    """
    A text in *segments*. *begins* ascend, the first of *ends* is the farthest from the text's end: how many characters
    each possible beginning, and end, has. *marks*: the texts that are counted for the marker.
    """

    segments: list[str]
    begins: list[int]
    ends: list[int]
    marks: tuple[str, str, str]


def cut(text: str, item_id: str) -> Cut | None:
    """Return *text* where it may be cut, None where it has no place for it."""
    if len(text) < CHARS_MIN:
        return None
    half = len(text) // 2
    begins, ends = list[int](), list[int]()
    for chars in _lengths(min(half, _CHARS_MAX)):
        place = _last(text, chars, max(0, chars - _NEAR_CHARS), _may_begin_end)
        if place is not None and place > (begins[-1] if begins else 0):
            begins.append(place)
        place = _last(text, len(text) - chars + min(chars // 4, _NEAR_CHARS), len(text) - chars, _may_end_begin)
        if place is not None and (not ends or len(text) - place > ends[-1]) and place > half:
            ends.append(len(text) - place)
    if not begins:
        return None
    ends.reverse()
    places = [0, *begins, *(len(text) - each for each in ends), len(text)]
    segments = [text[start:end] for start, end in pairwise(places)]
    line = marker(0, item_id)
    return Cut(segments, begins, ends, (f"\n{line[:3]}", line[3:], f"{line[3:]}\n"))


def short_forms(found: Cut, tokens: Sequence[int], mark_tokens: Sequence[int], label_tokens: int) -> list[Short]:
    """
    Return the short forms of a text. *tokens*: of its segments; *mark_tokens*: of `found.marks`; *label_tokens*: what
    the item counts beside its text.
    """
    whole = sum(tokens)
    up_to = list(accumulate(tokens))
    begin_tokens = up_to[: len(found.begins)]
    # Shortest first, as the beginnings are.
    end_chars = found.ends[::-1]
    end_tokens = list(accumulate(reversed(tokens)))[: len(end_chars)]
    shorts: list[Short] = []
    for length in LADDER:
        if 3 * length > 2 * whole:
            break
        has_end = length > LADDER[0]
        # The number has one token for each three digits, and one for each comma; a 0 was counted in its place.
        line = mark_tokens[0] - 1 + _number_tokens(whole) + mark_tokens[2 if has_end else 1]
        room = length - line
        at = bisect_right(begin_tokens, room // 2 if has_end else room) - 1
        if at < 0:
            continue
        taken = begin_tokens[at]
        end = bisect_right(end_tokens, room - taken) - 1 if has_end else -1
        ended = end_tokens[end] if end >= 0 else 0
        left = whole - taken - ended
        line += _number_tokens(left) - _number_tokens(whole)
        if has_end and end < 0:
            line += mark_tokens[1] - mark_tokens[2]
        form = Short(found.begins[at], end_chars[end] if end >= 0 else 0, left, label_tokens + taken + line + ended)
        if not shorts or form.content_tokens > shorts[-1].content_tokens:
            shorts.append(form)
    return shorts


def _number_tokens(number: int) -> int:
    """Return what *number* counts as it is written, with commas."""
    return 2 * ((len(str(number)) + 2) // 3) - 1


def _lengths(chars_max: int) -> Iterator[int]:
    chars = 12.0
    while chars <= chars_max:
        yield int(chars)
        chars *= _STEP


def _last(text: str, start: int, stop: int, may_cut: Callable[[str, int], bool]) -> int | None:
    """Return the last place at or before *start*, and behind *stop*, where *text* may be cut."""
    return next((at for at in range(start, max(stop, 0), -1) if may_cut(text, at)), None)


def _may_begin_end(text: str, at: int) -> bool:
    """Tell whether a beginning may end *at* a place: behind a letter or a digit, before what does not go on with it."""
    before, behind = text[at - 1], text[at]
    if not (before.isalpha() or before in _DIGITS):
        return False
    return behind.isspace() or _is_point(behind) or _is_other_kind(before, behind)


def _may_end_begin(text: str, at: int) -> bool:
    """Tell whether an end may begin *at* a place."""
    before, behind = text[at - 1], text[at]
    if behind in " \t":  # A blank belongs to the word behind it.
        follows = text[at + 1 : at + 2]
        return not before.isspace() and bool(follows) and not follows.isspace()
    if behind.isspace() or behind == "/":
        return False
    if before in "\r\n":
        return True
    if not (before.isalpha() or before in _DIGITS):
        return False
    return _is_point(behind) or _is_other_kind(before, behind)


_DIGITS = "0123456789"


def _is_point(character: str) -> bool:
    """Tell whether a piece ends before *character*, punctuation that opens no contraction."""
    return character not in "'\u2019" and category(character)[0] == "P"


def _is_other_kind(before: str, behind: str) -> bool:
    return (before in _DIGITS and behind.isalpha()) or (before.isalpha() and behind in _DIGITS)
