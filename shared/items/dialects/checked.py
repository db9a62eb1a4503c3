"""
Extras that come from outside, as an import brings them: what no message could have left beside an item is refused.

The dialects alone know what their messages may hold. So a message is made of what the extras say, the dialect reads it
as one that is appended, and what it leaves beside the item has to be the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from shared.errors import InvalidValue, kind_of, wrong_value
from shared.items.dialects import anthropic, chat, gemini
from shared.items.dialects.extras import Json
from shared.items.dialects.reading import Draft, read_any_object, read_fields
from shared.items.shown import body_parts

MEMBERS = ("format", "content", "left_out", "fields", "block", "refusal", "is_id_made", "call")
_TEXTS = ("input_text", "output_text")
_URL = "https://example.com/a"
_DATA = "data:image/png;base64,AAAA"
_PLAIN = {"type": "text", "text": "."}


def check_extras(item: Mapping[str, Any], raw: object, at: str) -> Json:
    """Return the extras *raw* of a normalised *item*. Raises InvalidValue: no message leaves them there."""
    extras = read_fields(raw, at, MEMBERS)
    check = _CHECKS.get(str(extras.get("format")))
    if check is None:
        raise InvalidValue(f"{at}.format must be 'chat', 'anthropic' or 'gemini'.", param=f"{at}.format")
    _check_kinds(extras, at)
    _check_places(item, extras, at)
    try:
        is_right = check(item, extras)
    except InvalidValue as error:
        raise InvalidValue(f"{at} is not what a message leaves: {error.detail}", param=at) from None
    if not is_right:
        _refuse(at)
    return extras


def _refuse(at: str) -> NoReturn:
    raise InvalidValue(f"{at} is not what a message leaves beside such an item.", param=at)


def _check_kinds(extras: Json, at: str) -> None:
    kinds = {"content": list, "left_out": list, "fields": dict, "block": dict, "refusal": int, "call": dict}
    for name, kind in kinds.items():
        if name in extras and type(extras[name]) is not kind:
            raise wrong_value(f"{at}.{name}", "what it is beside items", kind_of(extras[name]))
    if extras.get("is_id_made", True) is not True:
        raise wrong_value(f"{at}.is_id_made", "true", kind_of(extras["is_id_made"]))


def _check_places(item: Mapping[str, Any], extras: Json, at: str) -> None:
    """Raise InvalidValue: an element of `content` is none, or names no part of the item."""
    parts, elements = body_parts(item), extras.get("content", [])
    for index, element in enumerate(elements):
        is_over = type(element) is list and len(element) == 2 and type(element[1]) is dict
        place = element[0] if is_over else element
        if type(element) is dict:
            continue
        if type(place) is not int or not 0 <= place < len(parts) or type(parts[place]) is not dict:
            raise InvalidValue(f"{at}.content[{index}] names no part of the item.", param=f"{at}.content[{index}]")
    left_out = extras.get("left_out", [])
    if any(type(each) is not int or not 0 <= each < len(elements) for each in left_out):
        raise InvalidValue(f"{at}.left_out names no element of content.", param=f"{at}.left_out")
    if any(type(elements[each]) is not dict for each in left_out):
        raise InvalidValue(f"{at}.left_out names a part of the item.", param=f"{at}.left_out")
    if "refusal" in extras and not 0 <= extras["refusal"] < len(parts):
        raise InvalidValue(f"{at}.refusal names no part of the item.", param=f"{at}.refusal")


def _object_in(members: Json, name: str) -> Json:
    """Return a member that is an object, {} for none. Raises InvalidValue: it is no object."""
    return read_any_object(members, name, "fields") if name in members else {}


def _foreign(extras: Json) -> list[Json]:
    return [each for each in extras.get("content", []) if type(each) is dict]


def _overs(item: Mapping[str, Any], extras: Json) -> list[tuple[Json, Json]]:
    """Return each part that has members over it, with these."""
    parts = body_parts(item)
    return [(parts[each[0]], each[1]) for each in extras.get("content", []) if type(each) is list]


def _is_read(drafts: list[Draft], extras: Json, *names: str) -> bool:
    """Tell whether reading left of *names* what *extras* have, beside the first item that it made."""
    left = drafts[0].extras
    return all(left.get(name) == extras.get(name) for name in names)


def _elements(drafts: list[Draft]) -> list[Any]:
    content: list[Any] = drafts[0].extras.get("content", [])
    return content


def _has_only(extras: Json, *names: str) -> bool:
    return extras.keys() <= {"format", *names}


def _is_message(item: Mapping[str, Any], role: str = "") -> bool:
    return item.get("type") == "message" and role in ("", item.get("role"))


def _chat(item: Mapping[str, Any], extras: Json) -> bool:
    role, fields = str(item.get("role", "")), extras.get("fields", {})
    if item["type"] in ("function_call", "custom_tool_call"):
        if not _has_only(extras, "call", "fields"):
            return False
        over: Json = extras.get("call", {})
        kind = "custom" if item["type"] == "custom_tool_call" else "function"
        called = {"name": "f", "input" if kind == "custom" else "arguments": "{}", **_object_in(over, kind)}
        rest = {name: value for name, value in over.items() if name != kind}
        call = {"id": "c", "type": kind, kind: called, **rest}
        return _is_read(
            chat.read([{"role": "assistant", "tool_calls": [call], **fields}], "m"), extras, "call", "fields"
        )
    if item["type"].endswith("_call_output"):
        message = {"role": "tool", "tool_call_id": "c", "content": ".", **fields}
        return _has_only(extras, "fields") and fields.keys() <= {"name"} and _is_read(
            chat.read([message], "m"), extras, "fields"
        )  # fmt: skip
    if not _is_message(item) or not _has_only(extras, "content", "left_out", "fields", "refusal"):
        return False
    if any(
        part["type"] != "input_image" or over != {"image_url": {"detail": "auto"}}
        for part, over in _overs(item, extras)
    ):
        return False
    if "refusal" in extras and body_parts(item)[extras["refusal"]].get("type") != "refusal":
        return False
    foreign = _foreign(extras)
    drafts = chat.read([{"role": role, "content": [_PLAIN, *foreign], **fields}], "m")
    left_out = [at - _places_before(extras, at) for at in extras.get("left_out", [])]
    read_out = [at - 1 for at in drafts[0].extras.get("left_out", [])]
    return _is_read(drafts, extras, "fields") and _elements(drafts)[1:] == foreign and left_out == read_out


def _places_before(extras: Json, at: int) -> int:
    """Return how many elements before *at* are parts of the item."""
    return sum(type(each) is not dict for each in extras["content"][:at])


def _anthropic(item: Mapping[str, Any], extras: Json) -> bool:
    fields: Json = extras.get("fields", {})
    if item["type"] == "reasoning":
        block = extras.get("block") or {"type": "thinking", "thinking": ".", **fields}
        drafts = anthropic.read([{"role": "assistant", "content": [block]}], "m")
        return _has_only(extras, "block", "fields") and _is_read(drafts, extras, "block", "fields")
    if item["type"] in ("function_call", "custom_tool_call"):
        use = {"type": "tool_use", "id": "c", "name": "f", "input": {}, **fields}
        drafts = anthropic.read([{"role": "assistant", "content": [use]}], "m")
        return _has_only(extras, "fields") and _is_read(drafts, extras, "fields")
    foreign = _foreign(extras)
    if item["type"].endswith("_call_output"):
        content = [_PLAIN, *foreign, *(_block(part, over) for part, over in _overs(item, extras))]
        result = {"type": "tool_result", "tool_use_id": "c", "content": content, **fields}
        drafts = anthropic.read([{"role": "user", "content": [result]}], "m")
        return (
            _has_only(extras, "content", "fields")
            and _is_read(drafts, extras, "fields")
            and _stand(drafts, item, extras)
        )
    if not _is_message(item) or not _has_only(extras, "content", "left_out"):
        return False
    if any(extras["content"][at].get("type") not in anthropic.LEFT_OUT for at in extras.get("left_out", [])):
        return False
    content = [_PLAIN, *foreign, *(_block(part, over) for part, over in _overs(item, extras))]
    if item["role"] == "system":
        drafts = anthropic.read_system(content, "m")
    else:
        drafts = anthropic.read([{"role": item["role"], "content": content}], "m")
    return _stand(drafts, item, extras)


def _stand(drafts: list[Draft], item: Mapping[str, Any], extras: Json) -> bool:
    """Tell whether reading left the foreign parts as they are, and the members over others."""
    foreign, overs = _foreign(extras), [over for _, over in _overs(item, extras)]
    if not foreign and not overs:
        return "content" not in extras or len(drafts) == 1
    elements = _elements(drafts)[1:]
    read = [each for each in elements if type(each) is dict]
    return len(drafts) == 1 and read == foreign and [each[1] for each in elements if type(each) is list] == overs


def _block(part: Json, over: Json) -> Json:
    """Return a block of Anthropic's with *over* as its own members."""
    if part["type"] in _TEXTS:
        return {**_PLAIN, **over}
    kind = "document" if part["type"] == "input_file" else "image"
    return {"type": kind, "source": {"type": "url", "url": _URL}, **over}


