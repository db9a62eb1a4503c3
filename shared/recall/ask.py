"""
What older items a context asks for, and what the store answers.
"""

import time
from bisect import bisect_right
from typing import NamedTuple

from shared.items.item import Item

MOST_MIN, MOST_MAX = 16, 600
"""How many items are ranked at least, and at most."""

TOKENS_MAX = 60_000
"""What recalled items may count together."""

DAY_S = 86_400
ITEM_TOKENS = 8
"""About what a short one counts."""


class Ask(NamedTuple):
    """
    For at most *most* items, which may count *tokens_max*. *query*: the codes of the terms that they should have, ""
    for those of the newest user message; *include*: ids of items that come before all others.
    """

    most: int
    tokens_max: int
    query: str = ""
    include: tuple[str, ...] = ()

    def arguments(self, held_from: int, known: "Recalled | None") -> list[str | int]:
        """Return what read.lua takes. *held_from*: the seq from which on the entries are held."""
        mark = known.mark if known is not None and known.ask == self else ""
        return [self.most, self.query, self.tokens_max, held_from, mark, ",".join(self.include)]


NO_ARGUMENTS: list[str | int] = [0, "", 0, 0, "", ""]


class Rank(NamedTuple):
    """An item that was found, by its *seq*; *score*: None for one that was to be there. *item*: unless it is held."""

    seq: int
    score: float | None
    item: Item | None


class Recalled(NamedTuple):
    """
    What was found for an *ask*, best first. *mark*: for which message, and after how many deleted tokens. *from_id*:
    the oldest item that was looked at, "" where there was none. *days*: from which seq on items were appended on a
    later day, and that, in days since 1970.
    """

    ask: Ask
    mark: str
    from_id: str
    ranks: tuple[Rank, ...]
    days: tuple[tuple[int, int], ...] = ()

    def date_of(self, seq: int) -> str:
        """Return the day on which an item was appended, "" where that is not known."""
        at = bisect_right(self.days, (seq, 1 << 62)) - 1
        return time.strftime("%Y-%m-%d", time.gmtime(self.days[at][1] * DAY_S)) if at >= 0 else ""

    @property
    def user_seq(self) -> int | None:
        """The newest user message, None where its terms are not kept."""
        place = self.mark.partition(" ")[0]
        return int(place) if place else None

    @property
    def deleted_tokens(self) -> int:
        return int(self.mark.partition(" ")[2])


def ask_for(share_tokens: int, query: str, include: tuple[str, ...]) -> Ask:
    """Return what is asked for to fill *share_tokens*."""
    return Ask(
        min(MOST_MAX, max(MOST_MIN, share_tokens // ITEM_TOKENS)), min(TOKENS_MAX, 2 * share_tokens), query, include
    )
