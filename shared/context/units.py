"""
Folds a conversation's live items into what a context keeps or drops together.

    items -> groups (runs of assistant-side items, or one other item), calls paired with their outputs
          -> units (a group with the outputs of its calls), in the order of their first items
          -> turns (a user message and all up to the next; a unit that spans turns joins them)

What can never be sent is set aside by position: orphan outputs, unanswered calls before the tail, dangling
reasoning. Nothing here is encoded or parsed.

A fold is for a format: its items count what that sends of them (`counted_for`), and its units what depends on the log
as well: which calls are sent with an alias, how many messages many calls need. Where no item differs between formats,
one fold serves them all (`serves`).

A fold grows with its log: what stands before the oldest group that new items touch is taken over, the rest folded
again. New items touch the group that they continue, those whose calls they answer or whose ids they take, and the last
one, when its calls stand unanswered. So the cost is that of the news, but for copies of lists, however long the log.

The head needs no field of its own: it is the system items before the first user message.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from shared.context.call_ids import call_id_of
from shared.context.format_rules import CHAT, OPENING_TOKENS, FormatRules, refused_by
from shared.context.groups import NO_PAIRS, NOBODY, PINNED, Pairs, groups, pair, run_start
from shared.context.unit import Unit, lone, made_unit, trimmed_tokens
from shared.items.item import Item
from shared.items.kinds import ASSISTANT_SIDE, Kind

_CALL, _OUTPUT, _REASONING, _USER = Kind.CALL, Kind.OUTPUT, Kind.REASONING, Kind.USER
_NEVER_LAST = PINNED | {_REASONING}
_SELF_CONTAINED = (ASSISTANT_SIDE | {_USER, Kind.OTHER}) - {_CALL, _REASONING}
_NEVER_ALONE = frozenset({_CALL, _REASONING})
_FIRST = attrgetter("first")
_DIFFERENCES, _CALL_IDS, _MEMBERS = attrgetter("differences"), attrgetter("call_ids"), attrgetter("members")


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

    *is_common*: no item differs between formats, and each call may have its own id in all of them. *ending_unit* is the
    last one of which something is sent, None where there is none, and *ending_tokens* what it counts less because it
    ends what is sent.
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
    rules: FormatRules = CHAT
    is_common: bool = True
    ending_unit: int | None = None
    ending_tokens: int = 0

    @property
    def opening_tokens(self) -> int:
        """What a message of the user counts that opens what is sent, where one has to and the log has none."""
        has_user = self.user_units or self.note is not None
        return OPENING_TOKENS if self.rules.opens_with_user and not has_user else 0

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


def fold(items: Sequence[Item], rules: FormatRules = CHAT) -> Folded:
    """Fold *items*, the live items of one conversation in log order, counted for the format of *rules*."""
    return extend(NOTHING._replace(rules=rules), items)


def counted_for(items: Sequence[Item], rules: FormatRules) -> Sequence[Item]:
    """Return *items* with the counts of what the format of *rules* sends of them; the same ones where none differs."""
    name = rules.name
    if not any(item.differences and name in item.differences for item in items):
        return items
    return [_counted_for(item, name) for item in items]


def _counted_for(item: Item, name: str) -> Item:
    if name not in item.differences:
        return item
    overhead_tokens, content_tokens = item.differences[name]
    return item._replace(overhead_tokens=overhead_tokens, content_tokens=content_tokens)


def serves(folded: Folded, rules: FormatRules) -> bool:
    """Tell whether *folded*, under these rules, is what folding anew for the format of *rules* would make."""
    if folded.rules is rules:
        return True
    has_pairs = bool(folded.pairs.newest_calls)
    return folded.is_common and not (has_pairs and rules.names_results != folded.rules.names_results)


def extend(before: Folded, items: Sequence[Item]) -> Folded:
    """Return the fold of *items*: those of *before*, which stays as it is, and all that was appended since."""
    known = len(before.items)
    if known == len(items):
        return before
    pairs = pair(before.pairs, items)
    last_sent = _last_sent(before, items, pairs)
    begin = run_start(items, _oldest_touched(before, items, pairs))
    taken = bisect_left(before.units, begin, key=_FIRST)
    sent = _sent_from(begin, before.units[:taken], before, items, pairs, last_sent)
    turns = _turns(before, taken, sent.units, items)
    ending_unit, ending_tokens = _ending(sent.units, items, before.rules)
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
        rules=before.rules,
        is_common=before.is_common and _is_common(news, sent.units[taken:], before.pairs, pairs),
        ending_unit=ending_unit,
        ending_tokens=ending_tokens,
    )


def _is_common(news: Sequence[Item], units: list[Unit], before: Pairs, pairs: Pairs) -> bool:
    if any(map(_DIFFERENCES, news)):
        return False
    if pairs.newest_calls is not before.newest_calls and any(map(refused_by, pairs.newest_calls)):
        return False
    return not any(map(_CALL_IDS, units)) and max(map(len, map(_MEMBERS, units)), default=0) <= CHAT.calls_max


def _ending(units: list[Unit], items: Sequence[Item], rules: FormatRules) -> tuple[int | None, int]:
    """Return the last unit of which something is sent, and what is saved where it ends what is sent."""
    if not rules.trims_the_end:
        return None, 0
    for index in range(len(units) - 1, -1, -1):
        if units[index].tokens:
            return index, trimmed_tokens([items[at] for at in units[index].members]) or 0
    return None, 0


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


def _oldest_touched(before: Folded, items: Sequence[Item], pairs: Pairs) -> int:
    """Return the first position at which *before*, that is older than *pairs* of *items*, may not hold any more."""
    touched = len(before.items)
    known = before.pairs.newest_calls
    if known and pairs.newest_calls is not known:
        ids = {call_id_of(item.pair_key) for item in items[touched:] if item.kind == _CALL}
        touched = min((known[call_id] for call_id in ids if call_id in known), default=touched)
    if before.pairs.open_calls:
        touched = min(touched, next((at for at in before.pairs.open_calls if pairs.partners[at] != NOBODY), touched))
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
        elif end == start + 1 and pairs.partners[start] != NOBODY:
            unit = made_unit(items, pairs, [start], before.rules)
        else:
            keep_unanswered = is_tail and _is_last_sent(items, pairs, end)
            waiting = _kept_open(items, pairs, start, end) if keep_unanswered else frozenset[int]()
            kept, unanswered, dangling = _sent(items, pairs, start, end, waiting)
            unanswered_calls += unanswered
            dangling_reasoning += dangling
            if not kept:
                continue
            unit = made_unit(items, pairs, kept, before.rules)
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


def _kept_open(items: Sequence[Item], pairs: Pairs, start: int, end: int) -> frozenset[int]:
    """
    Return the unanswered calls of the last group that are sent, as many as a message may have.

    Of a call that was stored twice one is answered: nobody would answer the other.
    """
    calls = [at for at in range(start, end) if items[at].kind == _CALL]
    answered = {items[at].pair_key for at in calls if pairs.partners[at] != NOBODY}
    waiting = [at for at in calls if pairs.partners[at] == NOBODY and items[at].pair_key not in answered]
    return frozenset(waiting[: CHAT.calls_max])


def _sent(
    items: Sequence[Item], pairs: Pairs, start: int, end: int, waiting: frozenset[int]
) -> tuple[list[int], list[int], list[int]]:
    """Split a group's positions: those that are sent, *waiting* calls too, unanswered calls, dangling reasoning."""
    kept: list[int] = []
    unanswered: list[int] = []
    dangling: list[int] = []
    follower_is_kept = False
    for at in range(end - 1, start - 1, -1):
        kind = items[at].kind
        if kind == _REASONING:
            (kept if follower_is_kept else dangling).append(at)
            continue
        follower_is_kept = kind != _CALL or pairs.partners[at] != NOBODY or at in waiting
        (kept if follower_is_kept else unanswered).append(at)
    return kept[::-1], unanswered[::-1], dangling[::-1]


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
