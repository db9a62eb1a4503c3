"""
Folds a conversation's live items into what a context keeps or drops together.

    items -> groups (runs of assistant-side items, or one other item), calls paired with their outputs
          -> units (a group with the outputs of its calls), in the order of their first items
          -> turns (a user message and all up to the next; a unit that spans turns joins them)

What can never be sent is set aside by position: orphan outputs, unanswered calls before the tail, dangling
reasoning. Nothing here is encoded or parsed.

A fold grows with its log: what stands before the oldest group that new items touch is taken over, the rest folded
again. New items touch the group that they continue, those whose calls they answer, and the last one, when its
calls stand unanswered. So the cost is that of the news, but for copies of lists, however long the log.

The head needs no field of its own: it is the system items before the first user message.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from shared.context.groups import NO_PAIRS, NOBODY, PINNED, Pairs, groups, pair, run_start
from shared.items.item import Item
from shared.items.kinds import ASSISTANT_SIDE, Kind

_CALL, _OUTPUT, _REASONING, _USER = Kind.CALL, Kind.OUTPUT, Kind.REASONING, Kind.USER
_NEVER_LAST = PINNED | {_REASONING}
_SELF_CONTAINED = (ASSISTANT_SIDE | {_USER, Kind.OTHER}) - {_CALL, _REASONING}
_NEVER_ALONE = frozenset({_CALL, _REASONING})
_FIRST = attrgetter("first")


class Unit(NamedTuple):
    """
    What is kept or dropped together, by positions in the folded items.

    *members*: the group's items in log order, then the outputs of its calls in the order of the calls, as
    providers demand; without what can never be sent. *last* is the largest of them.

    *tokens* counts them as messages. Of the items as they are, so that choosing need not go through them:
    *stored_tokens* and *hosted_tokens* are their sums; *is_text*: they are one message of one text; *mentions*: one of
    them mentions a document.
    """

    first: int
    last: int
    tokens: int
    members: tuple[int, ...]
    stored_tokens: int
    hosted_tokens: int
    is_text: bool
    mentions: bool


class Folded(NamedTuple):
    """
    A conversation, ready for choosing. All sequences of positions are ascending. Folds share what they hold: none is
    ever changed. Where there is a number for each unit they are arrays, which are copied without a look at each.

    *note* is the summary, None without one; it belongs to no unit. *system_tokens* are those of the system items
    and the note: what is always paid for.

    *token_sums[k]* counts the first k units; *reaches[k]* is the largest position in units 0 to k. *turn_units[t]* is
    the first unit of turn t; turn 0 may lack a user message (`leading_turns` is then 1). *turn_weights[t]*: the tokens
    ever appended before turn t. *user_units* are the units that are user messages; *last_unit* holds *last_sent*, the
    last item that is sent, None when there is no unit.
    """

    items: Sequence[Item]
    systems: list[int]
    note: int | None
    system_tokens: int
    units: list[Unit]
    token_sums: array[int]
    reaches: array[int]
    user_units: array[int]
    last_sent: int | None
    last_unit: int | None
    turn_units: array[int]
    turn_weights: array[int]
    leading_turns: int
    pairs: Pairs
    unanswered_calls: list[int]
    dangling_reasoning: list[int]
    stored_tokens: int

    @property
    def orphan_outputs(self) -> list[int]:
        return self.pairs.orphan_outputs


_NONE = array("q")

NOTHING = Folded((), [], None, 0, [], array("q", [0]), _NONE, _NONE, None, None, _NONE, _NONE, 0, NO_PAIRS, [], [], 0)
"""The fold of an empty log, from which every other one grows."""


class _Sent(NamedTuple):
    """Units, which of them holds the last item that is sent, and the positions that can never be sent."""

    units: list[Unit]
    last_unit: int | None
    unanswered_calls: list[int]
    dangling_reasoning: list[int]


class _Turns(NamedTuple):
    """What Folded says of units by turn, and up to each unit."""

    token_sums: array[int]
    reaches: array[int]
    user_units: array[int]
    turn_units: array[int]
    turn_weights: array[int]


def fold(items: Sequence[Item]) -> Folded:
    """Fold *items*, the live items of one conversation in log order."""
    return extend(NOTHING, items)


def extend(before: Folded, items: Sequence[Item]) -> Folded:
    """Return the fold of *items*: those of *before*, which stays as it is, and all that was appended since."""
    known = len(before.items)
    if known == len(items):
        return before
    pairs = pair(before.pairs, items)
    last_sent = _last_sent(before, items, pairs)
    begin = run_start(items, _oldest_touched(before, pairs))
    taken = bisect_left(before.units, begin, key=_FIRST)
    sent = _sent_from(begin, before.units[:taken], before, items, pairs, last_sent)
    turns = _turns(before, taken, sent.units, items)
    news = items[known:]
    pinned = [at for at, item in enumerate(news, start=known) if item.kind in PINNED]
    return Folded(
        items=items,
        systems=[*before.systems, *(at for at in pinned if items[at].kind == Kind.SYSTEM)],
        note=_first_note(before, items, pinned),
        system_tokens=before.system_tokens + sum(items[at].overhead_tokens + items[at].content_tokens for at in pinned),
        units=sent.units,
        token_sums=turns.token_sums,
        reaches=turns.reaches,
        user_units=turns.user_units,
        last_sent=last_sent,
        last_unit=sent.last_unit,
        turn_units=turns.turn_units,
        turn_weights=turns.turn_weights,
        leading_turns=_leading_turns(turns.turn_units, turns.user_units),
        pairs=pairs,
        unanswered_calls=sent.unanswered_calls,
        dangling_reasoning=sent.dangling_reasoning,
        stored_tokens=before.stored_tokens + sum(item.overhead_tokens + item.content_tokens for item in news),
    )


def first_unit_that_fits(folded: Folded, room_tokens: int) -> int:
    """Return the first unit from which on all fit; more than there are when *room_tokens* are less than none."""
    return bisect_left(folded.token_sums, folded.token_sums[-1] - room_tokens)


def _first_note(before: Folded, items: Sequence[Item], pinned: list[int]) -> int | None:
    return next((at for at in pinned if items[at].kind == Kind.SUMMARY), None) if before.note is None else before.note


def _last_sent(before: Folded, items: Sequence[Item], pairs: Pairs) -> int | None:
    """Return the last item which is sent, pinned ones aside."""
    for at in range(len(items) - 1, len(before.items) - 1, -1):
        kind = items[at].kind
        # Reasoning met here has nothing behind it: it dangles.
        if kind not in _NEVER_LAST and (kind != _OUTPUT or pairs.partners[at] != NOBODY):
            return at
    return before.last_sent


def _oldest_touched(before: Folded, pairs: Pairs) -> int:
    """Return the first position at which *before*, that is older than *pairs*, may not hold any more."""
    touched = len(before.items)
    if before.pairs.open_calls:
        touched = next((at for at in before.pairs.open_calls if pairs.partners[at] != NOBODY), touched)
        if before.last_unit is not None:
            first = before.units[before.last_unit].first
            if before.pairs.open_calls[-1] >= first:  # They were kept because it was the last.
                touched = min(touched, first)
    return touched


def _sent_from(
    begin: int, units: list[Unit], before: Folded, items: Sequence[Item], pairs: Pairs, last_sent: int | None
) -> _Sent:
    """Add the groups from position *begin* on to *units*, which are all before it."""
    unanswered_calls = _up_to(before.unanswered_calls, begin)
    dangling_reasoning = _up_to(before.dangling_reasoning, begin)
    tail = last_sent  # A position in the group that holds it.
    if tail is not None and items[tail].kind == _OUTPUT:
        tail = pairs.partners[tail]
    last_unit = before.last_unit if tail is not None and tail < begin else None
    for start, end in groups(items, begin):
        is_tail = tail is not None and start <= tail < end
        if end == start + 1 and items[start].kind not in _NEVER_ALONE:
            item = items[start]
            unit = lone(start, item, item.overhead_tokens + item.content_tokens)
        else:
            keep_unanswered = is_tail and _is_last_sent(items, pairs, end)
            kept, unanswered, dangling = _sent(items, pairs, start, end, keep_unanswered=keep_unanswered)
            unanswered_calls += unanswered
            dangling_reasoning += dangling
            if not kept:
                continue
            unit = _unit(items, pairs, kept)
        if is_tail:
            last_unit = len(units)
        units.append(unit)
    return _Sent(units, last_unit, unanswered_calls, dangling_reasoning)


def _is_last_sent(items: Sequence[Item], pairs: Pairs, end: int) -> bool:
    """
    Tell whether no group from *end* on is sent, so that the tail group's unanswered calls really stand at the tail.

    The tail group may begin before others: a late output can be the last item.
    """
    return not any(
        items[at].kind in _SELF_CONTAINED or (items[at].kind == _CALL and pairs.partners[at] != NOBODY)
        for at in range(end, len(items))
    )


def _sent(
    items: Sequence[Item], pairs: Pairs, start: int, end: int, *, keep_unanswered: bool
) -> tuple[list[int], list[int], list[int]]:
    """Split the positions of a group: those that are sent, unanswered calls, dangling reasoning."""
    kept: list[int] = []
    unanswered: list[int] = []
    dangling: list[int] = []
    follower_is_kept = False
    for at in range(end - 1, start - 1, -1):
        kind = items[at].kind
        if kind == _REASONING:
            (kept if follower_is_kept else dangling).append(at)
            continue
        follower_is_kept = kind != _CALL or pairs.partners[at] != NOBODY or keep_unanswered
        (kept if follower_is_kept else unanswered).append(at)
    return kept[::-1], unanswered[::-1], dangling[::-1]


def _unit(items: Sequence[Item], pairs: Pairs, group: list[int]) -> Unit:
    """Make a unit of a group's sent positions. The group is one chat message, each output another."""
    outputs = [output for at in group if (output := pairs.partners[at]) != NOBODY]
    members = (*group, *outputs)
    head, answers = [items[at] for at in group], [items[at] for at in outputs]
    overhead_tokens = [item.overhead_tokens for item in head]
    answers_tokens = sum([item.overhead_tokens + item.content_tokens for item in answers])
    content_tokens = answers_tokens + sum([item.content_tokens for item in head])
    return Unit(
        first=group[0],
        last=max(members),
        tokens=max(overhead_tokens) + content_tokens,
        members=members,
        stored_tokens=sum(overhead_tokens) + content_tokens,
        hosted_tokens=sum([item.hosted_tokens for item in (*head, *answers)]),
        is_text=len(members) == 1 and head[0].is_text,
        mentions=any(item.documents for item in (*head, *answers)),
    )


