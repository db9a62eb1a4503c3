"""An integer of more than 64 bits keeps its digits on every way that a client's JSON takes."""

import json
import sys
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.jsonbytes.read import INTEGER_MAX, INTEGER_MIN, loads_elements
from shared.jsonbytes.write import dumps, dumps_apart
from tests.examples import examples

LONG = 1234567890123456789012345678901234567890
EDGES = [INTEGER_MIN - 1, INTEGER_MIN, INTEGER_MAX, INTEGER_MAX + 1, 10**19, -(10**19), 10**18]
TEXTS = st.text(alphabet=st.sampled_from('"\\,:[]{}-09e.世'), max_size=30) | st.sampled_from(["1" * 40, '"' + "1" * 40])
INTEGERS = st.integers() | st.sampled_from(EDGES) | st.integers(-(10**60), 10**60)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES, slice_bytes=st.integers(0, 200) | st.just(10**6), indent=st.none() | st.integers(0, 2))
@example(value={"a": LONG, "b": [-LONG, [LONG], "x"]}, slice_bytes=0, indent=None)
@settings(max_examples=examples(1_000), deadline=None)
def test_what_is_read_and_written_again_is_the_same(value: Any, slice_bytes: int, indent: int | None) -> None:
    read = loads_elements(json.dumps(value, indent=indent).encode(), slice_bytes)

    assert json.dumps(read) == json.dumps(value)
    assert json.loads(dumps(read)) == json.loads(dumps_apart(read)) == value


@pytest.mark.parametrize(
    ("number", "at"),
    [
        ("1e400", 6),
        ("-1e400", 6),
        ("NaN", 6),
        ("Infinity", 6),
        ("0" + "1" * 30, 6),
        ("1" * 30 + "x", 36),
        ("1" * (sys.get_int_max_str_digits() + 1), 6),
    ],
)
def test_what_is_no_number_is_refused_by_its_place(api: httpx.Client, number: str, at: int) -> None:
    answer = api.post("/v1/conversations", content=b'{"x":%b}' % number.encode())

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_request")
    assert f"column {at} (char {at - 1})" in answer.json()["detail"]


def test_a_number_is_not_wanted_everywhere(api: httpx.Client) -> None:
    for body, param in (
        ({"expires_after_s": LONG}, "expires_after_s"),
        ({"metadata": {"k": LONG}}, "metadata.k"),
        ({"items": LONG}, "items"),
        ({"items": [{"role": "user", "content": LONG}]}, "items[0].content"),
    ):
        answer = api.post("/v1/conversations", json=body)

        assert (answer.status_code, answer.json()["param"]) == (400, param)


def test_a_very_long_number_is_not_repeated_whole(api: httpx.Client) -> None:
    answer = api.post("/v1/conversations", json={"expires_after_s": 10**4_000})

    assert answer.status_code == 400
    assert len(answer.content) < 1_000


TEXT = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"trace_id": LONG}}
ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": [{**TEXT, "text": "Look it up"}], "id": "msg_1"},
    {
        "type": "mcp_list_tools",
        "server_label": "s",
        "tools": [{"name": "t", "input_schema": {"maximum": LONG, "minimum": -LONG}}],
    },
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": f'{{"id": {LONG}, "of": [{-LONG}]}}'},
    {"type": "function_call_output", "call_id": "c", "output": "found"},
]


def test_items_keep_their_digits(api: httpx.Client) -> None:
    url = f"/v1/conversations/{api.post('/v1/conversations', json={}).json()['id']}"
    appended = api.post(f"{url}/items", json={"items": ITEMS})
    page = api.get(f"{url}/items", params={"order": "asc"})
    context = api.get(f"{url}/context", params={"budget": 500})

    assert appended.status_code == 200, appended.text
    for listed in (appended.json()["data"], page.json()["data"], context.json()["input"]):
        assert listed[0]["content"][0]["prompt_cache_breakpoint"] == {"trace_id": LONG}
        assert listed[1]["tools"][0]["input_schema"] == {"maximum": LONG, "minimum": -LONG}
    assert str(LONG) in api.get(f"{url}/items/msg_1").text


def test_arguments_are_sent_to_anthropic_as_they_were_written(api: httpx.Client) -> None:
    created = api.post("/v1/conversations", json={"items": ITEMS}).json()
    answer = api.get(f"/v1/conversations/{created['id']}/context", params={"budget": 500, "format": "anthropic"})
    [call] = [block for each in answer.json()["messages"] for block in each["content"] if block["type"] == "tool_use"]

    assert call["input"] == {"id": LONG, "of": [-LONG]}


def test_a_document_beside_them_changes_no_digits(api: httpx.Client) -> None:
    mention = {"type": "input_file", "file_url": "document:none.txt"}
    created = api.post("/v1/conversations", json={"items": [{"role": "user", "content": [mention, TEXT]}]})
    answer = api.get(f"/v1/conversations/{created.json()['id']}/context", params={"budget": 500})

    assert answer.json()["input"][0]["content"][1]["prompt_cache_breakpoint"] == {"trace_id": LONG}


def test_tools_count_with_all_digits(api: httpx.Client) -> None:
    def count(maximum: int) -> int:
        tool = {"type": "function", "name": "f", "parameters": {"properties": {"n": {"maximum": maximum}}}}
        answer = api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "x", "tools": [tool]})
        return int(answer.json()["tokens"])

    assert count(LONG) > count(10**20) > count(1)
