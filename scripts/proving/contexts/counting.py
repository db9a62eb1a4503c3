"""
The token rule, applied to a rendering of any format: what `tokens` of a context is held against.

Nothing that was counted at append is used: texts and pictures are those of the bytes, and a frame is counted for each
message and result that they hold. Which parts of them are one message, each unit says, rendered alone. A transcript is
held against the text that docs/contexts.md says (transcript.py).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from json import JSONDecoder
from typing import Any, NamedTuple

from scripts.proving.contexts.transcript import read_transcript
from shared.context.fit import Selection
from shared.context.render import render
from shared.tokens.images import data_url_size, image_bound, image_tokens

FRAME_TOKENS = 4
"""Of a message with its role, which is one token."""

REPLY_TOKENS = 3

NOT_ITS_TEXT = -1
"""The count of a transcript that does not say what its items do."""


class _Picture(NamedTuple):
    url: str | None
    detail: str | None = None


def counted(selection: Selection, members: Mapping[str, bytes], count: Callable[[str], int]) -> int:
    """Count a rendering by the token rule: its texts and pictures, and a frame for each message and result."""
    context_format = selection.rules.name
    if context_format == "text":
        said = read_transcript(selection.units, selection.chosen)
        if said.text != json.loads(members["text"]):
            return NOT_ITS_TEXT
        return REPLY_TOKENS + FRAME_TOKENS * said.messages + sum(map(count, said.counted))
    tokens = REPLY_TOKENS + FRAME_TOKENS * _frames(selection, members)
    for each in _counted(context_format, members):
        tokens += _picture_tokens(each) if isinstance(each, _Picture) else count(each)
    return tokens


def _picture_tokens(picture: _Picture) -> int:
    detail = picture.detail or "auto"
    size = data_url_size(picture.url) if picture.url else None
    return image_tokens(detail, *size) if size else image_bound(detail)


def _frames(selection: Selection, members: Mapping[str, bytes]) -> int:
    context_format = selection.rules.name
    if context_format == "chat":
        return len(json.loads(members["messages"]))
    frames = int(selection.has_opening)
    for alone in alone_in(selection):
        frames += _FRAMES[context_format](**{name: json.loads(value) for name, value in alone.items()})
    return frames


def alone_in(selection: Selection) -> Iterator[Mapping[str, bytes]]:
    """Yield what each unit of *selection* is alone, in its format."""
    for index, (unit, chosen) in enumerate(zip(selection.units, selection.chosen, strict=True)):
        trimmed = 0 if index == selection.trimmed else None
        alone = selection._replace(units=[unit], chosen=[chosen], items=unit, has_opening=False, trimmed=trimmed)
        yield render(selection.rules.name, alone).members


def _items_frames(input: Sequence[Mapping[str, Any]]) -> int:  # noqa: A002  # The member's name.
    types = [item["type"] for item in input]
    results = sum(each in ("function_call_output", "custom_tool_call_output") for each in types)
    return results + any(each in ("message", "function_call", "custom_tool_call") for each in types)


def _anthropic_frames(system: Sequence[Any], messages: Sequence[Mapping[str, Any]]) -> int:
    results = [sum(block["type"] == "tool_result" for block in message["content"]) for message in messages]
    return bool(system) + sum(count or 1 for count in results)


def _gemini_frames(contents: Sequence[Mapping[str, Any]], system_instruction: object = None) -> int:
    results = [sum("functionResponse" in part for part in content["parts"]) for content in contents]
    return bool(system_instruction) + sum(count or 1 for count in results)


_FRAMES: Mapping[str, Callable[..., int]] = {
    "items": _items_frames,
    "anthropic": _anthropic_frames,
    "gemini": _gemini_frames,
}
"""How many messages and results one unit is, alone."""


def _counted(context_format: str, members: Mapping[str, bytes]) -> Iterator[str | _Picture]:
    """Yield the texts and pictures of a rendering that the token rule counts; JSON objects as they stand in it."""
    read = {name: _read(value.decode()) for name, value in members.items()}
    yield from _TEXTS[context_format](**read)


_DECODER = JSONDecoder()
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
        end = _DECODER.raw_decode(text, at)[1]
        return _Raw(text[at:end]), end
    if text[at] not in "{[":
        return _DECODER.raw_decode(text, at)
    members: list[tuple[str, Any]] = []
    closing, at = ("}" if text[at] == "{" else "]"), _behind_white(text, at + 1)
    while text[at] != closing:
        at = _behind_white(text, at + 1) if text[at] == "," else at
        name = ""
        if closing == "}":
            name, at = _DECODER.raw_decode(text, at)
            at = _behind_white(text, at) + 1
        value, at = _value(text, at, as_it_stands=name in _AS_IT_STANDS)
        members.append((name, value))
        at = _behind_white(text, at)
    return (dict(members) if closing == "}" else [value for _, value in members]), at + 1


def _behind_white(text: str, at: int) -> int:
    match = _WHITE.match(text, at)
    return match.end() if match else at


def _items_texts(input: Sequence[Mapping[str, Any]]) -> Iterator[str | _Picture]:  # noqa: A002  # The member's name.
    for item in input:
        match item["type"]:
            case "message":
                yield from _parts(item["content"])
            case "function_call":
                yield from (item["name"], item["arguments"])
            case "custom_tool_call":
                # A name that is no JSON's own, as the member of the same name in a call of Anthropic.
                yield from (item["name"], item["input"])
            case "function_call_output" | "custom_tool_call_output":
                yield item.get("call_id") or ""
                output = item["output"]
                yield from [output] if isinstance(output, str) else _parts(output)


def _parts(parts: Sequence[Mapping[str, Any]]) -> Iterator[str | _Picture]:
    """Yield what counts of parts of OpenAI's APIs; of a file nothing does."""
    for part in parts:
        match part["type"]:
            case "input_image":
                yield _Picture(part.get("image_url"), part.get("detail"))
            case "image_url":
                yield _Picture(**part["image_url"])
            case _:
                yield part.get("text", part.get("refusal", ""))


