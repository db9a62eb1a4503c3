"""
The counts of items, by the token rule, in any encoding.

What is counted is the item's chat form (shared/items/chat.py), so that a count is the count of what is sent.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.items.item import NO_DIFFERENCES
from shared.items.short import Short
from shared.items.traits import Traits
from shared.tokens.counter import Counter
from shared.tokens.rule import MESSAGE_TOKENS, NAME_TOKENS

PRIMARY_ENCODING = "o200k_base"
"""The encoding of OpenAI's current models; every entry carries its counts in it."""

ROLE_TOKENS = 1
"""Each role that a message can have (user, assistant, system, developer, tool) is one token in both encodings."""


class Counts(NamedTuple):
    """
    An item's tokens in one encoding; see Item for the parts. *differences*: overhead and content by what a format sends
    instead of the chat form, where that is another thing. *shorts*: the short forms of a result (short.py).
    """

    overhead_tokens: int
    content_tokens: int
    hosted_tokens: int
    label_tokens: int = 0
    differences: Mapping[str, tuple[int, int]] = NO_DIFFERENCES
    shorts: Sequence[Short] = ()


async def count_items(counter: Counter, encoding: str, traits: Sequence[Traits]) -> list[Counts]:
    """Return the counts of items with *traits*, same order; off the loop, one batch for all of them."""
    tokens = await count_texts_of(counter, encoding, traits)
    return [counts_of(each, lambda text: tokens[id(text)] if text else 0) for each in traits]


async def count_texts_of(
    counter: Counter, encoding: str, traits: Sequence[Traits], segments: Mapping[int, Sequence[str]] = {}
) -> dict[int, int]:
    """
    Return the tokens of all texts of *traits* by the texts' `id`. *segments*: those of some texts, which add up to
    them, by these texts' `id`, or any other number; each is counted, and found by its own `id`.
    """
    # Formats share most of them.
    texts = {id(text): text for each in traits for text in texts_of(each) if text and id(text) not in segments}
    texts |= {id(segment): segment for each in segments.values() for segment in each}
    tokens = dict(zip(texts, await counter.count(encoding, list(texts.values())), strict=True))
    return tokens | {name: sum([tokens[id(segment)] for segment in each]) for name, each in segments.items()}


def texts_of(traits: Traits) -> Iterator[str]:
    """Yield all that is counted of an item."""
    yield traits.name
    yield traits.label
    yield from traits.texts
    yield from traits.hosted_texts
    for difference in traits.differences:
        yield from difference.texts


def counts_of(traits: Traits, count: Callable[[str], int]) -> Counts:
    """Return the counts of an item; *count* knows those of its `texts_of`."""
    overhead_tokens = _overhead_tokens(traits, count, is_named=bool(traits.name)) if traits.role else 0
    return Counts(
        overhead_tokens,
        traits.fixed_tokens + sum(map(count, traits.texts)),
        sum(map(count, traits.hosted_texts)),
        count(traits.label) if traits.label else 0,
        _differences(traits, count) if traits.differences else NO_DIFFERENCES,
    )


def _differences(traits: Traits, count: Callable[[str], int]) -> Mapping[str, tuple[int, int]]:
    return {
        each.context_format: (
            _overhead_tokens(traits, count, is_named=each.is_named) if each.is_framed else 0,
            each.fixed_tokens + sum(map(count, each.texts)),
        )
        for each in traits.differences
    }


def _overhead_tokens(traits: Traits, count: Callable[[str], int], *, is_named: bool) -> int:
    return MESSAGE_TOKENS + ROLE_TOKENS + (count(traits.name) + NAME_TOKENS if is_named else 0)
