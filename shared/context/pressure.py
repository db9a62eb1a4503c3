"""
When to summarise: how much of a conversation a budget leaves out, and up to where a summary would free a third of it.
"""

from shared.context.fit import Window
from shared.context.units import Folded
from shared.items.kinds import Kind


def summarise_through(folded: Folded, window: Window) -> str | None:
    """
    Return the id of the item that ends the oldest third of *window*, by tokens, with the turn that it is in; None where
    that is the newest one. A summary may end there: nothing is torn, and all that is left is shown.

    All that is older than the window goes with it: what nobody sees any more is in the summary as well.
    """
    units, kept = folded.units, {*window.units}
    if not kept or not folded.user_units:
        return None
    first = min(kept)
    # The newest user message and the last unit are in every context.
    last = min(folded.user_units[-1], len(units) if folded.last_unit is None else folded.last_unit)
    third = sum([units[index].tokens for index in kept]) / 3
    tokens, found = 0, None
    for index in range(first + 1, last + 1):
        tokens += units[index - 1].tokens if index - 1 in kept else 0
        if folded.items[units[index].first].kind == Kind.USER and folded.reaches[index - 1] < units[index].first:
            found = index
            if tokens >= third:
                break
    return None if found is None else folded.items[units[found].first - 1].id
