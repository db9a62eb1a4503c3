"""
The chat form of an item: what of it a Chat Completions message can carry.

Defined once. The token count at append reads `texts()` and `images()` of the form, the chat renderings splice
its parts, so a context's count is the count of what is sent by construction.

    message                                          role, parts
    function_call, custom_tool_call                  one entry of `tool_calls`
    function_call_output, custom_tool_call_output    role tool, tool_call_id, text parts
    everything else                                  none

Parts without a chat form are set aside in `left_out`. Images and files exist in user messages only, refusals
in assistant messages only, as in the chat API. A file counts nothing: no rule for files is published. A document is
text wherever it is mentioned.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.items.mentions import mentioned_path, reference

_TEXT_PARTS = {"input_text", "output_text", "text", "summary_text", "reasoning_text"}
_IMAGE_PARTS = {"input_image", "computer_screenshot"}
_MESSAGE_ROLES = {"user", "system", "developer", "assistant"}

Part = dict[str, Any]


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
        texts = [_text_of(part) for part in self.parts if part["type"] in ("text", "refusal")]
        if self.tool_call is not None:
            texts += call_texts(self.tool_call)
        if self.tool_call_id is not None:
            texts.insert(0, self.tool_call_id)
        return tuple(texts)

    def images(self) -> list[Part]:
        """The image parts; their tokens are computed, not encoded."""
        return [part for part in self.parts if part["type"] == "image_url"]


def chat_form(item: Mapping[str, Any]) -> ChatForm | None:
    """Return the chat form of a normalised *item*, None when it has none."""
    match item.get("type"):
        case "message":
            return _message(item)
        case "function_call":
            function = {"name": _string(item, "name"), "arguments": _string(item, "arguments")}
            call = {"id": _string(item, "call_id"), "type": "function", "function": function}
            return ChatForm("assistant", "", [], call, None, [])
        case "custom_tool_call":
            custom = {"name": _string(item, "name"), "input": _string(item, "input")}
            call = {"id": _string(item, "call_id"), "type": "custom", "custom": custom}
            return ChatForm("assistant", "", [], call, None, [])
        case "function_call_output" | "custom_tool_call_output":
            parts, left_out = _parts(item.get("output"), "tool")
            call_id = _string(item, "call_id")
            return ChatForm("tool", _string(item, "name"), parts, None, call_id, left_out)
        case _:
            return None


def call_texts(tool_call: Mapping[str, Any]) -> list[str]:
    """Return name and arguments (a custom tool's input) of an entry of `tool_calls`."""
    function = tool_call[tool_call["type"]]
    return [function["name"], function["arguments"] if "arguments" in function else function["input"]]


def chat_content(parts: list[Part]) -> str | list[Part]:
    """Return *parts* as a message's `content`: one text as a plain string, several parts as a list."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def _message(item: Mapping[str, Any]) -> ChatForm | None:
    role = item.get("role")
    if not isinstance(role, str) or role not in _MESSAGE_ROLES:
        return None
    parts, left_out = _parts(item.get("content"), role)
    return ChatForm(role, _string(item, "name"), parts, None, None, left_out)


def _parts(content: object, role: str) -> tuple[list[Part], list[Any]]:
    """Split *content*, a string or a list of parts, into chat parts and what has no chat form for *role*."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}], []
    parts: list[Part] = []
    left_out: list[Any] = []
    for part in content if isinstance(content, list) else [content]:
        converted = _part(part, role) if isinstance(part, Mapping) else None
        if converted is not None:
            parts.append(converted)
        elif part is not None:
            left_out.append(part)
    return parts, left_out


def _part(part: Mapping[str, Any], role: str) -> Part | None:
    part_type = part.get("type")
    if part_type in _TEXT_PARTS:
        return _text_part(_string(part, "text"))
    if part_type == "refusal":
        refusal = _string(part, "refusal")
        return {"type": "refusal", "refusal": refusal} if role == "assistant" else _text_part(refusal)
    if (path := mentioned_path(part)) is not None:
        return _text_part(reference(path))
    if role != "user":
        return None
    if part_type in _IMAGE_PARTS and isinstance(part.get("image_url"), str):
        image = {"url": part["image_url"]}
        if part.get("detail") in ("auto", "low", "high"):
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}
    if part_type == "input_file":
        fields = ("file_id", "file_data", "filename")
        file = {field: part[field] for field in fields if isinstance(part.get(field), str)}
        return {"type": "file", "file": file} if file.keys() & {"file_id", "file_data"} else None
    return None


def _text_part(text: str) -> Part:
    return {"type": "text", "text": text}


def _text_of(part: Part) -> str:
    return str(part[part["type"]])


def _string(mapping: Mapping[str, Any], key: str) -> str:
    """Return a string field; "" for an absent one or null, which some clients send for an empty name."""
    value = mapping.get(key)
    return value if isinstance(value, str) else ""
