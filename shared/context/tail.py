"""
Whether a tail of a conversation is enough to choose from.

A context seldom needs more than the newest few turns, and a long conversation is not read, nor folded, for more. What
was chosen from a tail is what would have been chosen from everything when

- the tail starts, pinned items aside, with a user message, so that its oldest turn is not cut;
- not all of it fits: the oldest turn that fits whole, and the one before it, which may be thinned, are then known;
- no output from that turn on lacks its call: the call may stand before the tail, and the unit join turns with it.
"""

from bisect import bisect_left

from shared.context.units import Folded, first_unit_that_fits
from shared.items.kinds import Kind
from shared.tokens.rule import REPLY_TOKENS


def is_enough(folded: Folded, budget_tokens: int) -> bool:
    """Tell whether *folded*, a tail, decides what a context of *budget_tokens* holds."""
    if not folded.units or folded.items[folded.units[0].first].kind != Kind.USER:
        return False
    turn = _thinned_turn(folded, budget_tokens)
    if turn < 0:
        return False
    start = folded.units[folded.turn_units[turn]].first
    return not folded.orphan_outputs or folded.orphan_outputs[-1] < start


def first_that_matters(folded: Folded, budget_tokens: int) -> int:
    """
    Return the position from which on items matter to a context of *budget_tokens*, and to any smaller one; older ones
    only where they are pinned.
    """
    turn = _thinned_turn(folded, budget_tokens)
    return folded.units[folded.turn_units[turn]].first if turn > 0 else 0


def first_that_fits(folded: Folded, budget_tokens: int) -> int:
    """Return the position from which on all fits beside what is pinned."""
    unit = first_unit_that_fits(folded, budget_tokens - folded.system_tokens - REPLY_TOKENS)
    return folded.units[unit].first if unit < len(folded.units) else len(folded.items)


def _thinned_turn(folded: Folded, budget_tokens: int) -> int:
    """Return the turn before the oldest one that fits whole, the last that matters; -1 if all of them fit."""
    unit = first_unit_that_fits(folded, budget_tokens - folded.system_tokens - REPLY_TOKENS)
    return bisect_left(folded.turn_units, unit) - 1
