"""
From what a client sends to what is stored: whole items, checked, in the form in which OpenAI returns them.

    normalize_items      type known? -> id fit? -> fields right? -> parts right? -> fill in what is missing
    normalize_metadata   at most 16 short strings

Filled in where absent: `type: "message"`, `id`, `status: "completed"`, `execution` of a tool search; `annotations` and
`detail` of parts; and a message's string becomes its one text part. A text of a message becomes the text that its role
puts in or out, as the Responses API takes no other. Null is absent: sent to a model, many a null is refused. All else
comes out as it went in, and the caller's objects are never changed. `created_at` is what answers say of an item; it is
left out.

Unknown fields of items and parts are refused; what is within a field stays open. A `name`, which chat messages have and
items have not, is kept apart. The first thing wrong is refused with an InvalidValue whose `param` is the path to it.
Frequent shapes are checked by hand (`Plain`, text parts); the others by pydantic, which is imported when first needed.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from shared.errors import (
    SHOWN_CHARS,
    DuplicateItem,
    InvalidValue,
    kind_of,
    missing_value,
    one_of,
    quoted,
    shown,
    wrong_value,
)
from shared.items.checking import refuse_import
from shared.items.dialects.extras import extras_of
from shared.items.document_paths import check_path
from shared.items.item_type import Parts, Plain
from shared.items.kinds import ROLE_KINDS
from shared.items.lookalikes import field_advice, part_advice, role_advice
from shared.items.mentions import mentioned_path
from shared.items.nulls import REQUIRED_NULLS, without_nulls
from shared.items.part_types import PART_TYPES, TEXT_TYPES
from shared.items.parts import text_part
from shared.items.types import INPUT_ONLY_TYPES, ITEM_TYPES

ITEMS_PER_BATCH_MAX = 100
METADATA_PAIRS_MAX = 16
METADATA_KEY_CHARS_MAX = 64
METADATA_VALUE_CHARS_MAX = 512

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class NormalItem(NamedTuple):
    """
    *given_id*: the client chose the id, so it may be taken already. *extras*, *message*: as in Item, but read. *at*:
    the path to what it was made of.
    """

    id: str
    item: dict[str, Any]
    given_id: bool
    extras: Mapping[str, Any] = {}
    message: str = ""
    at: str = ""


def normalize_items(
    raw_items: object,
    new_id: Callable[[str], str],
    *,
    path: str = "items",
    allow_empty: bool = False,
    count_max: int = ITEMS_PER_BATCH_MAX,
) -> list[NormalItem]:
    """
    Return the items of one batch, same order, ready to be stored. *new_id* makes an id from its prefix.

    *allow_empty* is for the creation of a conversation, where OpenAI takes an empty list, or null, as "none".

    `item_reference` and `compaction_trigger` are refused by name. OpenAI's list of items types the first as
    possible input, and its meaning there would be to link an item of another conversation into this one;
    here a conversation owns its items, and each reply has to hold what was appended.

    Raises:  InvalidValue: `param` is e.g. `items[3].content[0].text`.
             DuplicateItem: an id stands twice in the batch.
    """
    if raw_items is None and allow_empty:
        return []
    if type(raw_items) is not list:
        raise _wrong(path, "a list", raw_items)
    if not raw_items and not allow_empty:
        raise InvalidValue(f"{path} must hold at least one item.", param=path)
    if len(raw_items) > count_max:
        raise InvalidValue(f"{path} must hold at most {count_max} items, not {len(raw_items)}.", param=path)
    index_by_id: dict[str, int] = {}
    normal_items: list[NormalItem] = []
    for index, raw in enumerate(raw_items):
        normal = normalize_item(raw, new_id, f"{path}[{index}]")
        first = index_by_id.setdefault(normal.id, index)
        if first != index:
            raise DuplicateItem(
                f"{path}[{index}].id repeats {path}[{first}].id, {quoted(normal.id)}.",
                param=f"{path}[{index}].id",
            )
        normal_items.append(normal)
    return normal_items


def normalize_metadata(
    raw: object,
    *,
    pairs_max: int = METADATA_PAIRS_MAX,
    key_chars_max: int = METADATA_KEY_CHARS_MAX,
    value_chars_max: int = METADATA_VALUE_CHARS_MAX,
) -> dict[str, str]:
    """Return a copy of *raw*, {} for null. Raises InvalidValue: `param` is metadata or metadata.<key>."""
    if raw is None:
        return {}
    if type(raw) is not dict:
        raise _wrong("metadata", "an object", raw)
    if len(raw) > pairs_max:
        raise InvalidValue(f"metadata must hold at most {pairs_max} pairs, not {len(raw)}.", param="metadata")
    for key, value in raw.items():
        if not 1 <= len(key) <= key_chars_max:
            raise InvalidValue(
                f"The metadata key {quoted(key)} must have 1 to {key_chars_max} characters, not {len(key)}.",
                param="metadata",
            )
        if type(value) is not str:
            raise _wrong(f"metadata.{key}", "a string", value)
        if len(value) > value_chars_max:
            raise InvalidValue(
                f"metadata.{key} must have at most {value_chars_max} characters, not {len(value)}.",
                param=f"metadata.{key}",
            )
    return dict(raw)


def write_metadata(raw: object, bytes_max: int) -> str:
    """Return *raw* as JSON, `{}` for null. Raises InvalidValue, as normalize_metadata, or for more than *bytes_max*."""
    metadata = orjson.dumps(normalize_metadata(raw))
    if len(metadata) > bytes_max:
        raise InvalidValue(
            f"metadata must take at most {bytes_max} bytes as JSON, not {len(metadata)}.",
            param="metadata",
            limit_bytes=bytes_max,
        )
    return metadata.decode()


def normalize_item(raw: object, new_id: Callable[[str], str], at: str) -> NormalItem:
    """Return the item that *raw*, which stands *at* a path, is stored as. Raises InvalidValue."""
    if type(raw) is not dict:
        raise _wrong(at, "an object", raw)
    if "created_at" in raw:
        raw = _without_time(raw, at)
    type_name = _type_name(raw, at)
    item_type = ITEM_TYPES[type_name]
    name = ""
    if type_name == "message" and "name" in raw:
        name = _name(raw["name"], f"{at}.name")
        raw = {field: value for field, value in raw.items() if field != "name"}
    given_id, plain, parts_field = _given_id(raw, at), item_type.plain, item_type.parts.field
    nulls = REQUIRED_NULLS.get(type_name, ())
    if plain is None or not _is_plain(plain, parts_field, raw):
        _check_role(type_name, raw, at)
        _check_shape(type_name, raw, at)
        raw = without_nulls(raw, nulls, parts_field)

    item_id = given_id or new_id(item_type.id_prefix)
    item: dict[str, Any] = {"id": item_id, "type": type_name}
    for field, fill in item_type.filled_in.items():
        item[field] = fill(raw)
    item.update((field, value) for field, value in raw.items() if value is not None or field in nulls)
    if parts_field:
        item[parts_field] = _parts(item_type.parts, raw, at)
    extras = extras_of("chat", fields={"name": name}) if name else {}
    return NormalItem(item_id, item, given_id is not None, extras, "", at)


def _without_time(raw: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Return *raw* without what answers say of when it was appended: what was read may be appended elsewhere."""
    value = raw["created_at"]
    if value is not None and (type(value) not in (int, float) or value < 0):
        raise _wrong(f"{at}.created_at", "a number of seconds that is not negative", value)
    return {field: value for field, value in raw.items() if field != "created_at"}


