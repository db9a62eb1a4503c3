"""
What a format makes of a selection, and how those that are made unit by unit do it.

A format is a file of this folder, named in FORMATS (shared/context/render.py). It holds all that is known of it: its
members in the answer, the form of a unit, how forms are joined, what it cannot carry. That is left out there, and the
item's id is listed in `unsupported`: the whole item has no form, or one of its parts has none.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from shared.context.fit import Selection
from shared.context.formats.unit_form import NO_FORMS, Forms, UnitForm, keep
from shared.items.item import Item
from shared.jsonbytes.write import Pieces


class Rendering(NamedTuple):
    """
    *pieces*: names and JSON values, to be spliced into an answer. *unsupported*: ids in log order. *forms*: what the
    next context of this conversation is made of where it can.
    """

    pieces: dict[str, Pieces]
    unsupported: list[str]
    forms: Forms = NO_FORMS

    @property
    def members(self) -> dict[str, bytes]:
        """The values, each as one text."""
        return {name: b"".join(pieces) for name, pieces in self.pieces.items()}


type Render = Callable[[str, Selection, Forms], Rendering]
"""What a format's file offers as `render`: takes the format's name, which forms are kept under, and those kept."""


class UnitFormat(Protocol):
    """Puts the units of one request into a format, in their order."""

    def form(self, unit: Sequence[Item], kept: UnitForm | None) -> UnitForm:
        """Return the form of *unit*: *kept*, which was made of the same items, where it can serve again."""
        ...

    def members(self, forms: Sequence[UnitForm]) -> dict[str, Pieces]:
        """Return the members of the answer, made of *forms* that have pieces."""
        ...


def render_units(name: str, unit_format: UnitFormat, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* unit by unit; units that have a form from an earlier context are not parsed again."""
    before = kept.units if kept.context_format == name else {}
    forms: list[UnitForm] = []
    for unit in selection.units:
        form = before.get(unit[0].seq)
        forms.append(unit_format.form(unit, form if form is not None and form.is_of(unit) else None))
    unsupported = frozenset[str]().union(*(form.unsupported for form in forms))
    by_seq = {unit[0].seq: form for unit, form in zip(selection.units, forms, strict=True)}
    listed = [item.id for item in selection.items if item.id in unsupported]
    pieces = unit_format.members([form for form in forms if form.pieces])
    return Rendering(pieces, listed, keep(kept, name, by_seq))
