"""
A transcript to read, `{"text": "…"}`, for prompts that take one text: a block per message, call and output.

    user (bob): …
    assistant: …
    assistant (call call_1): find({"city": "Rome"})
    tool (call_1): …

Images and files are not text: their items are listed as unsupported.
"""

from collections.abc import Sequence

import orjson

from shared.context.fit import Selection
from shared.context.formats.rendering import Rendering, render_units
from shared.context.formats.sent import Sent, read_unit
from shared.context.formats.unit_form import Forms, UnitForm, compact
from shared.items.chat import call_texts, part_text
from shared.items.item import Item
from shared.jsonbytes.write import Pieces, joined

_SEPARATOR = orjson.dumps("\n\n")[1:-1]
"""Between blocks, as it stands in a JSON string."""


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `text`."""
    return render_units(name, _Blocks(), selection, kept)


class _Blocks:
    """Each unit by itself."""

    def form(self, unit: Sequence[Item], kept: UnitForm | None) -> UnitForm:
        """Return the blocks of *unit*, as they stand in a JSON string."""
        if kept is not None:
            return kept
        sent = read_unit(unit)
        everything = [*sent.head, *sent.outputs]
        pieces = compact(joined(([orjson.dumps(_block(each))[1:-1]] for each in everything), _SEPARATOR))
        beyond_text = {each.item.id for each in everything if None in map(part_text, each.form.parts)}
        return UnitForm(tuple(item.body for item in unit), pieces, frozenset(sent.unsupported | beyond_text))

    def members(self, forms: Sequence[UnitForm]) -> dict[str, Pieces]:
        return {"text": [b'"', *joined((form.pieces for form in forms), _SEPARATOR), b'"']}


def _block(sent: Sent) -> str:
    form = sent.form
    if form.tool_call is not None:
        name, arguments = call_texts(form.tool_call)
        return f"{form.role} (call {form.tool_call['id']}): {name}({arguments})"
    label = form.tool_call_id if form.tool_call_id is not None else form.name
    texts = [text for part in form.parts if (text := part_text(part)) is not None]
    return f"{form.role} ({label}): {'\n'.join(texts)}" if label else f"{form.role}: {'\n'.join(texts)}"
