"""POST /v1/tokens/count: the same numbers as the providers, or a clear refusal."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

VECTORS = json.loads((Path(__file__).parent / "data" / "openai_cookbook_token_vectors.json").read_text())["vectors"]


def count(api: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/tokens/count", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("vector", VECTORS)
def test_what_openai_billed_is_what_we_count(api: httpx.Client, vector: dict[str, Any]) -> None:
    tools = {"tools": vector["tools"]} if "tools" in vector else {}
    for model in vector["models"]:
        counted = count(api, model=model, input=vector["messages"], **tools)

        assert counted["tokens"] == vector["prompt_tokens"]
        assert counted["encoding"] == vector["encoding"]


def test_a_text_counts_as_itself(api: httpx.Client) -> None:
    assert count(api, encoding="o200k_base", input="hello world")["tokens"] == 2
    assert count(api, encoding="cl100k_base", input="")["tokens"] == 0
    assert count(api, model="gpt-4o", input="<|endoftext|>")["tokens"] == 7


def test_messages_and_the_items_they_become_count_the_same(api: httpx.Client) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Find it"},
        {"role": "assistant", "content": "Looking.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
    ]
    items = [
        {"type": "message", "role": "system", "content": "Be brief."},
        {"type": "message", "role": "user", "content": "Find it"},
        {"type": "message", "role": "assistant", "content": "Looking."},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"q": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "found"},
    ]
    by_messages, by_items = count(api, model="gpt-4o", input=messages), count(api, model="gpt-4o", input=items)

    assert by_messages == by_items == count(api, model="gpt-4o", messages=messages)
    assert by_messages["exact"] is False


def test_only_the_providers_own_rule_is_called_exact(api: httpx.Client) -> None:
    messages = [{"role": "user", "content": "hi"}]

    assert count(api, model="gpt-4o", input=messages)["exact"] is True
    assert count(api, model="claude-sonnet-4-5", input=messages)["exact"] is False


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "gpt-4o"}, "input"),
        ({"model": "gpt-4o", "input": 7}, "input"),
        ({"model": 7, "input": "x"}, "model"),
        ({"model": "no-such-model", "input": "x"}, "model"),
        ({"encoding": "gpt2", "input": "x"}, "encoding"),
        ({"model": "gpt-4o", "input": "x", "messages": []}, "input"),
        ({"model": "gpt-4o", "input": "x", "text": "y"}, "text"),
    ],
)
def test_a_wrong_count_is_refused_by_name(api: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = api.post("/v1/tokens/count", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [(" " * 1_000_000, None), ("a" * 1_000_000, 125_000), ("字" * 1_330_000, None), ("👩‍👩‍👧‍👦" * 50_000, None)],
    ids=["spaces", "letters", "cjk", "emoji"],
)
def test_a_hostile_text_is_counted_or_refused(api: httpx.Client, text: str, tokens: int | None) -> None:
    answer = api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": text}, timeout=60)

    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert 0 < answer.json()["tokens"] <= len(text.encode())
        assert tokens in (None, answer.json()["tokens"])
