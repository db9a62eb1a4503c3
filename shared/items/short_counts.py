"""
Counting a batch with the short forms of its results.

    traits, and the results among the items -> one count of all texts, those of long results in segments
    -> counts, with what each short form would count
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.errors import TextNotCountable
from shared.items.counts import Counts, count_items, count_texts_of, counts_of
from shared.items.short import Short, result_text, shortened
from shared.items.short_forms import Cut, cut, short_forms
from shared.items.traits import Traits, describe
from shared.tokens.counter import Counter


class Result(NamedTuple):
    """A result that may have short forms: *item* and its *extras*, and where its text may be cut."""

    item: Mapping[str, Any]
    extras: Mapping[str, Any]
    cut: Cut


def result_of(item: Mapping[str, Any], extras: Mapping[str, Any]) -> Result | None:
    """Return the stored *item* as a result that may have short forms, None where it has none."""
    text = result_text(item, extras)
    found = None if text is None else cut(text, item["id"])
    return None if found is None else Result(item, extras, found)


async def count_with_shorts(
    counter: Counter, encoding: str, traits: Sequence[Traits], results: Sequence[Result | None]
) -> list[Counts]:
    """Return the counts of items with *traits*, same order, of which some are *results*."""
    segments: dict[int, Sequence[str]] = {}
    for each, result in zip(traits, results, strict=True):
        if result is None:
            continue
        # Of a text in one part the item counts what its segments do.
        name = id(each.texts[-1]) if len(each.texts) == 2 else id(result)
        segments[name] = result.cut.segments
        segments[id(result.cut)] = result.cut.marks
    try:
        tokens = await count_texts_of(counter, encoding, traits, segments)
    except TextNotCountable:  # Of a segment, perhaps: it is to be told of the text.
        return await count_items(counter, encoding, traits)
    counts = [counts_of(each, lambda text: tokens[id(text)] if text else 0) for each in traits]
    for at, result in enumerate(results):
        if result is not None:
            counts[at] = counts[at]._replace(
                shorts=forms_of(result.cut, counts[at].label_tokens, lambda text: tokens[id(text)])
            )
    return await _with_differences(counter, encoding, counts, results)


def forms_of(found: Cut, label_tokens: int, count: Callable[[str], int]) -> list[Short]:
    """Return the short forms of a text that was *found* to be cut so; *count* knows what it was cut into."""
    return short_forms(found, [*map(count, found.segments)], [*map(count, found.marks)], label_tokens)


async def _with_differences(
    counter: Counter, encoding: str, counts: list[Counts], results: Sequence[Result | None]
) -> list[Counts]:
    """Return *counts* with what other formats send of short forms, where that is another thing."""
    found = [(at, result) for at, result in enumerate(results) if result is not None and counts[at].differences]
    described = [
        each for at, result in found for each in describe_shorts(result.item, result.extras, counts[at].shorts)
    ]
    counted = iter(await count_items(counter, encoding, described))
    for at, _ in found:
        counts[at] = counts[at]._replace(shorts=with_counts(counts[at].shorts, counted))
    return counts


def describe_shorts(item: Mapping[str, Any], extras: Mapping[str, Any], shorts: Sequence[Short]) -> list[Traits]:
    """Return what the stored *item* is in each of *shorts*, to be counted."""
    return [describe(*shortened(item, extras, short)) for short in shorts]


def with_counts(shorts: Sequence[Short], counts: Iterator[Counts]) -> tuple[Short, ...]:
    """Return *shorts* with what they count, which are the next of *counts*, as `describe_shorts` has them."""
    return tuple(
        [
            short._replace(content_tokens=count.content_tokens, differences=count.differences)
            for short, count in zip(shorts, counts, strict=False)
        ]
    )
