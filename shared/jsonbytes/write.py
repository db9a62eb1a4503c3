"""
Answers made of bytes that are JSON already: joined where they are small, sent one after the other where not.

What was encoded when it was stored is never encoded again, and never copied into one large text.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from shared.jsonbytes.read import INTEGER_MAX, INTEGER_MIN

type Pieces = list[bytes]
"""Bytes that are JSON when joined."""

PIECE_BYTES = 128 * 1024


def array(elements: Iterable[bytes]) -> Pieces:
    """Return the JSON array of *elements*, each of them JSON."""
    bodies = list(elements)
    pieces = [b","] * (2 * len(bodies))
    pieces[1::2] = bodies
    return [b"[", *pieces[1:], b"]"]


def nested_array(elements: Iterable[Pieces]) -> Pieces:
    """Return the JSON array of *elements*, each of them JSON in pieces."""
    return [b"[", *joined(elements, b","), b"]"]


def joined(elements: Iterable[Pieces], separator: bytes) -> Pieces:
    """Return *elements* in one, with *separator* between them."""
    return [piece for element in elements for piece in (separator, *element)][1:]


def splice(before: Mapping[str, Any], members: Mapping[str, Pieces], after: Mapping[str, Any]) -> Pieces:
    """Return the JSON object of *before*, *members*, which are JSON already, and *after*, in this order."""
    pieces = [orjson.dumps(before)[:-1]]
    for name, value in members.items():
        pieces += (b",", orjson.dumps(name), b":", *value)
    return [*pieces, b",", orjson.dumps(after)[1:]]


def dumps(value: Any) -> bytes:
    """
    Return *value*, which was JSON, as orjson.dumps does, with integers of any size.

    Raises:   orjson.JSONEncodeError: it nests more than 254 deep.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return dumps_apart(value)


def dumps_apart(value: Any) -> bytes:
    """
    Return the same as `dumps`, long strings in slices: one of 1 MB that is all quotes takes 3 ms at once.

    Raises:   as `dumps`.
    """
    return orjson.dumps(_with_fragments(value))


def string_slices(text: str, slice_chars: int) -> Iterator[memoryview]:
    """Yield *text* as it stands between the quotation marks of its JSON string, in slices. Raises JSONEncodeError."""
    for start in range(0, len(text), slice_chars):
        yield memoryview(orjson.dumps(text[start : start + slice_chars]))[1:-1]


def _with_fragments(value: Any) -> Any:
    """Return a copy of *value* with fragments for what orjson does slowly, or not at all."""
    top = [value]
    left: list[tuple[Any, Any]] = [(top, 0)]  # JSON may nest deeper than Python calls.
    while left:
        holder, at = left.pop()
        member = holder[at]
        if isinstance(member, dict):
            holder[at] = member = dict(member)
            left += [(member, name) for name in member]
        elif isinstance(member, list):
            holder[at] = member = list(member)
            left += [(member, index) for index in range(len(member))]
        elif isinstance(member, str) and len(member) > PIECE_BYTES:
            holder[at] = orjson.Fragment(b'"%b"' % b"".join(string_slices(member, PIECE_BYTES)))
        elif type(member) is int and not INTEGER_MIN <= member <= INTEGER_MAX:
            holder[at] = orjson.Fragment(str(member))
    return top[0]


def in_parts(pieces: Iterable[bytes]) -> Iterator[bytes | memoryview]:
    """Yield *pieces* in parts of about PIECE_BYTES: small ones are joined, large ones cut."""
    small: list[bytes] = []
    size = 0
    for piece in pieces:
        if len(piece) <= PIECE_BYTES:
            small.append(piece)
            size += len(piece)
            if size <= PIECE_BYTES:
                continue
        if small:
            yield b"".join(small)
            small, size = [], 0
        if len(piece) > PIECE_BYTES:
            view = memoryview(piece)
            yield from (view[start : start + PIECE_BYTES] for start in range(0, len(piece), PIECE_BYTES))
    if size:
        yield b"".join(small)


def encode(value: Mapping[str, Any]) -> Pieces:
    """Return *value* as JSON, the elements of its lists each in a call of its own: a message may hold many items."""
    if all(not isinstance(member, list) or len(member) < 2 for member in value.values()):
        return [orjson.dumps(value)]
    pieces: Pieces = []
    for name, member in value.items():
        pieces += (b",", orjson.dumps(name), b":")
        pieces += array(map(orjson.dumps, member)) if isinstance(member, list) else [orjson.dumps(member)]
    return [b"{", *pieces[1:], b"}"]
