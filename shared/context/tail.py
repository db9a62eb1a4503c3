"""
Whether a tail of a conversation is enough to choose from.

A context seldom needs more than the newest few turns, and a long conversation is not read, nor folded, for more. What
was chosen from a tail is what would have been chosen from everything when

- the tail starts, pinned items aside, with a user message, so that its oldest turn is not cut;
- not all of it fits: the oldest turn that fits whole, and the one before it, which may be thinned, are then known;
- no output from that turn on lacks its call: the call may stand before the tail, and the unit join turns with it.
"""

from bisect import bisect_left

from shared.context.units import Folded
from shared.items.kinds import Kind
from shared.tokens.rule import REPLY_TOKENS


def is_enough(folded: Folded, budget_tokens: int) -> bool:
    """Tell whether *folded*, a tail, decides what a context of *budget_tokens* holds."""
    if not folded.units or folded.items[folded.units[0].first].kind != Kind.USER:
        return False
    sums = folded.token_sums
    room_tokens = budget_tokens - folded.system_tokens - REPLY_TOKENS
    # The first turn from which all fits; the turn before it is the last that matters.
    whole = bisect_left(
        range(len(folded.turn_units)), True, key=lambda turn: sums[-1] - sums[folded.turn_units[turn]] <= room_tokens
    )
    if whole == 0:
        return False
    start = folded.units[folded.turn_units[whole - 1]].first
    return not folded.orphan_outputs or folded.orphan_outputs[-1] < start
