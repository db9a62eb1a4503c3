"""
What a format makes of a selection, and how those that are made unit by unit do it.

A format is a file of this folder, with a row in RULES (shared/context/format_rules.py). It holds how it looks: its
members in the answer, the form of a unit, how forms are joined, what it cannot carry. That is left out there, and the
item's id is listed in `unsupported`: the whole item has no form, or one of its parts has none.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from shared.context.boundaries import boundaries
from shared.context.fit import Selection
from shared.context.formats.sent import SentUnit, read_unit
from shared.context.formats.unit_form import NO_FORMS, Forms, UnitForm, compact, keep
from shared.context.unit import Unit
from shared.items.item import Item
from shared.jsonbytes.write import Pieces


class Rendering(NamedTuple):
    """
    *pieces*: names and JSON values, to be spliced into an answer. *unsupported*: ids in log order. *forms*: what the
    next context of this conversation is made of where it can. *breakpoints*: of how many messages each beginning is
    that later contexts will have as well (boundaries.py), ascending; 0 is the system's part alone, where that stands
    apart. None of a format without messages.
    """

    pieces: dict[str, Pieces]
    unsupported: list[str]
    forms: Forms = NO_FORMS
    breakpoints: Sequence[int] = ()

    @property
    def members(self) -> dict[str, bytes]:
        """The values, each as one text."""
        return {name: b"".join(pieces) for name, pieces in self.pieces.items()}


type Render = Callable[[str, Selection, Forms], Rendering]
"""What a format's file offers as `render`: takes the format's name, which forms are kept under, and those kept."""


class Made(NamedTuple):
    """What a format makes of a unit: see UnitForm."""

    pieces: Pieces
    unsupported: set[str]
    is_system: bool = False
    joins: str = ""
    messages: int = 1


class Joined(NamedTuple):
    """Members of the answer, and of how many messages each of the beginnings is that were asked for."""

    members: dict[str, Pieces]
    breakpoints: list[int]


class UnitFormat(Protocol):
    """Puts units into a format, each by itself."""

    def make(self, unit: SentUnit, *, is_trimmed: bool) -> Made:
        """Return what becomes of *unit*; *is_trimmed*: no white space may stand at its end."""
        ...

    def join(self, forms: Sequence[UnitForm], ends: Sequence[int], *, has_opening: bool) -> Joined:
        """
        Return the members of the answer, made of *forms* that have pieces. *ends*: after how many of them a beginning
        ends. *has_opening*: behind a message of the user that says FILLER.
        """
        ...


type Mend = Callable[[Sequence[UnitForm]], Mapping[int, UnitFormat]]
"""By the forms of all units that are sent, returns in which other way some are put, by their places."""


def render_units(
    name: str, unit_format: UnitFormat, selection: Selection, kept: Forms, mend: Mend | None = None
) -> Rendering:
    """
    Render *selection* unit by unit; units that have a form from an earlier context are not parsed again. What *mend*
    changes is of this context alone, and not kept.
    """
    before = kept.units if kept.context_format == name else {}
    forms: list[UnitForm] = []
    for index, (unit, chosen) in enumerate(zip(selection.units, selection.chosen, strict=True)):
        form = before.get(unit[0].seq)
        is_trimmed = index == selection.trimmed
        if form is None or not form.is_of(unit, chosen, is_trimmed=is_trimmed):
            form = _form(unit_format, unit, chosen, is_trimmed=is_trimmed)
        forms.append(form)
    by_seq = {unit[0].seq: form for unit, form in zip(selection.units, forms, strict=True)}
    for index, other in (mend(forms) if mend else {}).items():
        is_trimmed = index == selection.trimmed
        forms[index] = _form(other, selection.units[index], selection.chosen[index], is_trimmed=is_trimmed)
    unsupported = frozenset[str]().union(*(form.unsupported for form in forms))
    listed = [item.id for item in selection.items if item.id in unsupported] if unsupported else []
    sent = [at for at, form in enumerate(forms) if form.pieces]
    ends = [bisect_left(sent, boundary) for boundary in boundaries(selection)]
    joined = unit_format.join([forms[at] for at in sent], ends, has_opening=selection.has_opening)
    return Rendering(joined.members, listed, keep(kept, name, by_seq), ascending(joined.breakpoints))


def ascending(breakpoints: Iterable[int]) -> list[int]:
    return sorted({*breakpoints})


def _form(unit_format: UnitFormat, unit: Sequence[Item], chosen: Unit, *, is_trimmed: bool) -> UnitForm:
    made = unit_format.make(read_unit(unit, chosen), is_trimmed=is_trimmed)
    return UnitForm(
        tuple([item.body for item in unit]),
        compact(made.pieces),
        frozenset(made.unsupported),
        made.is_system,
        chosen.call_ids,
        chosen.open_calls,
        is_trimmed,
        made.joins,
        made.messages,
    )
