"""JSON in pieces is the JSON that it was: read string by string, and its structure told without parsing."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.jsonbytes.read import CHUNK_BYTES, WHOLE_BYTES, is_crowded, loads, loads_elements
from tests.examples import examples

PADDING = "x" * WHOLE_BYTES
TEXTS = st.text(alphabet=st.sampled_from('"\\,:[]{}a\n\x01é世'), max_size=12)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def structure_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + len(value) + max(0, len(value) - 1) + sum(map(structure_of, value.values()))
    if isinstance(value, list):
        return 1 + max(0, len(value) - 1) + sum(map(structure_of, value))
    return 0


@given(value=VALUES)
@settings(max_examples=examples(300), deadline=None)
def test_what_is_read_in_pieces_is_what_was_written(value: Any) -> None:
    raw = orjson.dumps([value, PADDING, value])

    assert loads(raw) == [value, PADDING, value]
    assert loads(memoryview(raw)) == [value, PADDING, value]
    assert loads(b" " + raw.replace(b"[", b"\n[ ", 1) + b"\n") == [value, PADDING, value]


@pytest.mark.parametrize("text", ['"', "\\", '\\"', '""\\'])
@pytest.mark.parametrize("shift", range(6))
def test_an_escape_may_lie_across_two_chunks(text: str, shift: int) -> None:
    value = ["x" * shift, text * CHUNK_BYTES, {"a": text}]
    raw = orjson.dumps(value)

    assert loads(raw) == value
    assert is_crowded(raw, 4)
    assert not is_crowded(raw, 5)


@given(value=VALUES)
@settings(max_examples=examples(300), deadline=None)
def test_structure_is_counted_outside_strings_only(value: Any) -> None:
    raw, exact = orjson.dumps([value, '",:[{' * 50]), 2 + structure_of(value)

    assert not is_crowded(raw, exact)
    assert is_crowded(raw, exact - 1)


@pytest.mark.parametrize("raw", [b'["%b', b'["%b"', b'["%b"}', b'["%b"]]', b'"%b" "a"', b'{"%b"}', b'["%b", nul]'])
def test_what_is_no_json_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own text.
        loads(raw % PADDING.encode())


def loaded(read: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return read(raw)
    except orjson.JSONDecodeError as error:
        return str(error)


@given(
    value=st.dictionaries(TEXTS, VALUES, max_size=4) | VALUES,
    slice_bytes=st.integers(0, 12),
    damage=st.none() | st.tuples(st.integers(0, 200), st.integers(0, 1), st.sampled_from([*b'"\\,:[]{}0 \xff'])),
    is_indented=st.booleans(),
)
@settings(max_examples=examples(2_000), deadline=None)
def test_a_body_that_is_read_in_slices_is_as_if_read_at_once(
    value: Any, slice_bytes: int, damage: tuple[int, int, int] | None, is_indented: bool
) -> None:
    raw = orjson.dumps(value, option=orjson.OPT_INDENT_2 if is_indented else None)
    if damage is not None:
        at, removed, byte = damage[0] % (len(raw) + 1), damage[1], damage[2]
        raw = raw[:at] + bytes([byte]) + raw[at + removed :]

    assert loaded(lambda text: loads_elements(text, slice_bytes), raw) == loaded(orjson.loads, raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":[1],"a":[2,3]}',
        b'{"a":[[1],[2]],"b":{"a":[1]}}',
        b'{"a":[ ],"b":[1, 2 ] }',
        b"[[1,2],[3]]",
        b'{"a":[1,]}',
        b'{"a":[,1]}',
        b'{"a":[    ,1]}',
        b'{"a":[1}',
        b'{"a":[1]]}',
        b'{"a":[1]}{"a":[2]}',
        b'{"a":["]"]}',
        b'{"a":["\\"]"]}',
        b'{"a":["',
        b'"a long text"',
        b'["a long text"]',
        b'{"a long name" :"a long text"}',
        b'{"a long name":{"another":["a long text","a long text"]}}',
        b'{"a":"a long \xff text"}',
        rb'{"a":"\\ud83d\\ude00\\ud83d\\ude00 \\ud83d"}',
        rb'{"a":"\\ud83d\\ude00\\ud83d\\ude00 \\\\ud83d"}',
        rb'{"a":"\\n\\n\\\\\\n\\x"}',
        '{"a":"会話の記憶 🙂🙂"}'.encode(),
    ],
)
@pytest.mark.parametrize("slice_bytes", [0, 1, 2, 6])
def test_slices_of_odd_bodies(raw: bytes, slice_bytes: int) -> None:
    assert loaded(lambda text: loads_elements(text, slice_bytes), raw) == loaded(orjson.loads, raw)
