"""
An item as Gemini has it: the parts that it becomes, and what the token rule counts of them.

    message          text, inlineData and fileData; texts without a visible character are left out
    call             one functionCall part: `args` is an object, whatever the arguments were
    output           one functionResponse part: `response` is the object that the output is, or {"result": its text}
    thinking         parts with `thought: true`, where it came as one

A part with a thought signature stands as it came, even with an empty text. What is counted of a result is the name of
its function and its text: identifiers stand only where the call had one, and reach no model.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from shared.items.chat import ChatForm
from shared.items.dialects.extras import has_foreign
from shared.items.fitting import FILLER, IMAGE_NOTE, gemini_name, read_data_url, web_url
from shared.items.mentions import mentioned_path, reference
from shared.items.part_types import IMAGE_PART_TYPES, SAID_FIELDS, Part
from shared.items.shown import (
    Extras,
    call_object,
    extras_in,
    is_deeper,
    laid_over,
    object_text,
    shown_parts,
    thought_text,
)

FORMAT = "gemini"
DEPTH_MAX = 64
"""Of arguments and results: its parser of JSON stops at 100, and they stand some levels deep."""

IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
"""The pictures that Gemini takes."""

RESULT_CHARS = 20
"""Within so many an object that is nothing but a `result` names it."""

_OTHERS = re.compile(r"(audio|video|text)/[a-z0-9.+-]+")
_TYPE_BY_ENDING = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
}


class GeminiForm(NamedTuple):
    """*parts*, of which none can be sent alone where *is_thinking*; the rest as in AnthropicForm."""

    parts: list[Part]
    texts: tuple[str, ...]
    images: tuple[str | None, ...] = ()
    is_whole: bool = True
    is_thinking: bool = False


NOTHING = GeminiForm([], (), (), is_whole=False)


def gemini_form(item: Mapping[str, Any], form: ChatForm | None, extras: Extras) -> GeminiForm:
    """Return the form of a stored *item*, whose chat form is *form*."""
    if form is None:
        return _thinking(item, extras)
    own = extras_in(extras, FORMAT)
    if form.tool_call is not None:
        return _call(item, form.tool_call, own)._replace(is_whole=not has_foreign(extras))
    if form.tool_call_id is not None:
        return _response(item, form.tool_call_id, extras)
    shown = shown_parts(item, extras, FORMAT, lambda part: _part(part, form.role))
    parts = shown.parts
    if own.get("fields") and parts:
        parts = [*parts[:-1], laid_over(parts[-1], own["fields"])]
    parts = [part for part in parts if part.get("text", FILLER).strip() or len(part) > 1]
    texts = tuple(part["text"] for part in parts if "text" in part)
    if not parts and form.role == "user":
        return GeminiForm([{"text": FILLER}], (FILLER,), (), is_whole=False)
    return GeminiForm(parts, texts, _images(parts), shown.is_whole and bool(parts))


def _thinking(item: Mapping[str, Any], extras: Extras) -> GeminiForm:
    own = extras_in(extras, FORMAT)
    if not own or item.get("type") != "reasoning":
        return NOTHING
    text = thought_text(item)
    part = laid_over({"text": text, "thought": True}, own.get("fields", {}))
    if not text and "thoughtSignature" not in part:
        return GeminiForm([], (), is_thinking=True)  # It is refused, and says nothing.
    return GeminiForm([part], (text,), is_thinking=True)


def _call(item: Mapping[str, Any], tool_call: Part, own: Extras) -> GeminiForm:
    text = call_object(tool_call, _object)
    name = gemini_name(str(item.get("name") or ""))
    call: Part = {"name": name, "args": orjson.Fragment(text)}
    if not own.get("is_id_made"):
        call = {"id": tool_call["id"], **call}
    return GeminiForm([laid_over({"functionCall": call}, own.get("fields", {}))], (name, text))


def _response(item: Mapping[str, Any], call_id: str, extras: Extras) -> GeminiForm:
    """Return a result; its name is that of its call, which only the unit knows."""
    own = extras_in(extras, FORMAT)
    notes: list[Part] = []
    shown = shown_parts(item, extras, FORMAT, lambda part: _result_text(part, notes))
    text = "\n".join(part["text"] for part in shown.parts if "text" in part)
    said = _object(text) if text.strip() else None
    if said is not None and (result := _result(said)) is not None:
        said, text = None, result  # It is what a text is made to be.
    response = orjson.Fragment(said if said is not None else orjson.dumps({"result": text}))
    answer: Part = {"name": "", "response": response}
    if not own.get("is_id_made"):
        answer = {"id": call_id, **answer}
    part = laid_over({"functionResponse": answer}, own.get("fields", {}))
    return GeminiForm([part], (text if said is None else said,), (), shown.is_whole and not notes)


def _result(said: str) -> str | None:
    """Return the text in an object that holds nothing but a `result`, None for another one."""
    value = orjson.loads(said) if '"result"' in said[:RESULT_CHARS] else {}
    text = value.get("result") if len(value) == 1 else None
    return text if isinstance(text, str) else None


def _result_text(part: Part, notes: list[Part]) -> Part | None:
    if (made := _part(part, "tool")) is not None:
        return made
    if part.get("type") in IMAGE_PART_TYPES:
        notes.append(part)
        return {"text": IMAGE_NOTE}
    return None


def _images(parts: list[Part]) -> tuple[str | None, ...]:
    """Return what is known of the pictures that are sent: the data in the request itself, nothing where it is a URI."""
    sent = [part.get("inlineData") or part.get("fileData") for part in parts]
    return tuple(_data_url(data) for data in sent if data and data.get("mimeType", "image/").startswith("image/"))


def _data_url(data: Part) -> str | None:
    return f"data:{data['mimeType']};base64,{data['data']}" if "data" in data else None


def _part(part: Part, role: str) -> Part | None:
    part_type = part.get("type")
    if (field := SAID_FIELDS.get(part_type)) is not None:
        text = part.get(field)
        return {"text": text} if isinstance(text, str) else None
    if (path := mentioned_path(part)) is not None:
        return {"text": reference(path)}
    if role != "user":
        return None
    if part_type in IMAGE_PART_TYPES:
        return _data(part.get("image_url"), IMAGES)
    if part_type == "input_file":
        return _data(part.get("file_data"), IMAGES | {"application/pdf"}) or _data(part.get("file_url"), frozenset())
    return None


def _data(url: object, media_types: frozenset[str]) -> Part | None:
    if not isinstance(url, str):
        return None
    if (address := web_url(url)) is not None:
        ending = url.partition("?")[0].rpartition(".")[2].lower()
        known = {"mimeType": _TYPE_BY_ENDING[ending]} if ending in _TYPE_BY_ENDING else {}
        return {"fileData": {**known, "fileUri": address}}
    data = read_data_url(url)
    if data is None or not (data.media_type in media_types or (media_types and _OTHERS.fullmatch(data.media_type))):
        return None
    return {"inlineData": {"mimeType": data.media_type, "data": data.base64}}


def _object(text: str) -> str | None:
    made = object_text(text)
    return None if made is None or is_deeper(made, DEPTH_MAX) else made
