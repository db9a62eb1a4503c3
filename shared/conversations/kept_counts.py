"""
Counts in a second encoding, kept beside the entries.

The count of an item in the primary encoding is made once, at append, and stored with it. Counts in another one are
made when a context first asks for them, and kept in blocks, so that each is made once per conversation and not once
per instance.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from shared.items.counts import PRIMARY_ENCODING, Counts, count_items
from shared.items.item import Item, read_extras
from shared.items.short import read_shorts, write_shorts
from shared.items.short_counts import describe_shorts, with_counts
from shared.items.traits import Traits, describe
from shared.process.pool import Pool
from shared.tokens.counter import Counter
from shared.tokens.encodings import ENCODINGS

COUNTED_ENCODINGS = [name for name in ENCODINGS if name != PRIMARY_ENCODING]

_OWN = Counts._fields.index("shorts")
"""How many columns stand before the short forms; behind those a newer release may keep more."""

BLOCK_ENTRIES = 512
"""Entries whose kept counts share a field; scripts that look at such fields are told."""


def read_kept_counts(blocks: Sequence[str | None]) -> dict[int, Counts]:
    """Return the kept counts by seq from the store's *blocks*."""
    kept: dict[int, Counts] = {}
    for block in blocks:
        for seq, *counts in orjson.loads(block or "[]"):
            made = Counts(*counts[:_OWN])
            kept[seq] = made._replace(shorts=read_shorts(counts[_OWN])) if len(counts) > _OWN else made
    return kept


def write_kept_counts(kept: Mapping[int, Counts], changed: Sequence[int]) -> dict[int, str]:
    """Return the blocks that hold one of the *changed* seqs, as the store keeps them: block -> text."""
    blocks = sorted({seq // BLOCK_ENTRIES for seq in changed})
    seqs = {block: range(block * BLOCK_ENTRIES, (block + 1) * BLOCK_ENTRIES) for block in blocks}
    return {
        block: orjson.dumps([_row(seq, kept[seq]) for seq in seqs[block] if seq in kept]).decode() for block in blocks
    }


def _row(seq: int, counts: Counts) -> list[Any]:
    """Return *counts* as they are kept; empty ones at the end are left out."""
    return [seq, *counts[:-1], write_shorts(counts.shorts)] if counts.shorts else [seq, *counts[:-1]]


class Uncounted(Exception):
    """*items* have no counts in the encoding that is wanted."""

    def __init__(self, items: Sequence[Item]) -> None:
        super().__init__(len(items))
        self.items = items


def recounted(items: Sequence[Item], kept: Mapping[int, Counts]) -> list[Item]:
    """
    Return *items* with the counts that are *kept* of them.

    The running sums stay those of the primary encoding: they are marks along the log, not costs.

    Raises:   Uncounted: there are none of some of them.
    """
    if missing := [item for item in items if item.seq not in kept]:
        raise Uncounted(missing)
    return [item._replace(**kept[item.seq]._asdict()) for item in items]


async def count_anew(
    counter: Counter, encoding: str, items: Sequence[Item], pool: Pool, *, is_large: bool
) -> dict[int, Counts]:
    """Return the counts of *items* in *encoding*, by seq."""
    traits = await pool.run_when(is_large, _describe, items)
    counts = iter(await count_items(counter, encoding, traits))
    return {item.seq: _counts_of(item, counts) for item in items}


def _describe(items: Sequence[Item]) -> list[Traits]:
    """Return what each of *items* is, and behind it what its short forms are."""
    found: list[Traits] = []
    for item in items:
        stored = orjson.loads(item.body)
        extras = read_extras(item)
        found += [describe(stored, extras), *describe_shorts(stored, extras, item.shorts)]
    return found


def _counts_of(item: Item, counts: Iterator[Counts]) -> Counts:
    """Return those of *item*, which are the next of *counts*, as `_describe` has them."""
    own = next(counts)
    return own._replace(shorts=with_counts(item.shorts, counts)) if item.shorts else own
