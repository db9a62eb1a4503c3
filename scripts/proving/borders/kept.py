"""
Whether all that an item says stands in what is sent of it. Read from the stored body and the extras, and from nothing
that renders.

    texts and refusals     but for white space around them
    pictures, files        by what they are: the data, the address, the id
    calls, Gemini's results
                           what they were given, or say, in Anthropic and Gemini as the same JSON value
    thinking, other types  every text that they hold; in no format but their own
    extras                 what only their own dialect has a form for

An item that is named may lack anything. Ids, names, roles and status are not what an item says: formats change them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from shared.items.item import Item, read_extras

_SAID = ("text", "refusal")
_SOURCES = ("file_id", "image_url", "file_data", "file_url")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_PARTS = {"message": "content", **dict.fromkeys(_OUTPUTS, "output")}
_GIVEN = {"function_call": "arguments", "custom_tool_call": "input"}
_SCREEN = "computer_call_output"
_NOT_SAID = frozenset(
    {"id", "type", "role", "status", "call_id", "approval_request_id", "execution", "detail", "phase", "caller"}
)
_OBJECTS = ("input", "args", "response")


def is_all_there(
    context_format: str, unit: Sequence[Item], members: Mapping[str, bytes], named: set[str]
) -> Iterator[str]:
    """Yield the type of each item of *unit* of which something is neither in *members* nor the item *named*."""
    sent = {name: json.loads(value) for name, value in members.items()}
    everything = "\0".join(strings(sent))
    objects = list(_objects(sent))
    wanted: Counter[str] = Counter()
    for item in unit:
        if item.id in named:
            continue
        body, extras = orjson.loads(item.body), read_extras(item)
        is_own = extras.get("format") == context_format
        kind = body["type"]
        if context_format != "items" and kind not in (*_PARTS, *_GIVEN) and not (kind == "reasoning" and is_own):
            yield kind  # It has no form there, and is not named.
            continue
        if not is_own and _foreign(extras):
            yield f"{kind}, of another dialect"
            continue
        if context_format == "gemini" and kind in _OUTPUTS and _result(body) in objects:
            continue
        wanted.update(_said(body, extras if is_own else {}))
        has_all = all(any(source in everything for source in sources) for sources in _sources(body))
        if not has_all or any(everything.count(said) < times for said, times in wanted.items()):
            yield kind
            wanted.clear()
        elif kind in _GIVEN and not _is_given(body, context_format, everything, objects):
            yield f"what a {kind} was given"


def strings(value: Any) -> Iterator[str]:
    """Yield all strings in *value*, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def _objects(value: Any) -> Iterator[Any]:
    """Yield what calls were given, where that is an object."""
    if isinstance(value, dict):
        yield from (value[name] for name in _OBJECTS if isinstance(value.get(name), dict))
        for inner in value.values():
            yield from _objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _said(body: Mapping[str, Any], extras: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts that have to be sent of an item with *extras* of the format that it is sent in."""
    kind = body["type"]
    if kind in _PARTS:
        parts = body[_PARTS[kind]]
        for part in [{"text": parts}] if isinstance(parts, str) else parts:
            yield from (part[name].strip() for name in _SAID if isinstance(part.get(name), str))
    elif kind not in (*_GIVEN, _SCREEN):
        yield from (text for text in _texts(body) if text)
    yield from _texts(list(_foreign(extras)))
    yield from _texts({name: value for name, value in extras.get("fields", {}).items() if name != "name"})


def _sources(body: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield what a picture or a file is known by, one of which has to be sent: the data, an address, an id."""
    parts = body.get(_PARTS.get(body["type"], ""))
    if body["type"] == _SCREEN:
        parts = [body["output"]]
    for part in parts if isinstance(parts, list) else []:
        if sources := [part[name] for name in _SOURCES if part.get(name)]:
            yield [each.partition(";base64,")[2] or each.partition(":")[2] or each for each in sources]


def _texts(value: Any) -> Iterator[str]:
    """Yield the strings in *value* that say something."""
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NOT_SAID:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _foreign(extras: Mapping[str, Any]) -> list[Any]:
    """Return what only the dialect of *extras* has a form for."""
    audio = extras.get("fields", {}).get("audio")
    found = [element for element in extras.get("content", []) if isinstance(element, dict)]
    return [*found, *(each for each in (extras.get("block"), audio) if each)]


def _result(body: Mapping[str, Any]) -> Any:
    """Return the JSON value that an output is, or its text."""
    output = body["output"]
    text = output if isinstance(output, str) else "\n".join(part.get("text", "") for part in output)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_given(body: Mapping[str, Any], context_format: str, everything: str, objects: Sequence[Any]) -> bool:
    given = body[_GIVEN[body["type"]]]
    if context_format not in ("anthropic", "gemini"):
        return given in everything
    name = _GIVEN[body["type"]]
    if name == "input":
        return {"input": given} in objects
    try:
        value = json.loads(given) if given.strip() else {}
    except ValueError:
        value = None
    # What is no object, or nests too deeply for the provider, is a text.
    return value in objects or {"arguments": given} in objects
