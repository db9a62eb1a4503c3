"""
Reading messages of other APIs strictly: what is not known is refused by its path, null counts as absent.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import orjson

from shared.errors import SHOWN_CHARS, InvalidValue, kind_of, missing_value, one_of, shown, wrong_kind, wrong_value
from shared.items.dialects.extras import Element, Json
from shared.jsonbytes.write import dumps

CACHE_MARKS = frozenset({"cache_control", "prompt_cache_breakpoint"})
"""They say where a provider's cache of this very request ends: nothing to remember."""


class Draft(NamedTuple):
    """
    An item that a message makes, as a client would send it, and its extras. *message*: the number of the message, -1
    for the system prompt beside them. *at*: the path to what it was made of.
    """

    item: Json
    extras: Json
    message: int
    at: str


def read_fields(raw: object, at: str, known: Collection[str]) -> Json:
    """Return the members of *raw* that are not null. Raises InvalidValue: it is no object, or has unknown members."""
    if type(raw) is not dict:
        raise wrong_value(at, "an object", kind_of(raw))
    fields = {name: value for name, value in raw.items() if value is not None and name not in CACHE_MARKS}
    for name in fields:
        if name not in known:
            path = f"{at}.{name[:SHOWN_CHARS]}"
            raise InvalidValue(f"{path} is not known here; known are {', '.join(sorted(known))}.", param=path)
    return fields


def read_list(raw: object, at: str, expected: str = "a list") -> list[Any]:
    """Return *raw*, [] for null. Raises InvalidValue."""
    if raw is None:
        return []
    if type(raw) is not list:
        raise wrong_value(at, expected, kind_of(raw))
    return raw


def read_text(fields: Mapping[str, Any], name: str, at: str) -> str:
    """Return a member that has to be a string. Raises InvalidValue."""
    value = fields.get(name)
    if type(value) is not str:
        raise wrong_kind(f"{at}.{name}", "a string", value)
    return value


def read_object(fields: Mapping[str, Any], name: str, at: str, known: Collection[str]) -> Json:
    """Return a member that has to be an object of *known* members. Raises InvalidValue."""
    if name not in fields:
        raise missing_value(f"{at}.{name}")
    return read_fields(fields[name], f"{at}.{name}", known)


def read_any_object(fields: Mapping[str, Any], name: str, at: str) -> Json:
    """Return a member that has to be an object, of whatever. Raises InvalidValue."""
    value = fields.get(name)
    if type(value) is not dict:
        raise wrong_kind(f"{at}.{name}", "an object", value)
    return value


def read_choice(fields: Mapping[str, Any], name: str, at: str, choices: tuple[str, ...]) -> str:
    """Return a member that has to be one of *choices*. Raises InvalidValue."""
    value = fields.get(name)
    if type(value) is not str or value not in choices:
        if value is None:
            raise missing_value(f"{at}.{name}")
        raise wrong_value(f"{at}.{name}", one_of(choices), shown(value))
    return value


def read_type(raw: object, at: str, choices: tuple[str, ...]) -> str:
    """Return the `type` of *raw*, which has to be an object with one of *choices*. Raises InvalidValue."""
    if type(raw) is not dict:
        raise wrong_value(at, "an object", kind_of(raw))
    return read_choice(raw, "type", at, choices)


def without_cache_marks(value: Json) -> Json:
    """Return a copy of *value* without the marks of a cache anywhere, and without null among its own members."""
    top: list[Any] = [value]
    left: list[tuple[Any, Any]] = [(top, 0)]  # JSON may nest deeper than Python calls.
    while left:
        holder, at = left.pop()
        member = holder[at]
        if isinstance(member, dict):
            keep_null = holder is not top
            member = {
                name: each
                for name, each in member.items()
                if name not in CACHE_MARKS and (keep_null or each is not None)
            }
            left += [(member, name) for name in member]
        elif isinstance(member, list):
            member = list(member)
            left += [(member, index) for index in range(len(member))]
        holder[at] = member
    made: Json = top[0]
    return made


def write_object(value: Json, at: str) -> str:
    """Return *value* as compact JSON, with all digits. Raises InvalidValue: it nests too deeply."""
    try:
        return dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidValue(f"{at} cannot be stored: {error}.", param=at) from None


class Content:
    """The parts of an item as they are read: those that items have a form for, and how all of them stand."""

    def __init__(self) -> None:
        self.parts: list[Json] = []
        self.elements: list[Element] = []
        self.left_out: list[int] = []

    def __bool__(self) -> bool:
        return bool(self.elements)

    def add(self, part: Json, over: Json | None = None) -> None:
        """Add *part*, which the dialect shows with the members of *over* as well."""
        at = len(self.parts)
        self.parts.append(part)
        self.elements.append([at, over] if over else at)

    def add_foreign(self, part: Json, *, is_left_out: bool = False) -> None:
        """Add what only the dialect itself has a form for, and would refuse where *is_left_out*."""
        if is_left_out:
            self.left_out.append(len(self.elements))
        self.elements.append(part)


def tool_id(name: str) -> str:
    """
    Return the id of a call that has none, and of its answer: they pair by name, and in order.

    No context sends an id twice, so that many calls may have the same.
    """
    letters = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "_" for letter in name)
    return f"call_of_{letters}"[:64]
