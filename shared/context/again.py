"""
What of a context was sent before: the tokens of its beginning that the context of an older version had as well.

The older one is chosen once more, from what the log was then. What was deleted since is gone from that, so a beginning
counts up to where something was ever deleted, and up to the first document, whose text may have changed: at least so
much is the same.
"""

from collections.abc import Callable, Sequence

from shared.context.fit import Selection
from shared.context.groups import PINNED
from shared.context.units import Folded, fold
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.tokens.rule import REPLY_TOKENS


def tokens_again(
    now: Selection,
    folded: Folded,
    stored: Sequence[Item],
    newest_seq: int,
    choose: Callable[[Folded], Selection | None],
) -> int:
    """
    Return how many of the first tokens of *now*, chosen from *folded*, a context had up to the seq *newest_seq*.

    *stored*: the items of *folded* as they are stored. *choose* returns what would be chosen of a fold, None where that
    does not tell, because older items than are there may matter.
    """
    items = folded.items
    if all(item.seq <= newest_seq for item in reversed(items)):
        return now.tokens - REPLY_TOKENS
    older = [item for item in items if item.seq <= newest_seq]
    has_same_note = folded.note is None or items[folded.note].seq <= newest_seq
    before = choose(fold(older, folded.rules)) if older and has_same_note else None
    if before is None:
        head = [item for item in items[: folded.note] if item.kind == Kind.SYSTEM and item.seq <= newest_seq]
        return sum([item.tokens for item in head[: _systems_before_others(items)]])
    if folded.rules.system_apart and _systems(before) != _systems(now):
        return 0
    whole = _whole_up_to(items, stored, now)
    tokens = 0
    for index, (unit, chosen) in enumerate(zip(now.units, now.chosen, strict=True)):
        if index >= len(before.units) or [item.seq for item in unit] != [item.seq for item in before.units[index]]:
            break
        other = before.chosen[index]
        is_same = (chosen.call_ids, chosen.open_calls) == (other.call_ids, other.open_calls)
        is_same = is_same and (index == now.trimmed) == (index == before.trimmed)
        if not is_same or chosen.mentions or chosen.last >= whole:
            break
        tokens += chosen.stored_tokens if unit[0].kind in PINNED else chosen.tokens
    return tokens


def _systems(selection: Selection) -> list[int]:
    return [unit[0].seq for unit in selection.units if unit[0].kind == Kind.SYSTEM]


def _systems_before_others(items: Sequence[Item]) -> int:
    return next((at for at, item in enumerate(items) if item.kind != Kind.SYSTEM), len(items))


def _whole_up_to(items: Sequence[Item], stored: Sequence[Item], now: Selection) -> int:
    """Return the position from which on something may be gone that was between the items of the window."""
    first = next((at for at, item in enumerate(items) if item.id == now.first_id), len(items))
    for at in range(first + 1, len(items)):
        before = stored[at - 1]
        if before.preceding_tokens + before.tokens != stored[at].preceding_tokens:
            return at
    return len(items)
