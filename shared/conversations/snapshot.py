"""
A snapshot: the state of a conversation at one version, folded from its entries.

Immutable, and made of tuples of atoms: the garbage collector leaves those alone, and any number of requests may
hold one while a newer one is made.
"""

from collections.abc import Iterable
from typing import NamedTuple

from shared.conversations.entries import DELETION, Entry
from shared.items.item import Item


class Header(NamedTuple):
    """What a conversation says of itself, beside its entries. Times are Unix seconds; expiry 0 means never."""

    generation: str
    version: int
    chain: str
    live_items: int
    expiry_s: int
    used_at_unix_s: int
    created_at_unix_s: int
    metadata: str


class Snapshot(NamedTuple):
    """The live items of a conversation, in order, at `header.version`."""

    header: Header
    items: tuple[Item, ...]


def read_header(fields: list[str]) -> Header:
    """Return the header that a script replied as eight strings, in Header's order."""
    generation, version, chain, live, expiry_s, used_at, created_at, metadata = fields
    return Header(generation, int(version), chain, int(live), int(expiry_s), int(used_at), int(created_at), metadata)


def fold(header: Header, entries: Iterable[Entry]) -> Snapshot:
    """Return the snapshot after *entries*, which start at version 1 and may end in later deletions."""
    live: dict[int, Item] = {}
    for entry in entries:
        if entry.item is not None:
            live[entry.seq] = entry.item
        elif entry.kind == DELETION:
            live.pop(entry.target, None)
    return Snapshot(header, tuple(live.values()))
