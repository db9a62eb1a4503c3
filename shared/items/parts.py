"""
The text part of an item, as OpenAI stores it.
"""

from typing import Any


def text_part(text: str, *, by_assistant: bool) -> dict[str, Any]:
    """Return *text* as a part: what the assistant says is put out, all else is put in."""
    if by_assistant:
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
