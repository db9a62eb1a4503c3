"""
What all of a log counts in a format, with room for everything.

It is `tokens` of a context that has room for all, and what no context sends besides: answers before the first message
of the user, results without their calls, calls without their results before the end. Who counts a request means all
of it. Thoughts with nothing behind them count nothing, as no provider takes them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.context.format_rules import FormatRules
from shared.context.groups import NOBODY, groups
from shared.context.unit import made_unit
from shared.context.units import Folded, counted_for, fold
from shared.items.item import Item
from shared.tokens.rule import REPLY_TOKENS


class Whole(NamedTuple):
    """*tokens* of all of a log. *is_text*: each of its messages is one text, so that the provider's rule is known."""

    tokens: int
    is_text: bool


def whole_of(items: Sequence[Item], rules: FormatRules) -> Whole:
    """Return what *items*, a log as it is stored, count in the format of *rules*."""
    folded = fold(counted_for(items, rules), rules)
    tokens = folded.token_sums[-1] + _unsent_tokens(folded)
    if tokens:
        tokens += folded.opening_tokens - folded.ending_tokens
    is_text = all(item.is_text for item in items)
    return Whole(REPLY_TOKENS + folded.system_tokens + tokens, is_text)


def _unsent_tokens(folded: Folded) -> int:
    """Return what the items count that are in no unit, dangling reasoning aside."""
    items, unanswered = folded.items, {*folded.unanswered_calls}
    tokens = sum(items[at].overhead_tokens + items[at].content_tokens for at in folded.orphan_outputs)
    if not unanswered:
        return tokens
    dangling = {*folded.dangling_reasoning}
    sent = {unit.first: unit.tokens for unit in folded.units}
    for start, end in groups(items, 0):
        group = [at for at in range(start, end) if at not in dangling]
        if not unanswered.isdisjoint(group):
            first = next((at for at in group if at not in unanswered), NOBODY)
            tokens += made_unit(items, folded.pairs, group, folded.rules).tokens - sent.get(first, 0)
    return tokens
