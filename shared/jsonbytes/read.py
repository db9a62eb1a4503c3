"""
JSON that is too large for one call: how much of it there is, and reading it in many short ones.

    is_crowded      whether it holds more values than can be parsed at all, told without parsing
    loads_elements  the value of a body, some elements of its lists at a time; as strict as orjson.loads
    loads           the value of what the store replied, string by string

orjson makes a float of an integer of more than 64 bits; loads_elements keeps its digits.

All first make every escape harmless: a backslash and what it escapes are replaced by as many other bytes, after which
each quotation mark begins or ends a string. All of it runs at the speed of C, in calls of less than a millisecond.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

WHOLE_BYTES = 256 * 1024
"""Parsed at once: 0.3 ms as strings, and never more than 5 ms."""

BREATH_S = 0.001

CHUNK_BYTES = 64 * 1024
BREAK_BYTES = 256
"""How far from where it is wanted a string is broken; one of nothing but escaped backslashes is not."""

CAREFUL_BYTES = 4 * 1024
"""More than this takes over a millisecond when it is long integers."""

LONG_DIGITS = 19
"""Integers of fewer have at most 64 bits."""

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
"""What orjson reads and writes as an integer."""

_STRUCTURE = b",:[{"
_STRING = re.compile(rb'"[^"]*"')
_COLON = re.compile(rb"\s*:")
_MARK = re.compile(rb'"[^"]*"?|[][{},]')
_SCALAR = re.compile(rb'[^\s\[\]{}:,"]+')
_SEPARATORS = re.compile(rb"[\s:,]*")
_LONG = b"0" * LONG_DIGITS
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_DIGITS = re.compile(rb"[0-9]+")
_BEFORE, _BEHIND = b" \t\r\n,:[", b" \t\r\n,]}"
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
    chunks = (raw[start : start + WHOLE_BYTES] for start in range(0, len(raw), WHOLE_BYTES))
    return sum(len(chunk) - len(chunk.translate(None, _STRUCTURE)) for chunk in chunks)


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


def has_long_digits(raw: bytes) -> bool:
    """Tell whether so many digits stand together in *raw*, within a string maybe, that orjson may lose some of them."""
    step = WHOLE_BYTES - LONG_DIGITS
    if len(raw) <= step:
        return _LONG in raw.translate(_AS_ZEROS)
    return any(_LONG in raw[start : start + WHOLE_BYTES].translate(_AS_ZEROS) for start in range(0, len(raw), step))


def is_slow(raw: bytes) -> bool:
    """Tell whether reading *raw* with loads_elements belongs into a thread."""
    return len(raw) > WHOLE_BYTES or (len(raw) > CAREFUL_BYTES and has_long_digits(raw))


def loads_elements(raw: bytes, slice_bytes: int = WHOLE_BYTES) -> Any:
    """
    Return the value of *raw*, JSON, as orjson.loads does, but all digits of integers; for a thread if it `is_slow`.

    An integer may have 4,300 digits, as Python's own. Strings longer than *slice_bytes*, but for names, are read by
    themselves. The lists in the outermost object are cut between elements, in slices of about *slice_bytes*. Something
    short stands for each integer, string and slice in what is left. All of them are parsed: *raw* is JSON if and only
    if they are.

    Raises:   orjson.JSONDecodeError: it is no JSON.
    """
    has_integers = has_long_digits(raw)
    if len(raw) <= slice_bytes and not has_integers:
        return orjson.loads(raw)
    try:
        return _loads_elements(raw, slice_bytes, has_integers=has_integers)
    except ValueError:  # No JSON, or an integer of too many digits.
        return orjson.loads(raw)  # It says where in the whole the fault is.


def _loads_elements(raw: bytes, slice_bytes: int, *, has_integers: bool) -> Any:
    text, nonce = b"".join(_harmless(raw)), os.urandom(8).hex()
    apart: dict[tuple[int, int], Any] = dict(_long_integers(text)) if has_integers else {}
    if len(raw) > slice_bytes:
        found = (match.span() for match in _STRING.finditer(text))
        long = [(start, end) for start, end in found if end - start > slice_bytes and not _COLON.match(text, end)]
        apart |= {(start, end): _load_string(raw[start:end], slice_bytes) for start, end in long}
    spans = sorted(apart)
    values = {f"{nonce}{span[0]}": apart[span] for span in spans}
    stand_ins = [b'"%b"' % name.encode() for name in values]
    raw, text = _replaced(raw, spans, stand_ins), _replaced(text, spans, stand_ins)
    ranges = list(_slices(text, slice_bytes))
    slices = [_load_slice(raw[start:end]) for start, end in ranges]
    value = orjson.loads(_replaced(raw, ranges, [b"%d" % number for number in range(len(ranges))]))
    if isinstance(value, dict):
        for name, member in value.items():
            if isinstance(member, list):
                value[name] = [element for number in member for element in slices[number]]
    return _put_back(value, values) if values else value


def _long_integers(text: bytes) -> Iterator[tuple[tuple[int, int], int]]:
    """
    Yield the integers of *text* that orjson would make a float of, and where; the escapes of *text* are harmless.

    Raises:   ValueError: one has more digits than Python reads.
    """
    zeros = text.translate(_AS_ZEROS)
    at, counted, is_inside = 0, 0, False
    while (start := zeros.find(_LONG, at)) >= 0:
        is_inside ^= text.count(b'"', counted, start) % 2 == 1
        counted = start
        at = _DIGITS.match(text, start).end()  # type: ignore[union-attr]  # it begins with a digit.
        if is_inside or text[start] == ord("0"):  # With a zero ahead it is no JSON.
            continue
        start -= text[start - 1 : start] == b"-"
        if text[start - 1 : start] in _BEFORE and text[at : at + 1] in _BEHIND:  # Not part of a float.
            value = int(text[start:at])
            if not INTEGER_MIN <= value <= INTEGER_MAX:
                yield (start, at), value


def _load_slice(raw: bytes) -> list[Any]:
    if len(raw) > WHOLE_BYTES:
        # The loop lets go of the interpreter several times for one request. It should not meet a long call each time.
        time.sleep(BREATH_S)
    elements: list[Any] = orjson.loads(b"[%b]" % raw)
    return elements


def _replaced(raw: bytes, spans: Sequence[tuple[int, int]], others: Sequence[bytes]) -> bytes:
    """Return *raw* with *others* in the place of *spans*."""
    parts: list[bytes] = []
    at = 0
    for (start, end), other in zip(spans, others, strict=True):
        parts += (raw[at:start], other)
        at = end
    return b"".join([*parts, raw[at:]])


def _put_back(value: Any, apart: Mapping[str, Any]) -> Any:
    """Return *value* with what was read *apart* in the place of what stands for it."""
    if isinstance(value, str):
        return apart[value]
    nodes = [value]
    while nodes:
        node = nodes.pop()
        for at, inner in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(inner, (dict, list)):
                nodes.append(inner)
            elif isinstance(inner, str) and inner in apart:
                node[at] = apart[inner]
    return value


def _load_string(raw: bytes, slice_bytes: int) -> str:
    """Return the string that *raw* is, read in slices."""
    parts: list[str] = []
    at, end = 1, len(raw) - 1
    while at < end:
        stop = _break(raw, at, min(at + slice_bytes, end), end)
        parts.append(orjson.loads(b'"%b"' % raw[at:stop]))
        at = stop
    return "".join(parts)


def _break(raw: bytes, start: int, wanted: int, end: int) -> int:
    """Return a place near *wanted* where neither an escape, nor a pair of them, nor a character is cut; else *end*."""
    for place in range(wanted, max(start, wanted - BREAK_BYTES), -1):
        is_inside = raw[place - 1] == ord("\\") or b"\\u" in raw[max(0, place - 6) : place] or raw[place] & 0xC0 == 0x80
        if place == end or not is_inside:
            return place
    return end


def _slices(text: bytes, slice_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield where the lists in the outermost object may be cut: ranges of whole elements, not the commas between."""
    depth, start = 0, -1
    is_object = text.lstrip().startswith(b"{")
    for mark in _MARK.finditer(text):
        at, byte = mark.start(), text[mark.start()]
        if byte in _CLOSING:
            depth += 1
            if is_object and depth == 2 and byte == ord("["):
                start = at + 1
        elif byte in b"]}":
            if start >= 0 and depth == 2:
                if text[start:at].strip():
                    yield start, at
                start = -1
            depth -= 1
        elif byte == ord(",") and 0 <= start <= at - slice_bytes and depth == 2 and text[start:at].strip():
            yield start, at
            start = at + 1


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