def _chat_texts(messages: Sequence[Mapping[str, Any]]) -> Iterator[str | _Picture]:
    for message in messages:
        content = message["content"]
        yield from _parts(content) if isinstance(content, list) else [content or ""]
        yield message.get("refusal") or ""
        for call in message.get("tool_calls", []):
            yield from call[call["type"]].values()
        yield message.get("tool_call_id", "")
        if "name" in message:
            yield from (message["name"], "+")  # A token more.


def _anthropic_texts(
    system: Sequence[Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]
) -> Iterator[str | _Picture]:
    for block in [*system, *(block for message in messages for block in message["content"])]:
        match block["type"]:
            case "tool_use":
                yield from (block["name"], block["input"])
            case "tool_result":
                yield block["tool_use_id"]
                yield from (said for part in block["content"] for said in _anthropic_block(part))
            case _:
                yield from _anthropic_block(block)


def _anthropic_block(block: Mapping[str, Any]) -> Iterator[str | _Picture]:
    match block["type"]:
        case "text" | "thinking":
            yield block[block["type"]]
        case "image":
            source = block["source"]
            is_inline = source["type"] == "base64"
            yield _Picture(f"data:{source['media_type']};base64,{source['data']}" if is_inline else None)


def _gemini_texts(
    contents: Sequence[Mapping[str, Any]], system_instruction: Mapping[str, Any] | None = None
) -> Iterator[str | _Picture]:
    for content in [system_instruction or {"parts": []}, *contents]:
        for part in content["parts"]:
            yield part.get("text", "")
            if called := part.get("functionCall"):
                yield from (called["name"], called["args"])
            if answer := part.get("functionResponse"):
                said = json.loads(answer["response"])
                is_text = len(said) == 1 and isinstance(said.get("result"), str)
                yield from (answer["name"], said["result"] if is_text else answer["response"])
            data = part.get("inlineData") or part.get("fileData")
            if data and data.get("mimeType", "image/").startswith("image/"):  # Of an unknown type it may be one.
                yield _Picture(f"data:{data['mimeType']};base64,{data['data']}" if "data" in data else None)


_TEXTS: Mapping[str, Callable[..., Iterator[str | _Picture]]] = {
    "items": _items_texts,
    "chat": _chat_texts,
    "anthropic": _anthropic_texts,
    "gemini": _gemini_texts,
}
"""Where a format's texts and pictures stand."""
