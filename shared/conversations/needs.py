"""
What a read needs of a conversation: how it asks the store for it, and how it is cut from what is held.

    Need        the newest tokens, or all of it: a context
    PageNeed    a page of items
    ItemNeed    one item
    HeadNeed    what the conversation is, without its items

The last three get a small conversation whole with the first of them, and are cut from that ever after. Of a larger one
a page from the newest end begins a tail, the next one extends it, and other pages and items come alone.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from shared.config import Settings
from shared.conversations.entries import read_entry
from shared.conversations.held import Held
from shared.conversations.info import ItemInfo, Page
from shared.conversations.kept_counts import BLOCK_ENTRIES
from shared.conversations.snapshot import Snapshot
from shared.items.item import Item
from shared.recall.ask import NO_ARGUMENTS, Ask
from shared.store.refusals import missing

_SEQ = attrgetter("seq")


class Told(NamedTuple):
    """
    What a reply says besides what becomes part of the snapshot.

    *place*: where the item is, or was, that a page starts after. *is_full*: the reply brought as many older items as
    were wanted, or as may travel at once.
    """

    place: float | None = None
    is_full: bool = False


NOTHING = Told()


class Needed[T](Protocol):
    """
    What a read needs, of which it makes a T. *script*: what asks for it. *encoding*: whose kept counts come too; *ask*:
    for older items that are recalled.

    Loads of equal needs are shared. No two kinds have fields of the same types, so that needs of two kinds differ.
    """

    @property
    def script(self) -> str: ...

    @property
    def encoding(self) -> str: ...

    @property
    def ask(self) -> Ask | None: ...

    def reply_bytes_max(self, settings: Settings) -> int:
        """Return what a reply may hold, about."""

    def can_start_from(self, held: Held) -> bool:
        """Tell whether the script is told of *held*, or asked as by who holds nothing."""

    def can_go_on_from(self, held: Held) -> bool:
        """Tell whether more replies can bring what *held*, which replies have made, lacks; else it is begun anew."""

    def arguments(self, held: Held | None, *, has_all: bool) -> list[str | int]:
        """
        Return what the script takes behind generation, version and chain hash of *held*. *has_all*: all that is needed
        can be cut from it.
        """

    def cut(self, snapshot: Snapshot, told: Told = NOTHING) -> T | None:
        """Return what is needed of *snapshot*, None where that does not tell. Raises NotFound."""

    def read_apart(self, reply: list[Any]) -> T:
        """Return what is needed where the reply brought that alone."""


class Need(NamedTuple):
    """
    How much of a conversation is needed: its newest *tail_tokens*, or all of it; and the counts in *encoding*.
    *is_short*: results count as their short forms, so that as many tokens are more of the conversation. *ask*: for
    older items that are recalled.
    """

    tail_tokens: int | None = None
    encoding: str = ""
    is_short: bool = False
    ask: Ask | None = None

    @property
    def script(self) -> str:
        return "read"

    def reply_bytes_max(self, settings: Settings) -> int:
        return settings.store_reply_bytes_max

    def can_start_from(self, held: Held) -> bool:
        return self.cut(held.snapshot) is not None

    def can_go_on_from(self, held: Held) -> bool:
        return True

    def arguments(self, held: Held | None, *, has_all: bool) -> list[str | int]:
        is_older = held is not None and not has_all
        tokens_min, before, is_short = self.tail_tokens or 0, "", self.is_short
        if held is not None and is_older:
            tokens_min = self._whole_tokens(held.snapshot) - held.snapshot.tail_tokens
            before, is_short = str(held.snapshot.first), False
        has_counts = held is not None and not is_older and self.encoding in held.counts
        mode = "all" if self.tail_tokens is None else "tail"
        arguments: list[str | int] = [
            mode,
            tokens_min,
            "" if has_counts else self.encoding,
            BLOCK_ENTRIES,
            before,
            int(is_short),
        ]
        if self.ask is None:
            return [*arguments, *NO_ARGUMENTS]
        known = held.recalled if held is not None else None
        return [*arguments, *self.ask.arguments(held.snapshot.first if held is not None else 0, known)]

    def cut(self, snapshot: Snapshot, told: Told = NOTHING) -> Snapshot | None:
        if snapshot.is_whole:
            return snapshot
        is_enough = self.tail_tokens is not None and snapshot.turn_tokens >= self._whole_tokens(snapshot)
        return snapshot if is_enough else None

    def _whole_tokens(self, snapshot: Snapshot) -> int:
        """Return of how many tokens whole items are as much, by what short forms save of all, as read.lua does."""
        written, saved = snapshot.header.written_tokens, snapshot.header.saved_tokens
        tokens = self.tail_tokens or 0
        return -(-tokens * written // (written - saved)) if self.is_short and saved < written else tokens

    def read_apart(self, reply: list[Any]) -> Snapshot:
        raise AssertionError("read.lua replies with parts of the conversation")


class PageNeed(NamedTuple):
    """
    At most *limit* items behind the one of the id *after*, in *order*, and no more than *bytes_max* of JSON.

    *whole_bytes_max*: a conversation of at most so many bytes comes whole. *tail_bytes_max*: a tail of more than that
    is not extended.
    """

    after: str
    limit: int
    order: str
    bytes_max: int
    whole_bytes_max: int
    tail_bytes_max: int

    @property
    def script(self) -> str:
        return "page"

    @property
    def encoding(self) -> str:
        return ""

    @property
    def ask(self) -> None:
        return None

    def reply_bytes_max(self, settings: Settings) -> int:
        return settings.store_reply_bytes_max

    def can_start_from(self, held: Held) -> bool:
        return True

    def can_go_on_from(self, held: Held) -> bool:
        return True

    def arguments(self, held: Held | None, *, has_all: bool) -> list[str | int]:
        lack, before = "", ""
        if held is not None:
            lack = "0" if has_all or held.snapshot.is_whole else self._lack(held.snapshot)
            before = str(held.snapshot.first)
        return [self.whole_bytes_max, self.after, self.order, self.limit, lack, before]

    def cut(self, snapshot: Snapshot, told: Told = NOTHING) -> Page | None:
        window = self._window(snapshot, told.place)
        if window is None:
            return None
        chosen, size = list[Item](), 0
        for at in window[: self.limit]:
            size += len(snapshot.items[at].body)
            if size > self.bytes_max and chosen:
                break
            chosen.append(snapshot.items[at])
        is_cut, earlier = len(chosen) < len(window), 0
        if self.order == "desc":
            earlier = _earlier_items(snapshot)
            if earlier and not (is_cut or len(chosen) == self.limit or told.is_full):
                return None
        return _page(chosen, has_more=is_cut or earlier > 0)

    def read_apart(self, reply: list[Any]) -> Page:
        more, entries = reply[3:5]
        return _page([item for raw in entries if (item := read_entry(0, raw).item)], has_more=more == "1")

    def _window(self, snapshot: Snapshot, place: float | None) -> range | None:
        """Return where the items stand that come into question, in order; None where that is not known."""
        items, first = snapshot.items, _tail_at(snapshot)
        if self.after and place is None:
            place = _seq_of(items, self.after, first)
            if place is None:
                return None
        if self.order == "desc":
            end = len(items) if place is None else max(first, bisect_left(items, place, key=_SEQ))
            return range(end - 1, first - 1, -1)
        if _earlier_items(snapshot) and (place is None or place < snapshot.first - 1):
            return None
        return range(0 if place is None else bisect_right(items, place, key=_SEQ), len(items))

    def _lack(self, snapshot: Snapshot) -> str:
        """Return how many items are needed from before what is held, "" where it is no part of the page."""
        window = self._window(snapshot, None)
        if self.order == "asc" or window is None or snapshot.size_bytes >= self.tail_bytes_max:
            return ""
        return str(self.limit - len(window))


class ItemNeed(NamedTuple):
    """The item of the id *item_id*. A conversation of at most *whole_bytes_max* comes whole."""

    item_id: str
    whole_bytes_max: int

    @property
    def script(self) -> str:
        return "item"

    @property
    def encoding(self) -> str:
        return ""

    @property
    def ask(self) -> None:
        return None

    def reply_bytes_max(self, settings: Settings) -> int:
        return max(settings.item_bytes_max, self.whole_bytes_max)

    def can_start_from(self, held: Held) -> bool:
        return held.snapshot.is_whole or self.cut(held.snapshot) is not None

    def can_go_on_from(self, held: Held) -> bool:
        # The script brings news to who holds something: the item by itself only to who holds nothing.
        return self.can_start_from(held)

    def arguments(self, held: Held | None, *, has_all: bool) -> list[str | int]:
        return [self.whole_bytes_max, self.item_id]

    def cut(self, snapshot: Snapshot, told: Told = NOTHING) -> ItemInfo | None:
        item = next((item for item in snapshot.items if item.id == self.item_id), None)
        if item is None and snapshot.is_whole:
            raise missing("unknown_item", self.item_id)
        return _info(item) if item is not None else None

    def read_apart(self, reply: list[Any]) -> ItemInfo:
        item = read_entry(0, reply[4][0]).item
        assert item is not None
        return _info(item)


class HeadNeed(NamedTuple):
    """The header alone, which every snapshot has. A conversation of at most *whole_bytes_max* comes whole."""

    whole_bytes_max: int

    @property
    def script(self) -> str:
        return "head"

    @property
    def encoding(self) -> str:
        return ""

    @property
    def ask(self) -> None:
        return None

    def reply_bytes_max(self, settings: Settings) -> int:
        return self.whole_bytes_max

    def can_start_from(self, held: Held) -> bool:
        return True

    def can_go_on_from(self, held: Held) -> bool:
        return True

    def arguments(self, held: Held | None, *, has_all: bool) -> list[str | int]:
        return [self.whole_bytes_max]

    def cut(self, snapshot: Snapshot, told: Told = NOTHING) -> Snapshot:
        return snapshot

    def read_apart(self, reply: list[Any]) -> Snapshot:
        raise AssertionError("head.lua replies with parts of the conversation")


def _tail_at(snapshot: Snapshot) -> int:
    """Return where, among the items, those begin from which on all is known."""
    return 0 if snapshot.is_whole else bisect_left(snapshot.items, snapshot.first, key=_SEQ)


def _earlier_items(snapshot: Snapshot) -> int:
    """Return how many items there are before those."""
    return 0 if snapshot.is_whole else snapshot.header.live_items - len(snapshot.items) + _tail_at(snapshot)


def _seq_of(items: Sequence[Item], item_id: str, first: int) -> int | None:
    return next((items[at].seq for at in range(len(items) - 1, first - 1, -1) if items[at].id == item_id), None)


def _page(items: list[Item], *, has_more: bool) -> Page:
    first_id, last_id = (items[0].id, items[-1].id) if items else (None, None)
    times = [item.created_at_unix_s for item in items]
    return Page([item.body for item in items], first_id, last_id, has_more, times=times)


def _info(item: Item) -> ItemInfo:
    return ItemInfo(item.body, item.created_at_unix_s)