def _gemini(item: Mapping[str, Any], extras: Json) -> bool:
    fields: Json = extras.get("fields", {})
    if item["type"] == "reasoning":
        drafts = gemini.read([{"role": "model", "parts": [{"text": ".", "thought": True, **fields}]}], "m")
        return _has_only(extras, "fields") and _is_read(drafts, extras, "fields")
    if item["type"] in ("function_call", "custom_tool_call", "function_call_output", "custom_tool_call_output"):
        is_call = item["type"].endswith("_call")
        data = "functionCall" if is_call else "functionResponse"
        within = {"name": "f", **({} if is_call else {"response": {}}), **_object_in(fields, data)}
        rest = {name: value for name, value in fields.items() if name != data}
        part = {data: within if "is_id_made" in extras else {"id": "c", **within}, **rest}
        drafts = gemini.read([{"role": "model" if is_call else "user", "parts": [part]}], "m")
        wanted = fields if is_call or data in fields else {**fields, data: {"name": "f"}}
        return _has_only(extras, "fields", "is_id_made") and drafts[0].extras.get("fields", {}) == wanted
    if not _is_message(item) or not _has_only(extras, "content"):
        return False
    parts = [{"text": "."}, *_foreign(extras), *(_part(part, over) for part, over in _overs(item, extras))]
    if item["role"] == "system":
        return not _foreign(extras) and not _overs(item, extras)
    role = "model" if item["role"] == "assistant" else "user"
    return _stand(gemini.read([{"role": role, "parts": parts}], "m"), item, extras)


def _part(part: Json, over: Json) -> Json:
    """Return a part of Gemini's with *over* as its own members."""
    if part["type"] in _TEXTS:
        return {"text": ".", **over}
    media_type, data = ("application/pdf", "AAAA") if part["type"] == "input_file" else ("image/png", "AAAA")
    blob = {"mimeType": media_type, "data": data, **_object_in(over, "inlineData")}
    return {**over, "inlineData": blob}


_CHECKS: dict[str, Callable[[Mapping[str, Any], Json], bool]] = {
    "chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
