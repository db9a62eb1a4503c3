"""
The first passes over a log: which output answers which call, and which items are one message.

Both look only backwards, and so can go on where they ended: what they found of a log holds for every longer one.
"""

from array import array
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.context.call_ids import alias_of, call_id_of, is_alias
from shared.items.item import Item
from shared.items.kinds import ASSISTANT_SIDE, Kind

CALL, OUTPUT, REASONING, ASSISTANT = Kind.CALL, Kind.OUTPUT, Kind.REASONING, Kind.ASSISTANT
PINNED = frozenset({Kind.SYSTEM, Kind.SUMMARY})
_IN_NO_GROUP = PINNED | {OUTPUT}

_FUNCTION, _CUSTOM = "function:", "custom:"
"""How the keys of their families begin (shared/items/types.py)."""

NOBODY = -1
"""The partner of what has none."""


class Pairs(NamedTuple):
    """
    Calls and their outputs, by position in the log.

    *partners*: of each position, the other one of the pair, or NOBODY. *open_calls* have no output yet,
    *orphan_outputs* never get a call; both ascend. *newest_calls*: of each id the last call that has it.
    """

    partners: array[int]
    open_calls: list[int]
    orphan_outputs: list[int]
    newest_calls: dict[str, int]


NO_PAIRS = Pairs(array("q"), [], [], {})


class _Waiting:
    """The calls that no output answers yet."""

    def __init__(self, items: Sequence[Item], calls: list[int]) -> None:
        self._items = items
        self._by_key: defaultdict[str, list[deque[int]]] = defaultdict(list)
        self._all = set(calls)
        self._by_alias: dict[str, int] | None = None
        for at, start in zip(calls, _run_starts(items, calls), strict=True):
            self.add(at, start)

    def add(self, at: int, run_start: int) -> None:
        """Add the call at a position, in the response that begins at *run_start*."""
        self._all.add(at)
        if self._by_alias is not None:
            self._by_alias[alias_of(self._items[at])] = at
        queues = self._by_key[self._items[at].pair_key]
        if queues and queues[-1][-1] >= run_start:
            queues[-1].append(at)
        else:
            queues.append(deque([at]))

    def take(self, output: Item) -> int:
        """Return the call that *output* answers, NOBODY if there is none."""
        keys = [output.pair_key, *_of_custom_tool(output)]
        for take in (self._take_by_key, self._take_by_alias):
            for key in keys:
                if (call := take(key)) != NOBODY:
                    return call
        return NOBODY

    def _take_by_key(self, pair_key: str) -> int:
        queues = self._by_key.get(pair_key)
        while queues:
            call = queues[-1].popleft()
            if not queues[-1]:
                queues.pop()
            if call in self._all:  # Not answered by its alias.
                self._all.remove(call)
                return call
        return NOBODY

    def _take_by_alias(self, pair_key: str) -> int:
        family, _, call_id = pair_key.partition(":")
        if not is_alias(call_id):
            return NOBODY
        if self._by_alias is None:
            self._by_alias = {alias_of(self._items[at]): at for at in self._all}
        call = self._by_alias.get(call_id, NOBODY)
        if call not in self._all or not self._items[call].pair_key.startswith(f"{family}:"):
            return NOBODY
        self._all.remove(call)
        return call


def pair(before: Pairs, items: Sequence[Item]) -> Pairs:
    """
    Return the pairs of *items*; *before* are those of the first of them.

    An output answers the nearest earlier response that has an unanswered call of its key, and there the first such
    call: logs do reuse call ids, and models use one twice in a response. One whose key no call has may name its call by
    alias (call_ids.py). A chat message that answers a call does not say which kind of call: where there is none of a
    function, it is one of a custom tool.
    """
    known = len(before.partners)
    partners = before.partners + array("q", [NOBODY]) * (len(items) - known)
    calls, orphans = list(before.open_calls), list(before.orphan_outputs)
    waiting: _Waiting | None = None  # Made when there is something to pair.
    newest = before.newest_calls
    start, message = (run_start(items, known) if known < len(items) else known), ""
    for at in range(known, len(items)):
        item = items[at]
        kind = item.kind
        if kind not in ASSISTANT_SIDE:
            start = at + 1
        elif item.message != message:
            start = at if at > known else start
        message = item.message
        if kind == CALL:
            if (call_id := call_id_of(item.pair_key)) is not None:
                newest = dict(newest) if newest is before.newest_calls else newest
                newest[call_id] = at
            waiting = waiting or _Waiting(items, before.open_calls)
            waiting.add(at, start)
            calls.append(at)
        elif kind == OUTPUT:
            waiting = waiting or _Waiting(items, before.open_calls)
            if (call := waiting.take(item)) != NOBODY:
                partners[call], partners[at] = at, call
            else:
                orphans.append(at)
    return Pairs(partners, [at for at in calls if partners[at] == NOBODY], orphans, newest)


def _run_starts(items: Sequence[Item], positions: list[int]) -> Iterator[int]:
    """Yield where the runs of the assistant side around *positions*, which ascend, begin; each item is seen once."""
    start, last = 0, NOBODY
    for at in positions:
        begin = at
        while begin - 1 > last and _goes_on(items, begin):
            begin -= 1
        if begin - 1 != last or last == NOBODY or not _goes_on(items, begin):
            start = begin
        last = at
        yield start


def _goes_on(items: Sequence[Item], at: int) -> bool:
    """Tell whether the item at a position goes on with the response of the one before it."""
    return at > 0 and items[at - 1].kind in ASSISTANT_SIDE and items[at - 1].message == items[at].message


def _of_custom_tool(output: Item) -> list[str]:
    """Return the key of the custom tool's call that *output* may answer, if it came in a message; else none."""
    is_answer = output.message and output.pair_key.startswith(_FUNCTION)
    return [_CUSTOM + output.pair_key.removeprefix(_FUNCTION)] if is_answer else []


def run_start(items: Sequence[Item], at: int) -> int:
    """Return where the run of the assistant side around *at* begins; *at* itself where there is none."""
    if items[at].kind in ASSISTANT_SIDE:
        message = items[at].message
        while at and items[at - 1].kind in ASSISTANT_SIDE and items[at - 1].message == message:
            at -= 1
    return at


def groups(items: Sequence[Item], begin: int) -> list[tuple[int, int]]:
    """
    Cut *items* from *begin* on, where no run goes on, into (start, end): runs of the assistant side, and single items.

    A run ends where a message does: what came as two messages is two responses. Outputs and what is pinned are in no
    group.
    """
    found: list[tuple[int, int]] = []
    start = None
    name: str | None = None  # None until the run's first message.
    for at in range(begin, len(items)):
        item = items[at]
        kind = item.kind
        if kind in ASSISTANT_SIDE:
            if start is not None and item.message != items[at - 1].message:
                found.append((start, at))
                start = None
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
