"""
Renders a selection in the format of the model call: members of the answer, as JSON bytes.

    items      {"input": […]}                  the stored bytes, spliced
    chat       {"messages": […]}               Chat Completions
    anthropic  {"system": […], "messages": […]}
    gemini     {"system_instruction": {"parts": […]}, "contents": […]}
    text       {"text": "…"}                   a transcript to read

Each is the file of its name in shared/context/formats/, and imported by the first context that asks for it.
"""

from functools import cache
from importlib import import_module

from shared.context.fit import Selection
from shared.context.format_rules import RULES
from shared.context.formats.rendering import Render, Rendering
from shared.context.formats.unit_form import NO_FORMS, Forms

FORMATS = tuple(RULES)


def render(context_format: str, selection: Selection, kept: Forms = NO_FORMS) -> Rendering:
    """Render *selection* in its format, one of FORMATS. The same one gives the same bytes, whatever was *kept*."""
    assert context_format == selection.rules.name
    return _renderer(context_format)(context_format, selection, kept)


@cache
def _renderer(name: str) -> Render:
    made: Render = import_module(f"shared.context.formats.{name}").render
    return made
