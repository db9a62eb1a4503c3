"""Prompts count what the provider bills, where its rule is published, and never fail on odd tools."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidValue
from shared.process.pool import Pool
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings
from shared.tokens.rule import count_messages, count_tools, message_parts, tools_parts

VECTORS = json.loads((Path(__file__).parent / "data" / "openai_cookbook_token_vectors.json").read_text())["vectors"]


@pytest.fixture(scope="module")
def counter() -> Counter:
    pool = Pool(4)
    return Counter(Encodings(pool), pool)


@pytest.mark.parametrize("vector", VECTORS)
async def test_a_prompt_counts_what_openai_billed(counter: Counter, vector: dict[str, Any]) -> None:
    counted = await count_messages(counter, vector["encoding"], vector["messages"], vector.get("tools"))

    assert counted == vector["prompt_tokens"]


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
async def test_both_shapes_of_a_tool_count_the_same(counter: Counter, encoding: str) -> None:
    chat = next(vector["tools"] for vector in VECTORS if "tools" in vector)
    responses = [{"type": "function", "strict": True, **tool["function"]} for tool in chat]

    assert await count_tools(counter, encoding, responses) == await count_tools(counter, encoding, chat)


def test_a_message_has_the_texts_and_overhead_of_the_rule() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}, {"type": "file", "file": {}}]
    assistant = {"role": "assistant", "content": None, "tool_calls": [call, custom]}

    assert message_parts({"role": "user", "content": "hi"}) == (["user", "hi"], 3)
    assert message_parts({"role": "user", "content": "hi", "name": "Al"}) == (["user", "hi", "Al"], 4)
    assert message_parts({"role": "assistant", "content": parts}) == (["assistant", "a", "b"], 3)
    assert message_parts(assistant) == (["assistant", "find", "{}", "shell", "ls"], 3)
    assert message_parts({"role": "tool", "tool_call_id": "c1", "content": "x"}) == (["tool", "x", "c1"], 3)


async def test_special_tokens_in_messages_are_text(counter: Counter) -> None:
    empty = await count_messages(counter, "o200k_base", [{"role": "user", "content": ""}])
    special = await count_messages(counter, "o200k_base", [{"role": "user", "content": "<|endoftext|>"}])

    assert (empty, special) == (7, 14)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (7, "messages[0]"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "critic", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "smell"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0].image_url"),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "user", "content": "x", "name": 7}, "messages[0].name"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "messages[0].tool_calls[0].function.name"),
        ({"role": "assistant", "tool_calls": 7}, "messages[0].tool_calls"),
    ],
)
async def test_a_wrong_message_is_refused_by_field(counter: Counter, message: Any, param: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        await count_messages(counter, "o200k_base", [message])

    assert refusal.value.param == param


def function(**parameters: Any) -> dict[str, Any]:
    return {"type": "function", "name": "f", "description": "Does it.", "parameters": parameters}


def test_what_the_formula_does_not_know_counts_as_its_json() -> None:
    nested = {"type": "object", "properties": {"b": {"type": "string"}}}
    tool = function(type="object", properties={"a": nested, "n": {"enum": ["x", 1]}, "any": True}, required=["a"])

    assert tools_parts([tool], "o200k_base").texts == [
        "f:Does it",
        "a:object:",
        '{"properties":{"b":{"type":"string"}}}',
        "n::",
        "x",
        "1",
        "any::",
        "true",
    ]
    assert tools_parts([tool], "o200k_base").fixed_tokens == 12 + 7 + 3 + 3 + (3 - 3 + 3 + 3) + 3
    assert tools_parts([{"type": "web_search"}], "cl100k_base") == (['{"type":"web_search"}'], 12)
    assert tools_parts([function(additionalProperties=False)], "o200k_base") == (["f:Does it"], 19)
    assert tools_parts([], "o200k_base") == ([], 0)


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        (7, "tools"),
        ([7], "tools[0]"),
        ([{"type": "function"}], "tools[0].name"),
        ([{"type": "function", "function": 7}], "tools[0].function"),
        ([function(properties=7)], "tools[0].parameters.properties"),
    ],
)
async def test_a_wrong_tool_is_refused_by_field(counter: Counter, tools: Any, param: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        await count_tools(counter, "o200k_base", tools)

    assert refusal.value.param == param


def test_a_schema_nested_beyond_writing_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"items": deep}

    with pytest.raises(InvalidValue, match="tools"):
        tools_parts([function(properties={"a": deep})], "o200k_base")


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (1024).to_bytes(4) + (768).to_bytes(4)


@pytest.mark.parametrize(
    ("image", "tokens"),
    [
        ({"url": "https://example.org/a.png"}, 1445),
        ({"url": "https://example.org/a.png", "detail": "low"}, 85),
        ({"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}, 85 + 170 * 4),
    ],
)
def test_an_image_counts_its_tiles_or_the_most_that_it_can(image: dict[str, str], tokens: int) -> None:
    chat = {"type": "image_url", "image_url": image}
    responses = {"type": "input_image", "image_url": image["url"], "detail": image.get("detail", "auto")}

    assert message_parts({"role": "user", "content": [chat]}) == (["user"], 3 + tokens)
    assert message_parts({"role": "user", "content": [responses]}) == (["user"], 3 + tokens)
