"""Contexts over HTTP: defaults, formats, encodings, what an answer says of itself. The choice: test_context_*."""

from typing import Any

import httpx
import pytest

LOG: list[dict[str, Any]] = [
    {"role": "system", "content": "You answer briefly."},
    {"role": "user", "content": "What is the weather in Paris?"},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Paris"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    {"role": "assistant", "content": "Sunny."},
    {"role": "user", "content": "And tomorrow?"},
]


@pytest.fixture
def url(api: httpx.Client) -> str:
    conversation = api.post("/v1/conversations", json={"items": LOG}).json()["id"]
    return f"/v1/conversations/{conversation}/context"


def get(api: httpx.Client, url: str, **query: Any) -> dict[str, Any]:
    answer = api.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_an_answer_says_what_it_holds_and_what_it_leaves_out(api: httpx.Client, url: str) -> None:
    whole = get(api, url, model="gpt-4o", budget=8000, format="chat")
    part = get(api, url, model="gpt-4o", budget=30, format="chat")

    assert {name: whole[name] for name in ("object", "version", "model", "encoding", "format", "budget")} == {
        "object": "conversation.context",
        "version": 6,
        "model": "gpt-4o",
        "encoding": "o200k_base",
        "format": "chat",
        "budget": 8000,
    }
    assert (whole["exact"], whole["counting"]) == (False, "rule")
    assert (whole["kept"]["items"], whole["omitted"]["items"]) == (6, 0)
    assert [message["role"] for message in whole["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert (part["kept"]["items"], part["omitted"]["items"]) == (2, 4)
    assert part["omitted"]["tokens"] > 0
    assert part["tokens"] <= 30
    assert [message["content"] for message in part["messages"]] == ["You answer briefly.", "And tomorrow?"]


def test_each_format_carries_the_same_choice(api: httpx.Client, url: str) -> None:
    answers = {name: get(api, url, budget=8000, format=name) for name in ("items", "chat", "anthropic", "text")}

    assert len({answer["tokens"] for answer in answers.values()}) == 1
    assert [item["type"] for item in answers["items"]["input"]][2:4] == ["function_call", "function_call_output"]
    assert answers["anthropic"]["system"][0]["text"] == "You answer briefly."
    assert [message["role"] for message in answers["anthropic"]["messages"]][:3] == ["user", "assistant", "user"]
    assert "sunny" in answers["text"]["text"]
    assert get(api, url, budget=8000)["format"] == "items"


def test_the_budget_defaults_to_the_window_less_what_is_reserved(api: httpx.Client, url: str) -> None:
    assert get(api, url, model="gpt-4o", reserve_output=0)["budget"] == 128_000
    assert get(api, url, model="gpt-4o", reserve_output=28_000)["budget"] == 100_000
    assert get(api, url, model="gpt-4o")["budget"] == 128_000 - 16_384
    assert get(api, url, model="gpt-5")["budget"] == 272_000
    assert get(api, url, model="gpt-4")["budget"] == 4_096


def test_overhead_is_taken_from_the_budget_first(api: httpx.Client, url: str) -> None:
    needed = get(api, url, budget=8000)["tokens"]

    assert get(api, url, budget=needed + 50, overhead_tokens=50)["omitted"]["items"] == 0
    assert get(api, url, budget=needed + 50, overhead_tokens=51)["omitted"]["items"] > 0


def test_what_cannot_fit_is_refused_with_the_tokens_it_needs(api: httpx.Client, url: str) -> None:
    refused = api.get(url, params={"budget": 12})
    needed = refused.json()["needed_tokens"]

    assert refused.status_code == 422
    assert refused.json()["type"] == "urn:warmthread:problem:context-does-not-fit"
    assert get(api, url, budget=needed)["tokens"] == needed
    assert api.get(url, params={"budget": needed - 1}).status_code == 422


def test_another_encoding_is_counted_once_and_then_kept(api: httpx.Client, url: str, run: Any, key_of: Any) -> None:
    name = key_of(url.split("/")[3])
    first = get(api, url, model="gpt-4", budget=8000, format="chat")
    api.get("/api/health")  # The connection takes it only when the work after the first answer is done.
    kept = run("HGET", name, "q:cl100k_base:0")
    api.post(url.replace("context", "items"), json={"items": [{"role": "assistant", "content": "Rain, I fear."}]})
    second = get(api, url, model="gpt-4", budget=8000, format="chat")
    api.get("/api/health")
    counted = api.post("/v1/tokens/count", json={"model": "gpt-4", "messages": second["messages"]}).json()

    assert first["encoding"] == "cl100k_base"
    assert kept is not None
    assert run("HGET", name, "q:cl100k_base:0") != kept
    assert counted["tokens"] == second["tokens"]


def test_a_known_but_closed_model_gets_an_estimate_and_is_told_so(api: httpx.Client, url: str) -> None:
    answer = get(api, url, model="claude-sonnet-4-5", budget=8000, format="anthropic")

    assert (answer["exact"], answer["counting"]) == (False, "estimate")


def test_texts_alone_count_exactly(api: httpx.Client) -> None:
    conversation = api.post("/v1/conversations", json={"items": LOG[:2]}).json()["id"]
    answer = get(api, f"/v1/conversations/{conversation}/context", model="gpt-4o", format="chat")
    counted = api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": answer["messages"]}).json()

    assert (answer["exact"], answer["counting"]) == (True, "exact")
    assert (counted["tokens"], counted["exact"]) == (answer["tokens"], True)


def test_an_empty_conversation_has_an_empty_context(api: httpx.Client) -> None:
    conversation = api.post("/v1/conversations").json()["id"]
    answer = get(api, f"/v1/conversations/{conversation}/context", budget=100, format="chat")

    assert (answer["messages"], answer["kept"]["items"]) == ([], 0)
    assert answer["kept"]["first_id"] is None


def test_deleted_items_are_in_no_context(api: httpx.Client, url: str) -> None:
    items_url = url.replace("context", "items")
    ids = [item["id"] for item in api.get(items_url, params={"order": "asc"}).json()["data"]]
    api.delete(f"{items_url}/{ids[3]}")
    answer = get(api, url, budget=8000)

    assert [item["id"] for item in answer["input"]] == [ids[0], ids[1], ids[4], ids[5]]
    assert answer["omitted"]["unanswered_calls"] == [ids[2]]
    assert answer["version"] == 7
