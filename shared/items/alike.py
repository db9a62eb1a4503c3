"""
Items that every format sends alike, told by their shape.

    message          of texts alone, each with a visible character
    function_call    with a name that all admit, and one object for arguments
    an output        that is one text, or nothing

Nearly all items of a conversation are such. To write one down in all formats and compare (differences.py) takes five
times as long as all else that is read of it. What is not told here may be alike all the same.
"""

from collections.abc import Mapping
from re import compile as pattern
from typing import Any

from shared.items.gemini import DEPTH_MAX, RESULT_CHARS
from shared.items.kinds import ROLE_KINDS
from shared.items.mentions import PART_FIELDS
from shared.items.responses import fitting_id
from shared.items.shown import is_deeper, object_text

_OUTPUT = frozenset({"id", "type", "call_id", "output"})
_FIELDS: Mapping[object, frozenset[str]] = {
    "message": frozenset({"id", "type", "status", "role", "phase", "content"}),
    "function_call": frozenset({"id", "type", "status", "call_id", "namespace", "name", "arguments"}),
    "function_call_output": _OUTPUT | {"status", "namespace"},
    "custom_tool_call_output": _OUTPUT,
}
"""By type, what may be there: fields that no format changes or leaves out."""

_TEXT = frozenset({"type", "text"})
_PUT_OUT = _TEXT | {"annotations", "logprobs"}
_NAME = pattern(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")


def is_alike(item: Mapping[str, Any]) -> bool:
    """Tell whether all formats send of a stored *item*, which came with no extras, what chat does."""
    item_type, item_id = item.get("type"), item.get("id")
    fields = _FIELDS.get(item_type)
    if fields is None or not item.keys() <= fields or fitting_id(str(item_type), item_id) is not item_id:
        return False
    for name, value in item.items():
        if type(value) is not str and name not in PART_FIELDS:
            return False
    if item_type == "message":
        role = item.get("role")
        return role in ROLE_KINDS and _are_texts(item.get("content"), by_assistant=role == "assistant")
    if item_type == "function_call":
        return _NAME.fullmatch(item.get("name", "")) is not None and _is_object(item.get("arguments", ""))
    output = item.get("output", "")
    return _is_text(output if type(output) is str else _only_text(output))


def _are_texts(parts: object, *, by_assistant: bool) -> bool:
    if type(parts) is not list or not parts:
        return False
    wanted, fields = ("output_text", _PUT_OUT) if by_assistant else ("input_text", _TEXT)
    for part in parts:
        if type(part) is not dict or part.get("type") != wanted or not part.keys() <= fields:
            return False
        text = part.get("text")
        if type(text) is not str or not _is_seen(text):
            return False
        if by_assistant and (part.get("annotations") != [] or part.get("logprobs", []) != []):
            return False
    # No white space may stand at the end of a request to Anthropic, which what a model said can be.
    return not (by_assistant and parts[-1]["text"][-1].isspace())


def _is_object(arguments: str) -> bool:
    return object_text(arguments) is arguments and not is_deeper(arguments, DEPTH_MAX)


def _only_text(parts: Any) -> str | None:
    """Return the text of a single part."""
    part = parts[0] if type(parts) is list and len(parts) == 1 else None
    if type(part) is not dict or part.get("type") != "input_text" or not part.keys() <= _TEXT:
        return None
    text = part.get("text")
    return text if type(text) is str else None


def _is_text(output: str | None) -> bool:
    if output is None:
        return False
    stripped = output.lstrip()
    if not stripped:
        return not output
    if not stripped.startswith("{"):
        return True
    return object_text(output) in (None, output) and '"result"' not in stripped[:RESULT_CHARS]


def _is_seen(text: str) -> bool:
    return text != "" and not text.isspace()
