"""
How the parts of an item stand in a format: as the format has them, and with what the item's extras say of them.

    shown_parts   the parts in order: converted, with members over them, or as they came (dialects/extras.py)
    laid_over     an object with others' members over it
    object_text   arguments as the text of a JSON object, None where they are none
    call_object   the same of a call; what is no object stands in one
    thought_text  what a thought says
    is_deeper     whether JSON nests deeper than that

A format that is not that of the extras shows the parts of the body alone.
"""

import re
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

import orjson

from shared.items.chat import call_texts
from shared.items.dialects.extras import has_foreign
from shared.items.part_types import Part, chat_text
from shared.jsonbytes.read import WHOLE_BYTES, loads_elements
from shared.jsonbytes.write import dumps

type Extras = Mapping[str, Any]
type Convert = Callable[[Part], Part | None]
"""Makes a format's part of one of the body, None where it has none."""

NO_EXTRAS: Extras = {}

_BRACKET = re.compile(rb"[][{}]")
_STEPS = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class Shown(NamedTuple):
    """*parts* in the format's terms. *is_whole*: there is nothing of the item's that they do not say."""

    parts: list[Part]
    is_whole: bool


def extras_in(extras: Extras, context_format: str) -> Extras:
    """Return *extras* where they are of that format, else none."""
    return extras if extras.get("format") == context_format else NO_EXTRAS


def body_parts(item: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a message or an output; a string is one of them."""
    parts = item.get("output" if "output" in item else "content")
    if isinstance(parts, str):
        return [chat_text(parts)]
    return parts if isinstance(parts, list) else []


def shown_parts(item: Mapping[str, Any], extras: Extras, context_format: str, convert: Convert) -> Shown:
    """Return the parts of *item* in a format that makes them by *convert*."""
    parts = body_parts(item)
    elements: list[Any] = extras.get("content", [])
    if extras.get("format") != context_format:
        is_whole = not has_foreign(extras)
        elements = []
    elif left_out := extras.get("left_out"):
        is_whole = False
        elements = [element for at, element in enumerate(elements) if at not in left_out]
        parts = parts if elements else []
    else:
        is_whole = True
    shown: list[Part] = []
    for element in elements or range(len(parts)):
        if isinstance(element, dict):
            shown.append(element)
            continue
        at, over = element if isinstance(element, list) else (element, None)
        part = parts[at]
        made = convert(part) if isinstance(part, dict) else None
        if made is None:
            is_whole = is_whole and _says_nothing(part)
        else:
            shown.append(laid_over(made, over) if over else made)
    return Shown(shown, is_whole)


def _says_nothing(part: object) -> bool:
    """Tell whether a part that has no form is a text without a visible character."""
    text = part.get("text") if isinstance(part, dict) else None
    return isinstance(text, str) and not text.strip()


def laid_over(below: Mapping[str, Any], over: Mapping[str, Any]) -> Part:
    """Return *below* with the members of *over*: objects go into objects, all else replaces what is there."""
    merged = dict(below)
    for name, value in over.items():
        under = merged.get(name)
        merged[name] = laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


_JSON_SPACE = " \t\n\r"
"""Other white space around a value is no JSON."""


def object_text(text: str) -> str | None:
    """
    Return *text*, a JSON object, as it stands, so that no number loses a digit; with the last of equal names alone.
    "{}" for blank text, and None where it is no object.
    """
    if not text.strip():
        return "{}"
    stripped = text.strip(_JSON_SPACE)
    if not stripped.startswith("{"):
        return None
    raw = stripped.encode()
    try:
        value = loads_elements(raw)
    except orjson.JSONDecodeError:
        return None
    if len(raw) > WHOLE_BYTES:  # Looking for equal names would take milliseconds.
        return text
    try:
        once = dumps(value)
    except orjson.JSONEncodeError:  # It nests too deeply to be written again.
        return text
    return text if _has_as_many_names(once, raw) else once.decode()


def call_object(tool_call: Mapping[str, Any], read: Callable[[str], str | None] = object_text) -> str:
    """Return what a call, an entry of `tool_calls`, was given, as an object's text; what *read* finds none in one."""
    is_function, given = tool_call["type"] == "function", call_texts(tool_call)[1]
    text = read(given) if is_function else None
    return orjson.dumps({"arguments" if is_function else "input": given}).decode() if text is None else text


def thought_text(item: Mapping[str, Any]) -> str:
    """Return what an item of reasoning says."""
    return "".join(part.get("text", "") for part in item.get("summary") or [])


def is_deeper(text: str, levels: int) -> bool:
    """Tell whether the JSON *text* nests deeper than *levels*."""
    if text.count("{") + text.count("[") <= levels:
        return False
    brackets = _BRACKET.findall(_STRING.sub(b"", text.encode()))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > levels


def _has_as_many_names(once: bytes, raw: bytes) -> bool:
    """Tell whether the value of *raw* has no names but those in *once*, where it is written anew."""
    if b"\\u" not in raw:  # No other escape becomes a quotation mark, or hides one.
        return once.count(b'"') == raw.count(b'"')
    return _names(once) == _names(raw)


def _names(raw: bytes) -> int:
    return _STRING.sub(b"", raw).count(b":")
