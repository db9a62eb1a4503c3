"""
Chat Completions, `{"messages": […]}`: a response group is one assistant message, each output a tool message after it.

Role, name, content and calls stand in the messages exactly as they were counted (shared/items/chat.py).
"""

from collections.abc import Sequence

from shared.context.fit import Selection
from shared.context.formats.rendering import Rendering, render_units
from shared.context.formats.sent import Message, Sent, read_unit
from shared.context.formats.unit_form import Forms, UnitForm, compact
from shared.items.chat import chat_content
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.jsonbytes.write import Pieces, encode, joined, nested_array


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `messages`."""
    return render_units(name, _Messages(), selection, kept)


class _Messages:
    """Each unit by itself."""

    def form(self, unit: Sequence[Item], kept: UnitForm | None) -> UnitForm:
        """Return the messages of *unit*."""
        if kept is not None:
            return kept
        sent = read_unit(unit)
        messages = [_message(sent.head)] if sent.head else []
        messages += [_tool_message(output) for output in sent.outputs]
        pieces = compact(joined(map(encode, messages), b","))
        return UnitForm(tuple(item.body for item in unit), pieces, frozenset(sent.unsupported))

    def members(self, forms: Sequence[UnitForm]) -> dict[str, Pieces]:
        return {"messages": nested_array(form.pieces for form in forms)}


def _message(head: list[Sent]) -> Message:
    parts = [part for sent in head for part in sent.form.parts]
    calls = [sent.form.tool_call for sent in head if sent.form.tool_call is not None]
    is_calls_only = all(sent.item.kind == Kind.CALL for sent in head)
    message: Message = {"role": head[0].form.role, "content": None if is_calls_only else chat_content(parts)}
    if name := next((sent.form.name for sent in head if sent.form.name), ""):
        message["name"] = name
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_message(output: Sent) -> Message:
    message: Message = {
        "role": "tool",
        "tool_call_id": output.form.tool_call_id,
        "content": chat_content(output.form.parts),
    }
    if output.form.name:
        message["name"] = output.form.name
    return message
