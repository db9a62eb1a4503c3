"""
JSON that is too large for one call: how much of it there is, and reading it string by string.

    is_crowded   whether it holds more values than can be parsed at once, told without parsing
    loads        the value, in many short calls instead of a long one

Both first make every escape harmless: a backslash and what it escapes are replaced by as many other bytes, after which
each quotation mark begins or ends a string. All of it runs at the speed of C, in calls of less than a millisecond.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

WHOLE_BYTES = 256 * 1024
"""Parsed at once: 0.3 ms as strings, and never more than 5 ms."""

CHUNK_BYTES = 64 * 1024
_STRUCTURE = b",:[{"
_SCALAR = re.compile(rb'[^\s\[\]{}:,"]+')
_SEPARATORS = re.compile(rb"[\s:,]*")
_CLOSING = {ord("["): ord("]"), ord("{"): ord("}")}


def is_crowded(raw: bytes, structure_max: int) -> bool:
    """
    Tell whether *raw* has more than *structure_max* commas, colons and opening brackets outside its strings.

    Parsing costs at most 65 ns for each, and 1 ms for each megabyte (`scripts/bench parse`).
    """
    if _structure_of(raw) <= structure_max:  # Even with those inside strings: one pass, 0.4 ms for a megabyte.
        return False
    found, within = 0, False
    for chunk in _harmless(raw):
        parts = chunk.split(b'"')
        found += _structure_of(b"".join(parts[within::2]))
        within ^= len(parts) % 2 == 0
        if found > structure_max:
            return True
    return False


def _structure_of(raw: bytes) -> int:
    return len(raw) - len(raw.translate(None, _STRUCTURE))


def _harmless(raw: bytes | memoryview) -> Iterator[bytes]:
    """Yield *raw* in chunks of the same length, where no backslash escapes a quotation mark."""
    is_escaped = False
    for start in range(0, len(raw), CHUNK_BYTES):
        chunk = bytes(raw[start : start + CHUNK_BYTES])
        if b"\\" not in chunk and not is_escaped:
            yield chunk
            continue
        if is_escaped:
            chunk = b"_" + chunk[1:]
        is_escaped = (len(chunk) - len(chunk.rstrip(b"\\"))) % 2 == 1
        if is_escaped:
            chunk = chunk[:-1] + b"_"
        yield chunk.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def loads(raw: bytes | memoryview) -> Any:
    """
    Return the value of *raw*, JSON, as orjson.loads does; for a thread, unless *raw* is small.

    Raises:   ValueError: it is no JSON. What is large is taken to be well-formed between its strings.
    """
    if len(raw) <= WHOLE_BYTES:
        return orjson.loads(raw)
    view, text = memoryview(raw), b"".join(_harmless(raw))
    # Objects are lists of names and values until they end.
    values: list[Any] = []
    open_: list[tuple[int, list[Any]]] = []
    at = 0
    while (at := _SEPARATORS.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it matches anything.
        byte = text[at]
        if byte == ord('"'):
            end = text.index(b'"', at + 1) + 1
            values.append(orjson.loads(view[at:end]))
            at = end
        elif byte in _CLOSING:
            open_.append((byte, values))
            values = []
            at += 1
        elif scalar := _SCALAR.match(text, at):
            values.append(orjson.loads(scalar.group()))
            at = scalar.end()
        else:
            if not open_ or byte != _CLOSING[open_[-1][0]]:
                raise ValueError("brackets do not match")
            kind, outer = open_.pop()
            inner = iter(values)
            outer.append(dict(zip(inner, inner, strict=True)) if kind == ord("{") else values)
            values = outer
            at += 1
    if open_ or len(values) != 1:
        raise ValueError("not one value")
    return values[0]
