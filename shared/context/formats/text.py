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
from shared.context.formats.rendering import Joined, Made, Rendering, render_units
from shared.context.formats.sent import Sent, SentUnit
from shared.context.formats.unit_form import Forms, UnitForm
from shared.items.chat import ChatForm, call_texts, part_text
from shared.items.dialects.extras import has_foreign
from shared.jsonbytes.write import joined

_SEPARATOR = orjson.dumps("\n\n")[1:-1]
"""Between blocks, as it stands in a JSON string."""


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `text`."""
    return render_units(name, _Blocks(), selection, kept)


class _Blocks:
    """Each unit by itself."""

    def make(self, unit: SentUnit, *, is_trimmed: bool) -> Made:
        """Return the blocks of *unit*, as they stand in a JSON string."""
        everything = [(each, each.form) for each in (*unit.head, *unit.outputs)]
        blocks = [_block(each, form) for each, form in everything if form is not None]
        unsupported = {each.item.id for each, form in everything if form is None or not _is_whole(each, form)}
        return Made(joined(([orjson.dumps(block)[1:-1]] for block in blocks), _SEPARATOR), unsupported)

    def join(self, forms: Sequence[UnitForm], ends: Sequence[int], *, has_opening: bool) -> Joined:
        return Joined({"text": [b'"', *joined((form.pieces for form in forms), _SEPARATOR), b'"']}, [])


def _is_whole(sent: Sent, form: ChatForm) -> bool:
    return not (form.left_out or has_foreign(sent.extras) or None in map(part_text, form.parts))


def _block(sent: Sent, form: ChatForm) -> str:
    if form.tool_call is not None:
        name, arguments = call_texts(form.tool_call)
        return f"{form.role} (call {sent.call_id}): {name}({arguments})"
    label = sent.call_id if form.tool_call_id is not None else form.name
    texts = [text for part in form.parts if (text := part_text(part)) is not None]
    return f"{form.role} ({label}): {'\n'.join(texts)}" if label else f"{form.role}: {'\n'.join(texts)}"
