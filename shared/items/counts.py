"""
The counts of items, by the token rule, in any encoding.

What is counted is the item's chat form (shared/items/chat.py), so that a count is the count of what is sent.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.items.traits import Traits
from shared.tokens.counter import Counter
from shared.tokens.rule import MESSAGE_TOKENS, NAME_TOKENS

PRIMARY_ENCODING = "o200k_base"
"""The encoding of OpenAI's current models; every entry carries its counts in it."""

ROLE_TOKENS = 1
"""Each role that a message can have (user, assistant, system, developer, tool) is one token in both encodings."""


class Counts(NamedTuple):
    """An item's tokens in one encoding; see Item for the three parts."""

    overhead_tokens: int
    content_tokens: int
    hosted_tokens: int


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
