"""
The chat form of an item: what of it a Chat Completions message can carry.

Defined once. The token count at append reads `texts()` and `images()` of the form, the chat renderings splice
its parts, so a context's count is the count of what is sent by construction.

    message_form       role, parts
    function_form      one entry of `tool_calls`, as custom_form for a custom tool
    output_form        role tool, tool_call_id, text parts

Which item has which of these, if any, its entry in types.py says. Parts without a chat form are set aside in
`left_out`; a picture in a result, which is text alone, leaves a note. Names are made to fit. A file counts nothing: no
rule for files is published.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.items.fitting import IMAGE_NOTE, function_name, speaker
from shared.items.kinds import ROLE_KINDS
from shared.items.part_types import PART_TYPES, Part, chat_text, string_field
from shared.tokens.rule import CALL_ARGUMENTS


class ChatForm(NamedTuple):
    """
    An item in chat's terms.

    *parts* are content parts as chat has them. *tool_call* is an entry of `tool_calls`, *tool_call_id* the
    call that an output answers; None for other items.
    """

    role: str
    name: str
    parts: list[Part]
    tool_call: Part | None
    tool_call_id: str | None
    left_out: list[Any]

    def texts(self) -> tuple[str, ...]:
        """The strings that the token rule counts as this item's content."""
        texts = [text for part in self.parts if (text := part_text(part)) is not None]
        if self.tool_call is not None:
            texts += call_texts(self.tool_call)
        if self.tool_call_id is not None:
            texts.insert(0, self.tool_call_id)
        return tuple(texts)

    def images(self) -> list[Part]:
        """The image parts; their tokens are computed, not encoded."""
        return [part for part in self.parts if part["type"] == "image_url"]


def message_form(item: Mapping[str, Any]) -> ChatForm | None:
    """Return the form of a message, None for a role that chat does not know."""
    role = item.get("role")
    if not isinstance(role, str) or role not in ROLE_KINDS:
        return None
    parts, left_out = _parts(item.get("content"), role)
    return ChatForm(role, speaker(string_field(item, "name")), parts, None, None, left_out)


def function_form(item: Mapping[str, Any]) -> ChatForm:
    """Return the form of a call of a function."""
    function = {"name": function_name(string_field(item, "name")), "arguments": string_field(item, "arguments")}
    return _call_form({"id": string_field(item, "call_id"), "type": "function", "function": function})


def custom_form(item: Mapping[str, Any]) -> ChatForm:
    """Return the form of a call of a custom tool."""
    custom = {"name": function_name(string_field(item, "name")), "input": string_field(item, "input")}
    return _call_form({"id": string_field(item, "call_id"), "type": "custom", "custom": custom})


def output_form(item: Mapping[str, Any]) -> ChatForm:
    """Return the form of what answers a call."""
    parts, left_out = _parts(item.get("output"), "tool")
    call_id = string_field(item, "call_id")
    return ChatForm("tool", speaker(string_field(item, "name")), parts, None, call_id, left_out)


def chat_part(part: Mapping[str, Any], role: str) -> Part | None:
    """Return the form of a part of an item in a message of *role*, None where it has none."""
    part_type = PART_TYPES.get(part.get("type", ""))
    return None if part_type is None else part_type.chat(part, role)


def part_text(part: Part) -> str | None:
    """Return the text of a part as chat has it, None for pictures and files."""
    text: str | None = part.get("text", part.get("refusal"))
    return text


def call_texts(tool_call: Mapping[str, Any]) -> list[str]:
    """Return name and arguments (a custom tool's input) of an entry of `tool_calls`."""
    call_type = tool_call["type"]
    called = tool_call[call_type]
    return [called["name"], called[CALL_ARGUMENTS[call_type]]]


def chat_content(parts: list[Part]) -> str | list[Part]:
    """
    Return *parts* as a message's `content`: one text as a plain string, several parts as a list. A refusal stands alone
    or is a text.
    """
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    if len(parts) > 1 and any(part["type"] == "refusal" for part in parts):
        return [chat_text(part["refusal"]) if part["type"] == "refusal" else part for part in parts]
    return parts


def _call_form(tool_call: Part) -> ChatForm:
    return ChatForm("assistant", "", [], tool_call, None, [])


def _parts(content: object, role: str) -> tuple[list[Part], list[Any]]:
    """Split *content*, a string or a list of parts, into chat parts and what has no chat form for *role*."""
    if isinstance(content, str):
        return [chat_text(content)], []
    parts: list[Part] = []
    left_out: list[Any] = []
    listed: list[Any] = content if isinstance(content, list) else [content]
    for part in listed:
        converted = chat_part(part, role) if isinstance(part, dict) else None
        if converted is not None:
            parts.append(converted)
        elif part is not None:
            left_out.append(part)
            if role == "tool" and isinstance(part, dict) and part.get("type") == "input_image":
                parts.append(chat_text(IMAGE_NOTE))
    return parts, left_out
