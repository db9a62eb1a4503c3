"""
The first passes over a log: which output answers which call, and which items are one message.

Both look only backwards, and so can go on where they ended: what they found of a log holds for every longer one.
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from shared.items.item import Item
from shared.items.kinds import ASSISTANT_SIDE, Kind

CALL, OUTPUT, REASONING, ASSISTANT = Kind.CALL, Kind.OUTPUT, Kind.REASONING, Kind.ASSISTANT
PINNED = frozenset({Kind.SYSTEM, Kind.SUMMARY})
_IN_NO_GROUP = PINNED | {OUTPUT}

NOBODY = -1
"""The partner of what has none."""


class Pairs(NamedTuple):
    """
    Calls and their outputs, by position in the log.

    *partners*: of each position, the other one of the pair, or NOBODY. *open_calls* have no output yet,
    *orphan_outputs* never get a call; both ascend.
    """

    partners: array[int]
    open_calls: list[int]
    orphan_outputs: list[int]


NO_PAIRS = Pairs(array("q"), [], [])


def pair(before: Pairs, items: Sequence[Item]) -> Pairs:
    """
    Return the pairs of *items*; *before* are those of the first of them.

    An output answers the nearest earlier unanswered call of its key: logs do reuse call ids.
    """
    known = len(before.partners)
    partners = before.partners + array("q", [NOBODY]) * (len(items) - known)
    calls, orphans = list(before.open_calls), list(before.orphan_outputs)
    open_calls: defaultdict[str, list[int]] = defaultdict(list)
    for at in calls:
        open_calls[items[at].pair_key].append(at)
    for at in range(known, len(items)):
        item = items[at]
        if item.kind == CALL:
            open_calls[item.pair_key].append(at)
            calls.append(at)
        elif item.kind == OUTPUT:
            waiting = open_calls[item.pair_key]
            if waiting:
                call = waiting.pop()
                partners[call], partners[at] = at, call
            else:
                orphans.append(at)
    return Pairs(partners, [at for at in calls if partners[at] == NOBODY], orphans)


def run_start(items: Sequence[Item], at: int) -> int:
    """Return where the run of the assistant side around *at* begins; *at* itself where there is none."""
    if items[at].kind in ASSISTANT_SIDE:
        while at and items[at - 1].kind in ASSISTANT_SIDE:
            at -= 1
    return at


def groups(items: Sequence[Item], begin: int) -> list[tuple[int, int]]:
    """
    Cut *items* from *begin* on, where no run goes on, into (start, end): runs of the assistant side, and single items.

    Outputs and what is pinned are in no group.
    """
    found: list[tuple[int, int]] = []
    start = None
    name: str | None = None  # None until the run's first message.
    for at in range(begin, len(items)):
        item = items[at]
        kind = item.kind
        if kind in ASSISTANT_SIDE:
            if start is None:
                start, name = at, None
            if kind == ASSISTANT:
                if name is not None and item.name != name:  # One chat message has one name.
                    split = _before_reasoning(items, at)
                    found.append((start, split))
                    start = split
                name = item.name
            continue
        if start is not None:
            found.append((start, at))
            start = None
        if kind not in _IN_NO_GROUP:
            found.append((at, at + 1))
    if start is not None:
        found.append((start, len(items)))
    return found


def _before_reasoning(items: Sequence[Item], at: int) -> int:
    """Return where the reasoning directly before *at* begins: it belongs to what follows it."""
    while items[at - 1].kind == REASONING:
        at -= 1
    return at
