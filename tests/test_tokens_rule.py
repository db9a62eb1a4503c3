"""Tools count by the published formula, and never fail it: what it does not know counts as its JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidValue
from shared.process.pool import Pool
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings
from shared.tokens.rule import count_tools, tools_parts

VECTORS = json.loads((Path(__file__).parent / "data" / "openai_cookbook_token_vectors.json").read_text())["vectors"]


@pytest.fixture(scope="module")
def counter() -> Counter:
    pool = Pool(4)
    return Counter(Encodings(pool), pool)


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
async def test_both_shapes_of_a_tool_count_the_same(counter: Counter, encoding: str) -> None:
    chat = next(vector["tools"] for vector in VECTORS if "tools" in vector)
    responses = [{"type": "function", "strict": True, **tool["function"]} for tool in chat]

    assert await count_tools(counter, encoding, responses) == await count_tools(counter, encoding, chat)


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
