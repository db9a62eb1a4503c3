"""
Old and very large results of tools by their short forms (shared/items/short.py), before a log is folded.

    all but the newest few   by their beginning
    of these, any of more than a quarter of the room   by beginning and end, as much as the quarter holds
    the running sums         of the short forms, so that anchors are as far apart as what is sent

The results that are whole become short ten at a time, so that the beginning of contexts stays what it was for as long:
of r results ever appended the newest 3 + (r - 3) mod 10 are whole. That, and the sums, follow from what the header says
and from the newest items, so a tail decides them as the whole log does.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import orjson

from shared.items.item import Item, read_extras
from shared.items.kinds import Kind
from shared.items.short import Short, saving, shortened

WHOLE_MIN, STEP_RESULTS = 3, 10

SHARE = 4
"""The part of the room that one result may take."""


class Shortening(NamedTuple):
    """Results before the seq *short_before* are shown by their beginning, others of more than *tokens_max* cut."""

    short_before: int
    tokens_max: int


def shortening_of(newest: Iterable[Item], results: int, room_tokens: int) -> Shortening:
    """
    Return how results are shown of a log into which *results* were ever appended. *newest*: its items, from the newest
    on; *room_tokens*: of the budget, what pinned items leave.
    """
    if results < WHOLE_MIN + STEP_RESULTS:  # None is short yet: nothing has to be looked through.
        return Shortening(0, room_tokens // SHARE)
    whole = WHOLE_MIN + (results - WHOLE_MIN) % STEP_RESULTS
    short_before = 0
    for item in newest:
        if item.kind == Kind.OUTPUT:
            whole -= 1
            if whole == 0:
                short_before = item.seq
                break
    return Shortening(short_before, room_tokens // SHARE)


def shown_short(
    items: Sequence[Item],
    stored: Sequence[Item],
    shortening: Shortening,
    saved_tokens: int,
    known: Mapping[int, Item],
) -> Sequence[Item]:
    """
    Return *items*, the newest of a log, as *shortening* has them shown; the same ones where none differs. *stored*: the
    same items as they are stored; *saved_tokens*: what the short forms save of all ever appended. *known*: items by seq
    that were made before.
    """
    made: list[Item] = []
    is_same = True
    for item, own in zip(reversed(items), reversed(stored), strict=True):
        saved_tokens -= saving(own)
        if item.shorts and (form := _form_of(item, shortening)) is not None:
            item = _shown(item, form, known.get(item.seq))
            is_same = False
        if saved_tokens and item.kind not in (Kind.SYSTEM, Kind.SUMMARY):
            item = item._replace(preceding_tokens=item.preceding_tokens - saved_tokens)
            is_same = False
        made.append(item)
    return items if is_same else made[::-1]


def _form_of(item: Item, shortening: Shortening) -> Short | None:
    """Return the form that *item* is shown in, None for all of it."""
    if item.seq < shortening.short_before:
        return item.shorts[0]
    if item.tokens <= shortening.tokens_max:
        return None
    fitting = [form for form in item.shorts if item.overhead_tokens + form.content_tokens <= shortening.tokens_max]
    return fitting[-1] if fitting else item.shorts[0]


def _shown(item: Item, form: Short, known: Item | None) -> Item:
    body, extras = item.body, item.extras
    if known is not None and known.left_out_tokens == form.left_out_tokens:
        body, extras = known.body, known.extras
    else:
        short, others = shortened(orjson.loads(body), read_extras(item), form)
        body, extras = orjson.dumps(short), orjson.dumps(others) if others else b""
    return item._replace(
        content_tokens=form.content_tokens,
        differences=form.differences,
        body=body,
        extras=extras,
        left_out_tokens=form.left_out_tokens,
    )
