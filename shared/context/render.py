"""
Renders a selection in the format of the model call: members of the answer, as JSON bytes.

    items      {"input": […]}                  the stored bytes, spliced
    chat       {"messages": […]}               Chat Completions
    anthropic  {"system": […], "messages": […]}
    text       {"text": "…"}                   a transcript to read

What a format cannot carry is left out there, and the item's id is listed in `unsupported`: the whole item has
no form, or one of its parts has none. Only kept items are parsed, only for the last three, and only where the unit has
no form from an earlier context.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shared.context.fit import Selection
from shared.context.formats.unit_form import NO_FORMS, Forms, UnitForm, keep
from shared.items.item import Item
from shared.jsonbytes.write import Pieces, array, joined, nested_array

FORMATS = ("items", "chat", "anthropic", "text")


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


class Renderer(Protocol):
    """Puts units of one request into a format, in their order."""

    def render(self, unit: Sequence[Item], kept: UnitForm | None) -> UnitForm:
        """Return the form of *unit*: *kept*, which was made of the same items, where it can serve again."""
        ...


def render(context_format: str, selection: Selection, kept: Forms = NO_FORMS) -> Rendering:
    """Render *selection* in one of FORMATS. The same selection and format give the same bytes, whatever was *kept*."""
    assert context_format in FORMATS
    if context_format == "items":
        return Rendering({"input": array(item.body for item in selection.items)}, [], kept)
    renderer = _renderer(context_format)
    before = kept.units if kept.context_format == context_format else {}
    forms: list[UnitForm] = []
    for unit in selection.units:
        form = before.get(unit[0].seq)
        forms.append(renderer.render(unit, form if form is not None and form.is_of(unit) else None))
    unsupported = frozenset[str]().union(*(form.unsupported for form in forms))
    messages = [form.pieces for form in forms if form.pieces and not form.is_system]
    if context_format == "text":
        from shared.context.formats.text import SEPARATOR

        pieces = {"text": [b'"', *joined(messages, SEPARATOR), b'"']}
    else:
        pieces = {"messages": nested_array(messages)}
    if context_format == "anthropic":
        system = [form.pieces for form in forms if form.pieces and form.is_system]
        pieces = {"system": nested_array(system), **pieces}
    by_seq = {unit[0].seq: form for unit, form in zip(selection.units, forms, strict=True)}
    listed = [item.id for item in selection.items if item.id in unsupported]
    return Rendering(pieces, listed, keep(kept, context_format, by_seq))


def _renderer(context_format: str) -> Renderer:
    # Imported by the first context that needs it.
    if context_format == "chat":
        from shared.context.formats.chat import ChatRenderer

        return ChatRenderer()
    if context_format == "anthropic":
        from shared.context.formats.anthropic import AnthropicRenderer

        return AnthropicRenderer()
    from shared.context.formats.text import TextRenderer

    return TextRenderer()
