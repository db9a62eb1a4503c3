"""
Items as they are stored, the input of OpenAI's Responses API: `{"input": […]}`, their bytes spliced in log order.

Nothing is parsed, and nothing is beyond this format.
"""

from shared.context.fit import Selection
from shared.context.formats.rendering import Rendering
from shared.context.formats.unit_form import Forms
from shared.jsonbytes.write import array


def render(_name: str, selection: Selection, kept: Forms) -> Rendering:
    """Splice *selection*. Forms of another format stay *kept*: this one has none."""
    return Rendering({"input": array(item.body for item in selection.items)}, [], kept)
