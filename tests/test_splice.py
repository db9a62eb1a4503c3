"""Spliced answers are, byte for byte, what encoding them as a whole would give."""

from typing import Any

import orjson
import pytest

from shared.jsonbytes.write import PIECE_BYTES, array, dumps, encode, in_parts, joined, splice


@pytest.mark.parametrize("elements", [[], [1], [1, {"a": "é\n"}, None]])
def test_an_array_is_its_elements(elements: list[Any]) -> None:
    assert b"".join(array(map(orjson.dumps, elements))) == orjson.dumps(elements)


def test_an_object_holds_its_members_in_order() -> None:
    pieces = splice({"a": 1}, {"b": [b"[", b"2", b"]"], "c\n": [b"3"]}, {"d": None})

    assert b"".join(pieces) == orjson.dumps({"a": 1, "b": [2], "c\n": 3, "d": None})


@pytest.mark.parametrize("value", [{}, {"role": "user", "content": None}, {"a": [], "b": [{"c": [1]}, "é"], "d": {}}])
def test_a_message_is_encoded_as_a_whole_would_be(value: dict[str, Any]) -> None:
    assert b"".join(encode(value)) == orjson.dumps(value)


@pytest.mark.parametrize("elements", [[], [[b"1"]], [[b"1", b"2"], [], [b"3"]]])
def test_what_is_joined_is_separated(elements: list[list[bytes]]) -> None:
    assert b"".join(joined(elements, b"; ")) == b"; ".join(b"".join(element) for element in elements)


@pytest.mark.parametrize("text", ['"', "\\", "\x01", "世", "🙂", "\u2028"])
def test_a_long_string_is_encoded_as_at_once(text: str) -> None:
    value = {"a": text * (2 * PIECE_BYTES + 1), "b": [text, {"c": text * (PIECE_BYTES + 1)}], "d": None}

    assert dumps(value) == orjson.dumps(value)


def test_a_long_string_that_is_no_text_is_refused() -> None:
    with pytest.raises(orjson.JSONEncodeError):
        dumps({"a": "x" * PIECE_BYTES + "\ud800"})


def test_parts_are_neither_tiny_nor_large() -> None:
    pieces = [b"a"] * 10 + [b"b" * (3 * PIECE_BYTES + 1)] + [b"c" * (PIECE_BYTES // 2 + 1)] * 4 + [b""]
    parts = [bytes(part) for part in in_parts(pieces)]

    assert b"".join(parts) == b"".join(pieces)
    assert [len(part) for part in parts] == [10, *[PIECE_BYTES] * 3, 1, PIECE_BYTES + 2, PIECE_BYTES + 2]
