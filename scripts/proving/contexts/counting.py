"""
The token rule, applied to a rendering of any format: what `tokens` of a context is held against.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from json import JSONDecoder
from typing import Any

from shared.context.fit import Selection

FRAME_TOKENS = 4
"""Of a message with its role, which is one token."""


def counted(selection: Selection, members: Mapping[str, bytes], count: Callable[[str], int]) -> int:
    """Count a rendering by the token rule: its texts, and a frame for each message and result that it was made of."""
    context_format = selection.rules.name
    if context_format == "text":  # The messages of chat, in one text, without pictures.
        return selection.tokens
    texts = list(_counted_texts(context_format, members))
    frames = int(selection.has_opening)
    for unit in selection.units:
        said = [item for item in unit if item.overhead_tokens and item.kind != "o"]
        frames += any(item.kind != "r" for item in said)
        frames += sum(item.kind == "o" and item.overhead_tokens > 0 for item in unit)
        calls = sum(item.kind == "c" for item in said)
        frames += max(0, calls - 1) // 128 if context_format == "chat" else 0
    return 3 + FRAME_TOKENS * frames + sum(map(count, texts))


def _counted_texts(context_format: str, members: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the texts of a rendering that the token rule counts; JSON objects as they stand in its bytes."""
    read = {name: _read(value.decode()) for name, value in members.items()}
    yield from _TEXTS[context_format](**read)


_WHITE = re.compile(r"[ \t\n\r]*")
_AS_IT_STANDS = frozenset({"input", "args", "response"})
"""Members that hold JSON of a model's or a tool's own: an object there is not parsed."""


class _Raw(str):
    """JSON as it stands in a rendering."""

    __slots__ = ()


def _read(text: str) -> Any:
    return _value(text, 0, as_it_stands=False)[0]


def _value(text: str, at: int, *, as_it_stands: bool) -> tuple[Any, int]:
    at = _behind_white(text, at)
    if as_it_stands and text[at] == "{":
        end = JSONDecoder().raw_decode(text, at)[1]
        return _Raw(text[at:end]), end
    if text[at] not in "{[":
        return JSONDecoder().raw_decode(text, at)
    members: list[tuple[str, Any]] = []
    closing, at = ("}" if text[at] == "{" else "]"), _behind_white(text, at + 1)
    while text[at] != closing:
        at = _behind_white(text, at + 1) if text[at] == "," else at
        name = ""
        if closing == "}":
            name, at = JSONDecoder().raw_decode(text, at)
            at = _behind_white(text, at) + 1
        value, at = _value(text, at, as_it_stands=name in _AS_IT_STANDS)
        members.append((name, value))
        at = _behind_white(text, at)
    return (dict(members) if closing == "}" else [value for _, value in members]), at + 1


def _behind_white(text: str, at: int) -> int:
    match = _WHITE.match(text, at)
    return match.end() if match else at


def _items_texts(input: Sequence[Mapping[str, Any]]) -> Iterator[str]:  # noqa: A002  # The member's name.
    for item in input:
        match item["type"]:
            case "message":
                yield from (part.get("text", part.get("refusal", "")) for part in item["content"])
            case "function_call":
                yield from (item["name"], item["arguments"])
            case "custom_tool_call":
                # A name that is no JSON's own, as the member of the same name in a call of Anthropic.
                yield from (item["name"], item["input"])
            case "function_call_output" | "custom_tool_call_output":
                yield item.get("call_id") or ""
                output = item["output"]
                yield from [output] if isinstance(output, str) else (part.get("text", "") for part in output)


def _chat_texts(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message["content"]
        if isinstance(content, list):
            yield from (part.get("text", part.get("refusal", "")) for part in content)
        yield content if isinstance(content, str) else ""
        yield message.get("refusal") or ""
        for call in message.get("tool_calls", []):
            yield from call[call["type"]].values()
        yield message.get("tool_call_id", "")
        if "name" in message:
            yield from (message["name"], "+")  # A token more.


def _anthropic_texts(system: Sequence[Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for block in [*system, *(block for message in messages for block in message["content"])]:
        match block["type"]:
            case "text" | "thinking":
                yield block[block["type"]]
            case "tool_use":
                yield from (block["name"], block["input"])
            case "tool_result":
                yield block["tool_use_id"]
                yield from (part.get("text", "") for part in block["content"])


def _gemini_texts(
    contents: Sequence[Mapping[str, Any]], system_instruction: Mapping[str, Any] | None = None
) -> Iterator[str]:
    for content in [system_instruction or {"parts": []}, *contents]:
        for part in content["parts"]:
            yield part.get("text", "")
            if called := part.get("functionCall"):
                yield from (called["name"], called["args"])
            if answer := part.get("functionResponse"):
                said = json.loads(answer["response"])
                is_text = len(said) == 1 and isinstance(said.get("result"), str)
                yield from (answer["name"], said["result"] if is_text else answer["response"])


_TEXTS: Mapping[str, Callable[..., Iterator[str]]] = {
    "items": _items_texts,
    "chat": _chat_texts,
    "anthropic": _anthropic_texts,
    "gemini": _gemini_texts,
}
"""Where a format's texts stand. A transcript is one text, whose blocks are those of chat."""