def lone(at: int, item: Item, tokens: int) -> Unit:
    """Return the *item* at a position as a unit of its own, of *tokens* as a message."""
    stored_tokens = item.overhead_tokens + item.content_tokens
    return Unit(at, at, tokens, (at,), stored_tokens, item.hosted_tokens, item.is_text, bool(item.documents))


def _turns(before: Folded, taken: int, units: list[Unit], items: Sequence[Item]) -> _Turns:
    """Cut *units* into turns, the first *taken* of them as before: a turn is not reached into by an earlier unit."""
    sums, reaches = before.token_sums[: taken + 1], before.reaches[:taken]
    user_units, turn_units = _up_to(before.user_units, taken), _up_to(before.turn_units, taken)
    weights = before.turn_weights[: len(turn_units)]
    tokens, reach = sums[-1], reaches[-1] if reaches else NOBODY
    for index in range(taken, len(units)):
        unit = units[index]
        is_user = items[unit.first].kind == _USER
        if is_user:
            user_units.append(index)
        if index == 0 or (is_user and reach < unit.first):
            turn_units.append(index)
            weights.append(items[unit.first].preceding_tokens)
        tokens += unit.tokens
        reach = max(reach, unit.last)
        sums.append(tokens)
        reaches.append(reach)
    return _Turns(sums, reaches, user_units, turn_units, weights)


def _leading_turns(turn_units: Sequence[int], user_units: Sequence[int]) -> int:
    """Return 1 when the first turn lacks a user message although the log has one: it is never sent then."""
    return int(len(turn_units) > 1 and user_units[0] >= turn_units[1])


def _up_to[T: (list[int], array[int])](positions: T, end: int) -> T:
    """Return those of *positions*, which ascend, that are less than *end*."""
    return positions[: bisect_left(positions, end)]