def _name(raw: object, at: str) -> str:
    if raw is not None and type(raw) is not str:
        raise _wrong(at, "a string", raw)
    return raw or ""


def _check_role(type_name: str, raw: Mapping[str, Any], at: str) -> None:
    if type_name == "message" and (advice := role_advice(raw.get("role"))):
        raise wrong_value(f"{at}.role", one_of(tuple(ROLE_KINDS)), shown(raw["role"]) + advice)


def _type_name(raw: Mapping[str, Any], at: str) -> str:
    type_name = raw.get("type")
    if type_name is None:
        # OpenAI leaves `type` out in two places: messages, and references, which are an id and nothing else.
        if "role" in raw or "content" in raw:
            if "parts" in raw:
                raise InvalidValue(f"{at}.parts is no field of items{field_advice('parts')}.", param=f"{at}.parts")
            return "message"
        if raw.keys() <= {"id", "type"} and "id" in raw:
            type_name = "item_reference"
        else:
            raise InvalidValue(f"{at}.type is required; only messages may leave it out.", param=f"{at}.type")
    if type(type_name) is not str:
        raise _wrong(f"{at}.type", "a string", type_name)
    if type_name in ITEM_TYPES:
        return type_name
    if advice := part_advice(type_name):
        reason = f"{quoted(type_name)} is a part of a message, and no item{advice}"
    elif type_name in INPUT_ONLY_TYPES:
        reason = f"a conversation cannot hold items of type {quoted(type_name)}: {INPUT_ONLY_TYPES[type_name]}"
    else:
        reason = f"{quoted(type_name)} is not an item type of OpenAI's Conversations API"
    raise InvalidValue(f"{at}.type: {reason}.", param=f"{at}.type")


