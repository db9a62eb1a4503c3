"""
Counts of items, by the token rule, in any encoding.

The count of an item in the primary encoding is made once, at append, and stored with it. Counts in a second
encoding are made when a context first asks for them, and kept beside the entries in blocks, so that each is made
once per conversation and not once per instance.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson
from shared.tokens.counter import Counter
from shared.tokens.rule import MESSAGE_TOKENS

from shared.conversations.entries import Counts
from shared.items.item import Item
from shared.items.traits import Traits, describe

PRIMARY_ENCODING = "o200k_base"
"""The encoding of OpenAI's current models; every entry carries its counts in it."""

ROLE_TOKENS = 1
"""Each role that a message can have (user, assistant, system, developer, tool) is one token in both encodings."""

NAME_TOKENS = 1
"""What a name costs beside its own tokens."""

BLOCK_ENTRIES = 512
"""Entries whose kept counts share a field; the read script knows this number."""


async def count_items(counter: Counter, encoding: str, traits: Sequence[Traits]) -> list[Counts]:
    """Return the counts of items with *traits*, same order; off the loop, one batch for all of them."""
    texts: list[str] = []
    for each in traits:
        texts += (each.name, *each.texts, *each.hosted_texts)
    tokens = iter(await counter.count(encoding, texts))
    counts = []
    for each in traits:
        name_tokens = next(tokens)
        content_tokens = each.fixed_tokens + sum(next(tokens) for _ in each.texts)
        hosted_tokens = sum(next(tokens) for _ in each.hosted_texts)
        overhead_tokens = 0
        if each.role:
            overhead_tokens = MESSAGE_TOKENS + ROLE_TOKENS + (name_tokens + NAME_TOKENS if each.name else 0)
        counts.append(Counts(overhead_tokens, content_tokens, hosted_tokens))
    return counts


def read_kept_counts(blocks: Sequence[str | None]) -> dict[int, Counts]:
    """Return the kept counts by seq from the store's *blocks*."""
    kept: dict[int, Counts] = {}
    for block in blocks:
        for seq, *counts in orjson.loads(block or "[]"):
            kept[seq] = Counts(*counts)
    return kept


def write_kept_counts(kept: Mapping[int, Counts], changed: Sequence[int]) -> dict[int, str]:
    """Return the blocks that hold one of the *changed* seqs, as the store keeps them: block -> text."""
    blocks = {seq // BLOCK_ENTRIES for seq in changed}
    return {
        block: orjson.dumps([[seq, *kept[seq]] for seq in seqs]).decode()
        for block, seqs in groupby(sorted(kept), lambda seq: seq // BLOCK_ENTRIES)
        if block in blocks
    }


async def recount(
    counter: Counter, encoding: str, items: Sequence[Item], kept: Mapping[int, Counts]
) -> tuple[list[Item], dict[int, Counts]]:
    """
    Return *items* with their counts in *encoding*, and the counts that *kept* did not have.

    The running sums stay those of the primary encoding: they are marks along the log, not costs.
    """
    missing = [item for item in items if item.seq not in kept]
    bodies: list[Any] = [orjson.loads(item.body) for item in missing]
    counts = await count_items(counter, encoding, [describe(body) for body in bodies]) if missing else []
    fresh = {item.seq: count for item, count in zip(missing, counts, strict=True)}
    recounted = [item._replace(**(kept.get(item.seq) or fresh[item.seq])._asdict()) for item in items]
    return recounted, fresh
