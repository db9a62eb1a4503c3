"""
Gemini contents, as requests have them and as candidates bring them; in camelCase or in snake_case.

    system instruction    a system message
    user                  in the order of its parts: an output for each functionResponse, a message for each run of
                          other parts
    model                 in the order of its parts: reasoning for each thought, a call for each functionCall, a message
                          for each run of other parts

Parts are never merged or split, so a thought signature stays with the part that it came with, even an empty one. A call
without an id, and its response, get one by their name: they pair in order.
"""

import re
from collections.abc import Collection
from typing import Any, Final

from shared.errors import InvalidValue, kind_of, missing_value, wrong_value
from shared.items.dialects.extras import Json, content_of, extras_of
from shared.items.dialects.reading import (
    CACHE_MARKS,
    Content,
    Draft,
    read_any_object,
    read_choice,
    read_fields,
    read_list,
    read_text,
    tool_id,
    without_cache_marks,
    write_object,
)
from shared.items.fitting import read_base64
from shared.items.gemini import IMAGES
from shared.items.parts import text_part

NAME: Final = "gemini"

_ROLES = {"user": "user", "function": "user", "model": "assistant"}
"""`function` is what older clients call who answers a call."""

_BESIDES = ("thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata")
_OF_BOTH = ("text", "inlineData", "fileData")
_DATA = {
    "user": (*_OF_BOTH, "functionResponse"),
    "assistant": (*_OF_BOTH, "functionCall", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
}
_BLOB = ("mimeType", "data", "displayName")
_FILE = ("mimeType", "fileUri", "displayName")
_CALL = ("id", "name", "args", "willContinue", "partialArgs")
_RESPONSE = ("id", "name", "response", "parts", "willContinue", "scheduling")
_AS_FILE = frozenset({"application/pdf", "text/plain"})
_UNDERSCORE = re.compile("_([a-z])")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_URI = re.compile(r"(https?|gs)://\S+")


def read(contents: list[Any], path: str) -> list[Draft]:
    """Return what *contents* make. Raises InvalidValue, which names the first thing that is wrong."""
    drafts: list[Draft] = []
    for number, raw in enumerate(contents):
        at = f"{path}[{number}]"
        fields = _fields(raw, at, ("role", "parts"))
        given = read_choice({"role": "user", **fields}, "role", at, tuple(_ROLES))
        drafts += _parts(_ROLES[given], read_list(fields.get("parts"), f"{at}.parts"), f"{at}.parts", number)
    return drafts


def read_system(raw: object, path: str) -> list[Draft]:
    """Return what the system instruction *raw*, a text or a content of texts, makes. Raises InvalidValue."""
    content = Content()
    if type(raw) is str:
        content.add(text_part(raw, by_assistant=False))
    else:
        fields = _fields(raw, path, ("role", "parts"))
        for index, part in enumerate(read_list(fields.get("parts"), f"{path}.parts")):
            at = f"{path}.parts[{index}]"
            content.add(text_part(read_text(_fields(part, at, ("text",)), "text", at), by_assistant=False))
    return [_message(content, "system", path, -1)] if content else []


def _fields(raw: object, at: str, known: Collection[str]) -> Json:
    """Return the members of *raw* by their names in camelCase. Raises as read_fields."""
    if type(raw) is not dict:
        raise wrong_value(at, "an object", kind_of(raw))
    named: Json = {}
    for name, value in raw.items():
        if name in CACHE_MARKS or value is None:
            continue
        camel = name if name in known else _UNDERSCORE.sub(lambda match: match[1].upper(), name)
        if camel in named:
            raise InvalidValue(f"{at}.{camel} stands there twice.", param=f"{at}.{camel}")
        named[camel if camel in known else name] = value
    return read_fields(named, at, known)


def _message(content: Content, role: str, at: str, number: int) -> Draft:
    item = {"type": "message", "role": role, "content": content.parts}
    return Draft(item, extras_of(NAME, content=content_of(content.elements)), number, at)


def _parts(role: str, parts: list[Any], at: str, number: int) -> list[Draft]:
    drafts: list[Draft] = []
    content, since = Content(), at
    for index, raw in enumerate(parts):
        where = f"{at}[{index}]"
        fields = _fields(raw, where, (*_BESIDES, *_DATA[role]))
        data = _data_of(fields, role, where)
        single = _single(fields, data, where)
        if single is None:
            since = since if content else where
            _add(content, fields, data, where, by_assistant=role == "assistant")
            continue
        if content:
            drafts.append(_message(content, role, since, number))
            content = Content()
        drafts.append(Draft(*single, number, where))
    if content or not drafts:
        drafts.append(_message(content, role, since, number))
    return drafts


def _data_of(fields: Json, role: str, at: str) -> str:
    """Return which of its members is what the part holds. Raises InvalidValue: none is, or two are."""
    for name, kind in (("thought", bool), ("thoughtSignature", str)):
        if name in fields and type(fields[name]) is not kind:
            raise wrong_value(f"{at}.{name}", "true or false" if kind is bool else "a string", kind_of(fields[name]))
    if "thoughtSignature" in fields and read_base64(fields["thoughtSignature"]) is None:
        raise InvalidValue(f"{at}.thoughtSignature must be base64.", param=f"{at}.thoughtSignature")
    found = [name for name in _DATA[role] if name in fields]
    if not found and "thoughtSignature" in fields:
        fields["text"] = ""  # A signature alone comes with an empty text, which some clients leave out.
        return "text"
    if not found:
        raise missing_value(f"{at}.text")
    if len(found) > 1:
        raise InvalidValue(f"{at} must hold either {found[0]} or {found[1]}.", param=f"{at}.{found[1]}")
    return found[0]


def _over(fields: Json, data: str) -> Json:
    """Return the members of a part besides its *data*."""
    return {name: value for name, value in fields.items() if name != data}


def _single(fields: Json, data: str, at: str) -> tuple[Json, Json] | None:
    """Return the item that a part makes by itself, and its extras; None for what stands in a message."""
    if data == "functionCall":
        return _call(fields, at)
    if data == "functionResponse":
        return _response(fields, at)
    if data == "text" and fields.get("thought") is True:
        over = {name: value for name, value in _over(fields, data).items() if name != "thought"}
        summary = [{"type": "summary_text", "text": read_text(fields, "text", at)}]
        return {"type": "reasoning", "summary": summary}, {"format": NAME, **extras_of(NAME, fields=over)}
    return None


def _call(fields: Json, at: str) -> tuple[Json, Json]:
    where = f"{at}.functionCall"
    call = _fields(fields["functionCall"], where, _CALL)
    name, has_id = read_text(call, "name", where), "id" in call
    item = {
        "type": "function_call",
        "call_id": read_text(call, "id", where) if has_id else tool_id(name),
        "name": name,
        "arguments": write_object(read_any_object({"args": {}, **call}, "args", where), f"{where}.args"),
    }
    return item, _extras(fields, "functionCall", call, ("id", "name", "args"), has_id=has_id)


def _response(fields: Json, at: str) -> tuple[Json, Json]:
    where = f"{at}.functionResponse"
    response = _fields(fields["functionResponse"], where, _RESPONSE)
    name, has_id = read_text(response, "name", where), "id" in response
    item = {
        "type": "function_call_output",
        "call_id": read_text(response, "id", where) if has_id else tool_id(name),
        "output": write_object(read_any_object(response, "response", where), f"{where}.response"),
    }
    return item, _extras(fields, "functionResponse", response, ("id", "response"), has_id=has_id)


def _extras(fields: Json, data: str, inner: Json, kept: tuple[str, ...], *, has_id: bool) -> Json:
    """Return the extras of a call or a response, of which the item has the members *kept*."""
    over = _over(fields, data)
    if within := {name: value for name, value in inner.items() if name not in kept}:
        over[data] = without_cache_marks(within)
    return extras_of(NAME, fields=over, is_id_made=not has_id)


def _add(content: Content, fields: Json, data: str, at: str, *, by_assistant: bool) -> None:
    over, where = _over(fields, data), f"{at}.{data}"
    if data == "text":
        content.add(text_part(read_text(fields, "text", at), by_assistant=by_assistant), over)
        return
    if data == "inlineData":
        blob = _fields(fields[data], where, _BLOB)
        media_type, base64 = read_text(blob, "mimeType", where), read_base64(read_text(blob, "data", where))
        if base64 is None:
            raise InvalidValue(f"{where}.data must be base64.", param=f"{where}.data")
        _check_media_type(media_type, where)
        blob, url = {**blob, "data": base64}, f"data:{media_type};base64,{base64}"
        if "displayName" in blob:
            over["inlineData"] = {"displayName": read_text(blob, "displayName", where)}
        if media_type.startswith("image/") and not by_assistant:
            content.add({"type": "input_image", "image_url": url}, over)
        elif media_type in _AS_FILE and not by_assistant:
            content.add({"type": "input_file", "file_data": url}, over)
        else:
            _check_taken(media_type, where)
            content.add_foreign({**_over(fields, data), data: blob})
        return
    if data == "fileData":
        file = fields[data] = _fields(fields[data], where, _FILE)
        if not _URI.fullmatch(read_text(file, "fileUri", where)):
            raise InvalidValue(f"{where}.fileUri must be a URI of https or gs.", param=f"{where}.fileUri")
        if "mimeType" in file:
            _check_media_type(read_text(file, "mimeType", where), where)
            _check_taken(file["mimeType"], where)
    content.add_foreign(without_cache_marks(fields))


def _check_media_type(media_type: str, at: str) -> None:
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidValue(f"{at}.mimeType must be a media type, as image/png.", param=f"{at}.mimeType")


def _check_taken(media_type: str, at: str) -> None:
    """Raise InvalidValue for a picture that Gemini refuses and that no other format can show."""
    if media_type.startswith("image/") and media_type not in IMAGES:
        raise InvalidValue(
            f"{at}.mimeType must be one of {', '.join(sorted(IMAGES))}, not {media_type}.", param=f"{at}.mimeType"
        )
