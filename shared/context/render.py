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

import orjson

from shared.context.fit import Selection
from shared.context.render_anthropic import render_anthropic
from shared.context.render_chat import render_chat
from shared.context.render_text import render_text
from shared.context.sent import read_units

FORMATS = ("items", "chat", "anthropic", "text")


class Rendering(NamedTuple):
    """*members*: names and JSON values, to be spliced into an answer. *unsupported*: ids in log order."""

    members: dict[str, bytes]
    unsupported: list[str]


def render(context_format: str, selection: Selection) -> Rendering:
    """Render *selection* in one of FORMATS. The same selection and format give the same bytes."""
    assert context_format in FORMATS
    if context_format == "items":
        return Rendering({"input": b"[" + b",".join(item.body for item in selection.items) + b"]"}, [])
    units = read_units(selection.units)
    if context_format == "chat":
        messages, unsupported = render_chat(units)
        members = {"messages": orjson.dumps(messages)}
    elif context_format == "anthropic":
        system, messages, unsupported = render_anthropic(units)
        members = {"system": orjson.dumps(system), "messages": orjson.dumps(messages)}
    else:
        text, unsupported = render_text(units)
        members = {"text": orjson.dumps(text)}
    return Rendering(members, [item.id for item in selection.items if item.id in unsupported])
