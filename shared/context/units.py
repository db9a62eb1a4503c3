"""
Folds a conversation's live items into what a context keeps or drops together.

    items -> groups (runs of assistant-side items, or one other item), calls paired with their outputs
          -> units (a group with the outputs of its calls), in the order of their first items
          -> turns (a user message and all up to the next; a unit that spans turns joins them)

What can never be sent is set aside by position: orphan outputs, unanswered calls before the tail, dangling
reasoning. Nothing here is encoded or parsed; the cost is linear in the items. All but the last pass looks
only backwards, so what precedes the oldest group that new items touch stays valid as the log grows.

The head needs no field of its own: it is the system items before the first user message.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from shared.items.item import Item
from shared.items.kinds import ASSISTANT_SIDE, Kind

_SELF_CONTAINED = frozenset({Kind.USER, Kind.OTHER, Kind.ASSISTANT, Kind.HOSTED})
_PINNED = frozenset({Kind.SYSTEM, Kind.SUMMARY})
_IN_NO_GROUP = _PINNED | {Kind.OUTPUT}
_NEVER_LAST = _PINNED | {Kind.REASONING}


class Unit(NamedTuple):
    """
    What is kept or dropped together, by positions in the folded items.

    *members*: the group's items in log order, then the outputs of its calls in the order of the calls, as
    providers demand; without what can never be sent. *last* is the largest of them.
    """

    first: int
    last: int
    tokens: int
    members: tuple[int, ...]


class Folded(NamedTuple):
    """
    A conversation, ready for choosing. All lists of positions are ascending.

    *note* is the summary, None without one; it belongs to no unit. *system_tokens* are those of the system items
    and the note: what is always paid for.

    *token_sums[k]* counts the first k units. *turn_units[t]* is the first unit of turn t; turn 0 may lack a
    user message (`leading_turns` is then 1). *turn_weights[t]*: the tokens ever appended before turn t.
    *user_units* are the units that are user messages; *last_unit* holds the last item that is sent, None
    when there is no unit.
    """

    items: Sequence[Item]
    systems: list[int]
    note: int | None
    system_tokens: int
    units: list[Unit]
    token_sums: list[int]
    user_units: list[int]
    last_unit: int | None
    turn_units: list[int]
    turn_weights: list[int]
    leading_turns: int
    orphan_outputs: list[int]
    unanswered_calls: list[int]
    dangling_reasoning: list[int]
    stored_tokens: int


class _Scan(NamedTuple):
    """
    The first pass: *groups* as (start, end) ranges of positions, *answers* from call to its output; *pinned* are
    the system items and the note.
    """

    groups: list[tuple[int, int]]
    pinned: list[int]
    systems: list[int]
    note: int | None
    answers: dict[int, int]
    orphan_outputs: list[int]


def fold(items: Sequence[Item]) -> Folded:
    """Fold *items*, the live items of one conversation in log order."""
    scan = _scan(items)
    units: list[Unit] = []
    unanswered_calls: list[int] = []
    dangling_reasoning: list[int] = []
    tail = _tail_group(items, scan)
    open_tail = tail if tail is not None and _is_last_sent(items, scan, tail) else None
    last_unit = None
    for index, (start, end) in enumerate(scan.groups):
        if end == start + 1 and items[start].kind not in (Kind.CALL, Kind.REASONING):
            item = items[start]
            unit = Unit(start, start, item.overhead_tokens + item.content_tokens, (start,))
        else:
            kept, unanswered, dangling = _sent(items, scan, start, end, keep_unanswered=index == open_tail)
            unanswered_calls += unanswered
            dangling_reasoning += dangling
            if not kept:
                continue
            unit = _unit(items, scan.answers, kept)
        if index == tail:
            last_unit = len(units)
        units.append(unit)

    user_units = [index for index, unit in enumerate(units) if items[unit.first].kind == Kind.USER]
    turn_units = _turn_units(units, user_units)
    return Folded(
        items=items,
        systems=scan.systems,
        note=scan.note,
        system_tokens=sum(items[at].overhead_tokens + items[at].content_tokens for at in scan.pinned),
        units=units,
        token_sums=list(accumulate((unit.tokens for unit in units), initial=0)),
        user_units=user_units,
        last_unit=last_unit,
        turn_units=turn_units,
        turn_weights=[items[units[index].first].preceding_tokens for index in turn_units],
        leading_turns=_leading_turns(turn_units, user_units),
        orphan_outputs=scan.orphan_outputs,
        unanswered_calls=unanswered_calls,
        dangling_reasoning=dangling_reasoning,
        stored_tokens=sum(item.overhead_tokens + item.content_tokens for item in items),
    )


def _scan(items: Sequence[Item]) -> _Scan:
    answers, orphan_outputs = _pair(items)
    pinned = [at for at, item in enumerate(items) if item.kind in _PINNED]
    systems = [at for at in pinned if items[at].kind == Kind.SYSTEM]
    note = next((at for at in pinned if items[at].kind == Kind.SUMMARY), None)
    return _Scan(_groups(items), pinned, systems, note, answers, orphan_outputs)


def _pair(items: Sequence[Item]) -> tuple[dict[int, int], list[int]]:
    """Pair each output with the nearest earlier unanswered call of its key: logs do reuse call ids."""
    answers: dict[int, int] = {}
    orphan_outputs: list[int] = []
    open_calls: defaultdict[str, list[int]] = defaultdict(list)
    for at, item in enumerate(items):
        if item.kind == Kind.CALL:
            open_calls[item.pair_key].append(at)
        elif item.kind == Kind.OUTPUT:
            calls = open_calls[item.pair_key]
            if calls:
                answers[calls.pop()] = at
            else:
                orphan_outputs.append(at)
    return answers, orphan_outputs


def _groups(items: Sequence[Item]) -> list[tuple[int, int]]:
    """Cut *items* into runs of the assistant side, and single items; outputs and what is pinned are in none."""
    groups: list[tuple[int, int]] = []
    start = None
    name: str | None = None  # None until the run's first message.
    for at, item in enumerate(items):
        if item.kind in ASSISTANT_SIDE:
            if start is None:
                start, name = at, None
            if item.kind == Kind.ASSISTANT:
                if name is not None and item.name != name:  # One chat message has one name.
                    split = _before_reasoning(items, at)
                    groups.append((start, split))
                    start = split
                name = item.name
            continue
        if start is not None:
            groups.append((start, at))
            start = None
        if item.kind not in _IN_NO_GROUP:
            groups.append((at, at + 1))
    if start is not None:
        groups.append((start, len(items)))
    return groups


def _before_reasoning(items: Sequence[Item], at: int) -> int:
    """Return where the reasoning directly before *at* begins: it belongs to what follows it."""
    while items[at - 1].kind == Kind.REASONING:
        at -= 1
    return at


def _tail_group(items: Sequence[Item], scan: _Scan) -> int | None:
    """Return the group that holds the last item which is sent, pinned ones aside."""
    orphans = set(scan.orphan_outputs)
    for at in range(len(items) - 1, -1, -1):
        # Reasoning met here has nothing behind it: it dangles.
        if items[at].kind in _NEVER_LAST or at in orphans:
            continue
        if items[at].kind == Kind.OUTPUT:
            at = next(call for call, output in scan.answers.items() if output == at)
        return next(index for index in range(len(scan.groups) - 1, -1, -1) if scan.groups[index][0] <= at)
    return None


def _is_last_sent(items: Sequence[Item], scan: _Scan, tail: int) -> bool:
    """
    Tell whether no later group is sent, so that the tail group's unanswered calls really stand at the tail.

    The tail group may begin before others: a late output can be the last item.
    """
    return not any(
        items[at].kind in _SELF_CONTAINED or at in scan.answers
        for start, end in scan.groups[tail + 1 :]
        for at in range(start, end)
    )


def _sent(
    items: Sequence[Item], scan: _Scan, start: int, end: int, *, keep_unanswered: bool
) -> tuple[list[int], list[int], list[int]]:
    """Split the positions of a group: those that are sent, unanswered calls, dangling reasoning."""
    kept: list[int] = []
    unanswered: list[int] = []
    dangling: list[int] = []
    follower_is_kept = False
    for at in range(end - 1, start - 1, -1):
        kind = items[at].kind
        if kind == Kind.REASONING:
            (kept if follower_is_kept else dangling).append(at)
            continue
        follower_is_kept = kind != Kind.CALL or at in scan.answers or keep_unanswered
        (kept if follower_is_kept else unanswered).append(at)
    return kept[::-1], unanswered[::-1], dangling[::-1]


def _unit(items: Sequence[Item], answers: dict[int, int], group: list[int]) -> Unit:
    """Make a unit of a group's sent positions. The group is one chat message, each output another."""
    outputs = [answers[at] for at in group if at in answers]
    overhead_tokens = max(items[at].overhead_tokens for at in group)
    tokens = overhead_tokens + sum(items[at].content_tokens for at in group)
    tokens += sum(items[at].overhead_tokens + items[at].content_tokens for at in outputs)
    members = (*group, *outputs)
    return Unit(group[0], max(members), tokens, members)


def _turn_units(units: Sequence[Unit], user_units: Sequence[int]) -> list[int]:
    """Return the first unit of each turn: a user message that no earlier unit reaches beyond."""
    if not units:
        return []
    reach = list(accumulate((unit.last for unit in units), max))
    starts = [index for index in user_units if index and reach[index - 1] < units[index].first]
    return [0, *starts]


def _leading_turns(turn_units: Sequence[int], user_units: Sequence[int]) -> int:
    """Return 1 when the first turn lacks a user message although the log has one: it is never sent then."""
    return int(len(turn_units) > 1 and user_units[0] >= turn_units[1])
