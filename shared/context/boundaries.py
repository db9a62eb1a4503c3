"""
Where the beginning of a context ends that later ones will begin with too: what providers' prompt caches can read again.

    system messages | older messages | the newest user message and what followed it
                    ^                ^                                              ^

Behind the first a summary or a window that moved leaves all before it as it was; behind the second a new turn does,
whatever is put before the newest user message for that turn alone; behind the third the next call of the same turn.
"""

from shared.context.fit import Selection
from shared.items.kinds import Kind


def boundaries(selection: Selection) -> list[int]:
    """Return before which of the units that are sent, or behind the last, a beginning ends; ascending, none is 0."""
    units = selection.units
    newest = next((at for at in range(len(units) - 1, -1, -1) if units[at][0].kind == Kind.USER), 0)
    if newest and units[newest - 1][0].seq < 0:
        newest -= 1  # What is recalled for this message is of this turn alone.
    # What loses the white space at its end will have it again once something is behind it.
    end = len(units) if selection.trimmed is None else selection.trimmed
    return sorted({head_units(selection), min(newest, end), end} - {0})


def head_units(selection: Selection) -> int:
    """Return how many of the units that are sent are the system's before all others."""
    units = selection.units
    return next((at for at, unit in enumerate(units) if unit[0].kind != Kind.SYSTEM), len(units))


def items_before(selection: Selection, boundary: int) -> int:
    """Return how many items, in the order of the log, stand before *boundary*: the first of the unit behind it."""
    if boundary == len(selection.units):
        return len(selection.items)
    behind = {item.seq for item in selection.units[boundary]}
    return next((at for at, item in enumerate(selection.items) if item.seq in behind), len(selection.items))
