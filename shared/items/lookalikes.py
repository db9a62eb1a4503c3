"""
What is sent as an item and is a message of another API: it is refused, and told where it goes.

Stored as an item it would lose its calls.
"""

from collections.abc import Mapping

_ADVICE = {
    "chat": "send chat messages as messages",
    "anthropic": "send Anthropic messages as messages, with format 'anthropic'",
    "gemini": "send Gemini contents as messages, with format 'gemini'",
}
_FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("tool_calls", "function_call", "tool_call_id", "refusal", "audio", "reasoning_content"), "chat"),
    **dict.fromkeys(("stop_reason", "stop_sequence", "usage"), "anthropic"),
    "parts": "gemini",
}
_ROLES: Mapping[str, str] = {"tool": "chat", "function": "chat", "model": "gemini"}
_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("image_url", "input_audio", "file"), "chat"),
    **dict.fromkeys(
        (
            "image",
            "document",
            "search_result",
            "thinking",
            "redacted_thinking",
            "tool_use",
            "tool_result",
            "server_tool_use",
        ),
        "anthropic",
    ),
}


def field_advice(name: str) -> str:
    """Return what to do about an item's unknown field of that *name*, "" when it looks like nothing known."""
    return _advice(_FIELDS, name)


def role_advice(role: object) -> str:
    """Return what to do about a message's *role* that items do not have; "" as above."""
    return _advice(_ROLES, role)


def part_advice(part_type: object) -> str:
    """Return what to do about a part of a type that items do not have; "" as above."""
    return _advice(_PARTS, part_type)


def _advice(table: Mapping[str, str], name: object) -> str:
    found = table.get(name) if isinstance(name, str) else None
    return f": {_ADVICE[found]}" if found else ""
