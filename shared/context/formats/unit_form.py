"""
The form of a unit in a format: its bytes, and what has to be the same for them to serve again.

A unit is read, put into a format's terms and encoded once; what was made of it is kept beside the snapshot that its
items are in, and joined into the next context.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.context.unit import Unit
from shared.items.item import Item
from shared.jsonbytes.write import PIECE_BYTES, Pieces

UNIT_BYTES = 500
"""What a form holds beside its bytes and those of its items; measured, see the tests."""

KEPT_BYTES_MAX = 8 * 1024 * 1024
"""Forms of larger contexts are not kept: they would take L1 from too many other conversations."""


class UnitForm(NamedTuple):
    """
    A unit in a format, made of the items with *bodies*.

    *pieces* are JSON, none where nothing of the unit can be sent; *is_system*: they belong apart from the messages.
    *call_ids* and *open_calls* are those that it was made with (Unit), *is_trimmed*: without the white space at its
    end. *unsupported*: ids of its items that are not, or not wholly, in the pieces. *joins*: what joining has to know
    of it, which is the format's. *messages*: how many it is.
    """

    bodies: tuple[bytes, ...]
    pieces: Pieces
    unsupported: frozenset[str]
    is_system: bool = False
    call_ids: tuple[str, ...] = ()
    open_calls: tuple[int, ...] = ()
    is_trimmed: bool = False
    joins: str = ""
    messages: int = 1

    def is_of(self, unit: Sequence[Item], chosen: Unit, *, is_trimmed: bool) -> bool:
        """Tell whether it was made of these very items, sent alike; other bytes, even equal ones, are others."""
        if (self.call_ids, self.open_calls, self.is_trimmed) != (chosen.call_ids, chosen.open_calls, is_trimmed):
            return False
        bodies = self.bodies
        if len(unit) != len(bodies):
            return False
        for item, body in zip(unit, bodies, strict=True):  # noqa: SIM110 - asked of every unit, and `all` takes twice as long.
            if item.body is not body:
                return False
        return True


class Forms(NamedTuple):
    """The forms of one context, by the seq of each unit's first item. Immutable; *size_bytes* as L1 counts it."""

    context_format: str = ""
    units: Mapping[int, UnitForm] = {}
    size_bytes: int = 0


NO_FORMS = Forms()


def keep(before: Forms, context_format: str, units: dict[int, UnitForm]) -> Forms:
    """Return the forms to be kept instead of *before*, which are the same if nothing is new; none if too large."""
    is_same = before.context_format == context_format and len(before.units) == len(units)
    if is_same and all(before.units.get(seq) is form for seq, form in units.items()):
        return before
    size_bytes = sum(UNIT_BYTES + sum(map(len, form.pieces)) for form in units.values())
    return Forms(context_format, units, size_bytes) if size_bytes <= KEPT_BYTES_MAX else NO_FORMS


def compact(pieces: Pieces) -> Pieces:
    """Return *pieces* as one where that is small. It takes its length: what orjson wrote holds 4 KiB at least."""
    is_small = pieces and sum(map(len, pieces)) <= PIECE_BYTES
    return [b"".join([b"", *pieces])] if is_small else pieces
