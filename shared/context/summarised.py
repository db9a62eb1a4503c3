"""
A summary takes the place of the items up to one of them.

    system items up to there, in order | the note | everything behind

The note is the summary as a user message of its own kind: like system items it is always kept and counted, but it
belongs to no turn. What the summary stands for is left out before anything is folded or chosen, so a window never
reaches back behind it, and an output that comes later than its summarised call is an orphan.
"""

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from shared.items.item import Item
from shared.items.kinds import Kind


class Summary(NamedTuple):
    """*item*: the note, of Kind.SUMMARY. *through_seq*, *through_id*: the last item that it stands for."""

    item: Item
    through_seq: int
    through_id: str
    created_at_unix_s: int = 0


def summarised(items: Sequence[Item], summary: Summary | None) -> list[Item]:
    """Return *items*, in log order, with the note in place of those it stands for; as they are without a summary."""
    if summary is None:
        return list(items)
    covered, behind = split_at(items, summary)
    systems = [item for item in covered if item.kind == Kind.SYSTEM]
    return [*systems, summary.item, *behind]


def split_at(items: Sequence[Item], summary: Summary) -> tuple[Sequence[Item], Sequence[Item]]:
    """Return *items*, in log order, up to where *summary* stands for them, and those behind."""
    behind = bisect_right(items, summary.through_seq, key=attrgetter("seq"))
    return items[:behind], items[behind:]
