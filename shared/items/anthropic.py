"""
An item as Anthropic Messages has it: the blocks that it becomes, and what the token rule counts of them.

    message          text, image and document blocks; texts without a visible character are refused there, and left out
    call             one tool_use block: `input` is an object, whatever the arguments were
    output           one tool_result block, with pictures and documents in it
    thinking         a thinking or redacted_thinking block, where it came as one and is signed

A user message of which nothing is left becomes FILLER: without it, two answers would follow each other, or an answer
would stand at the end.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from shared.items.chat import ChatForm
from shared.items.dialects.extras import has_foreign
from shared.items.fitting import (
    ANTHROPIC_NAME_CHARS_MAX,
    FILLER,
    IMAGE_TYPES,
    function_name,
    read_data_url,
    web_url,
)
from shared.items.mentions import mentioned_path, reference
from shared.items.part_types import IMAGE_PART_TYPES, SAID_FIELDS, Part
from shared.items.shown import Extras, Shown, call_object, extras_in, laid_over, shown_parts, thought_text

FORMAT = "anthropic"

type Block = dict[str, Any]


class AnthropicForm(NamedTuple):
    """
    *blocks*, of which none can be sent alone where *is_thinking*. *texts* and *images* (their URLs, None for unknown
    ones) are what counts of them. *is_whole*: nothing of the item is left out.
    """

    blocks: list[Block]
    texts: tuple[str, ...]
    images: tuple[str | None, ...] = ()
    is_whole: bool = True
    is_thinking: bool = False


NOTHING = AnthropicForm([], (), (), is_whole=False)


def anthropic_form(item: Mapping[str, Any], form: ChatForm | None, extras: Extras) -> AnthropicForm:
    """Return the form of a stored *item*, whose chat form is *form*."""
    if form is None:
        return _thinking(item, extras)
    if form.tool_call is not None:
        return _use(item, form.tool_call, extras)
    shown = shown_parts(item, extras, FORMAT, lambda part: _block(part, form.role))
    texts = tuple([block["text"] for block in shown.parts if block["type"] == "text"])
    if form.tool_call_id is not None:
        fields = extras_in(extras, FORMAT).get("fields", {})
        is_whole = shown.is_whole
        if fields.get("is_error"):  # Of what failed it takes texts alone, and at least one.
            said = [part for part in shown.parts if part["type"] == "text"]
            is_whole = is_whole and len(said) == len(shown.parts)
            shown = Shown(said, is_whole)
            if not said:
                shown, texts, is_whole = Shown([{"type": "text", "text": FILLER}], False), (FILLER,), False
        result = {"type": "tool_result", "tool_use_id": form.tool_call_id, "content": shown.parts}
        return AnthropicForm([laid_over(result, fields)], (form.tool_call_id, *texts), _images(shown.parts), is_whole)
    if not shown.parts and form.role == "user":
        return AnthropicForm([{"type": "text", "text": FILLER}], (FILLER,), (), is_whole=False)
    return AnthropicForm(shown.parts, texts, _images(shown.parts), shown.is_whole and bool(shown.parts))


def _thinking(item: Mapping[str, Any], extras: Extras) -> AnthropicForm:
    own = extras_in(extras, FORMAT)
    if not own or item.get("type") != "reasoning":
        return NOTHING
    if "block" in own:
        return AnthropicForm([own["block"]], (), is_thinking=True) if own["block"].get("data") else NOTHING
    fields = own.get("fields", {})
    if not fields.get("signature"):
        return NOTHING
    text = thought_text(item)
    block = laid_over({"type": "thinking", "thinking": text}, fields)
    return AnthropicForm([block], (text,), is_thinking=True)


def _use(item: Mapping[str, Any], tool_call: Part, extras: Extras) -> AnthropicForm:
    text = call_object(tool_call)
    name = function_name(str(item.get("name") or ""), ANTHROPIC_NAME_CHARS_MAX)
    block = {"type": "tool_use", "id": tool_call["id"], "name": name, "input": orjson.Fragment(text)}
    made = laid_over(block, extras_in(extras, FORMAT).get("fields", {}))
    return AnthropicForm([made], (name, text), is_whole=not has_foreign(extras))


def _images(blocks: list[Block]) -> tuple[str | None, ...]:
    """Return what is known of the pictures that are sent: the data in the request itself."""
    return tuple(_data_url(block["source"]) for block in blocks if block["type"] == "image")


def _data_url(source: Block) -> str | None:
    return f"data:{source['media_type']};base64,{source['data']}" if source["type"] == "base64" else None


def _block(part: Part, role: str) -> Block | None:
    part_type = part.get("type")
    if (field := SAID_FIELDS.get(part_type)) is not None:
        text = part.get(field)
        return {"type": "text", "text": text} if isinstance(text, str) and text.strip() else None
    if (path := mentioned_path(part)) is not None:
        return {"type": "text", "text": reference(path)}
    if role not in ("user", "tool"):
        return None
    if part_type in IMAGE_PART_TYPES:
        source = _image_source(part.get("image_url"))
        return None if source is None else {"type": "image", "source": source}
    source = _document_source(part) if part_type == "input_file" else None
    return None if source is None else {"type": "document", "source": source}


def _image_source(url: object) -> Block | None:
    if not isinstance(url, str):
        return None
    if (address := web_url(url)) is not None:
        return {"type": "url", "url": address}
    data = read_data_url(url)
    if data is None or data.media_type not in IMAGE_TYPES:
        return None
    return {"type": "base64", "media_type": data.media_type, "data": data.base64}


def _document_source(part: Part) -> Block | None:
    url, file_data = part.get("file_url"), part.get("file_data")
    if isinstance(file_data, str):
        data = read_data_url(file_data)
        if data is not None and data.media_type == "application/pdf":
            return {"type": "base64", "media_type": data.media_type, "data": data.base64}
    if isinstance(url, str) and (address := web_url(url)) is not None:
        return {"type": "url", "url": address}
    return None
