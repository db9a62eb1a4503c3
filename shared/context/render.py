"""
Renders a selection in the format of the model call: members of the answer, as JSON bytes.

    items      {"input": […]}                  the stored bytes, spliced
    chat       {"messages": […]}               Chat Completions
    anthropic  {"system": […], "messages": […]}
    text       {"text": "…"}                   a transcript to read

What a format cannot carry is left out there, and the item's id is listed in `unsupported`: the whole item has
no form, or one of its parts has none. Only kept items are parsed, and only for the last three.
"""

from typing import NamedTuple

from shared.context.fit import Selection
from shared.splice import Pieces, array, encode, encode_text, nested_array

FORMATS = ("items", "chat", "anthropic", "text")


class Rendering(NamedTuple):
    """*pieces*: names and JSON values, to be spliced into an answer. *unsupported*: ids in log order."""

    pieces: dict[str, Pieces]
    unsupported: list[str]

    @property
    def members(self) -> dict[str, bytes]:
        """The values, each as one text."""
        return {name: b"".join(pieces) for name, pieces in self.pieces.items()}


def render(context_format: str, selection: Selection) -> Rendering:
    """Render *selection* in one of FORMATS. The same selection and format give the same bytes."""
    assert context_format in FORMATS
    if context_format == "items":
        return Rendering({"input": array(item.body for item in selection.items)}, [])
    # The readers of messages are imported by the first context that needs them.
    from shared.context.sent import read_units

    units = read_units(selection.units)
    if context_format == "chat":
        from shared.context.render_chat import render_chat

        messages, unsupported = render_chat(units)
        pieces = {"messages": nested_array(map(encode, messages))}
    elif context_format == "anthropic":
        from shared.context.render_anthropic import render_anthropic

        system, messages, unsupported = render_anthropic(units)
        pieces = {"system": nested_array(map(encode, system)), "messages": nested_array(map(encode, messages))}
    else:
        from shared.context.render_text import render_text

        blocks, unsupported = render_text(units)
        pieces = {"text": encode_text(blocks, "\n\n")}
    return Rendering(pieces, [item.id for item in selection.items if item.id in unsupported])