def _given_id(raw: Mapping[str, Any], at: str) -> str | None:
    item_id = raw.get("id")
    if item_id is None:
        return None
    if type(item_id) is not str:
        raise _wrong(f"{at}.id", "a string", item_id)
    if not _ID.fullmatch(item_id):
        raise InvalidValue(
            f"{at}.id must be 1 to 64 letters, digits, underscores or dashes, not {quoted(item_id)}.",
            param=f"{at}.id",
        )
    return item_id


def _is_plain(plain: Plain, parts_field: str, raw: Mapping[str, Any]) -> bool:
    """Whether *raw*, parts aside, is right and made of known strings and nulls; else pydantic decides."""
    required, fields = plain
    if not raw.keys() >= required:
        return False
    for name, value in raw.items():
        if name == parts_field:
            continue
        if name not in fields:
            return False
        if type(value) is str:
            allowed = fields[name]
            if allowed is not None and value not in allowed:
                return False
        elif value is not None or name in required:
            return False
    return True


def _parts(wanted: Parts, raw: Mapping[str, Any], at: str) -> str | list[Any]:
    """Return the parts of an item whose other fields are right."""
    field, types, types_by_assistant, text = wanted
    at = f"{at}.{field}"
    if field not in raw:
        raise missing_value(at)
    parts = raw[field]
    by_assistant = raw.get("role") == "assistant"
    if type(parts) is str and text != "refused":
        return parts if text == "kept" else [text_part(parts, by_assistant=by_assistant)]
    if type(parts) is not list:
        raise _wrong(at, "a list of parts" if text == "refused" else "a string or a list of parts", parts)
    allowed = types_by_assistant if by_assistant else types
    made = [_part(part, allowed, at, index) for index, part in enumerate(parts)]
    return [_as_said(part, by_assistant=by_assistant) for part in made] if text == "a part" else made


def _as_said(part: dict[str, Any], *, by_assistant: bool) -> dict[str, Any]:
    """Return *part* of a message as the Responses API takes it of its role."""
    part_type = part["type"]
    if part_type in TEXT_TYPES and part_type != ("output_text" if by_assistant else "input_text"):
        return text_part(part["text"], by_assistant=by_assistant)
    return {**part, "type": "input_image"} if part_type == "computer_screenshot" else part


def _part(part: object, allowed: tuple[str, ...], at: str, index: int) -> dict[str, Any]:
    if type(part) is not dict:
        raise _wrong(f"{at}[{index}]", "an object", part)
    type_name = part.get("type")
    if type_name not in allowed:
        at = f"{at}[{index}].type"
        if "type" not in part:
            raise missing_value(at)
        expected = " or ".join(quoted(name) for name in allowed)
        raise wrong_value(at, expected, shown(type_name) + part_advice(type_name))
    part_type = PART_TYPES[type_name]
    is_plain = part_type.is_text and _is_plain_text(part)
    if not is_plain:
        _check_shape(type_name, part, f"{at}[{index}]")
    if not is_plain or None in part.values():
        part = without_nulls(part, (), "")
    if (path := mentioned_path(part)) is not None:
        check_path(path, f"{at}[{index}].file_url")
    for field, make in part_type.filled_in.items():
        if part.get(field) is None:
            part = {**part, field: make()}
    return part


def _is_plain_text(part: Mapping[str, Any]) -> bool:
    """Whether a text *part* is without citations, as it is sent or as the API returns it: most parts are."""
    if type(part.get("text")) is not str:
        return False
    return len(part) == 2 or all(
        name in ("type", "text") or (name in ("annotations", "logprobs") and (value is None or value == []))
        for name, value in part.items()
    )


def _check_shape(name: str, value: Mapping[str, Any], at: str) -> None:
    refuse_import()
    from shared.items.types_check import first_error, known_fields

    error = first_error(name, value)
    if error is None:
        known = known_fields(name)
        for field in value:
            if field not in known and value[field] is not None:
                path = f"{at}.{field[:SHOWN_CHARS]}"
                raise InvalidValue(f"{path} is no field of {quoted(name)}{field_advice(field)}.", param=path)
        return
    wrong: Any = value
    for step in error.where if error.expected else ():
        wrong = wrong[step]
    # A step is a key of the client's own in one place (`env`), where it may be of any length.
    param = at + "".join(f"[{step}]" if isinstance(step, int) else f".{step[:SHOWN_CHARS]}" for step in error.where)
    raise _wrong(param, error.expected, wrong) if error.expected else missing_value(param)


def _wrong(param: str, expected: str, value: object) -> InvalidValue:
    """Word a refusal. A string is quoted only against other strings, where its kind explains nothing."""
    got = shown(value) if expected.startswith("'") else kind_of(value)
    return wrong_value(param, expected, got)
