"""Bad input: a 4xx that names the field, and nothing is stored."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

PROBLEM = "application/problem+json"
UNCOUNTABLE = "\u0301" * 70_000


def message(text: str = "hi", **members: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **members}


def tools(value: Any) -> list[Any]:
    return [{"name": "t", "input_schema": {"value": value}}]


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else []


def check(answer: httpx.Response, status: int, param: str | None) -> None:
    problem = answer.json()

    assert (answer.status_code, problem["status"]) == (status, status), answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert problem["type"].startswith("urn:warmthread:problem:")
    assert problem["error"]["param"] == param
    assert problem["error"]["message"] == problem["detail"]
    assert problem["error"]["type"]
    assert problem["error"]["code"]


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    body = {"items": [message("first", id="msg_first")]}
    return str(api.post("/v1/conversations", json=body).json()["id"])


@pytest.mark.parametrize(
    ("items", "status", "param"),
    [
        ([], 400, "items"),
        (None, 400, "items"),
        ("hi", 400, "items"),
        ({"role": "user"}, 400, "items"),
        ([message()] * 101, 400, "items"),
        ([7], 400, "items[0]"),
        ([message(), {"type": "no_such_thing"}], 400, "items[1].type"),
        ([{"content": "x"}], 400, "items[0].role"),
        ([message(), {"role": "critic", "content": "x"}], 400, "items[1].role"),
        ([message(), {"role": 7, "content": "x"}], 400, "items[1].role"),
        ([{"role": "user"}], 400, "items[0].content"),
        ([{"role": "user", "content": 7}], 400, "items[0].content"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], 400, "items[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "no_part"}]}], 400, "items[0].content[0].type"),
        ([message(id="bad id")], 400, "items[0].id"),
        ([message(id="")], 400, "items[0].id"),
        ([message(id="a" * 65)], 400, "items[0].id"),
        ([message(id="twice"), message(id="twice")], 400, "items[1].id"),
        ([message(), message(id="msg_first")], 400, "items[1].id"),
        ([{"type": "function_call", "call_id": "c", "name": "f"}], 400, "items[0].arguments"),
        ([{"type": "function_call_output", "call_id": "c"}], 400, "items[0].output"),
        ([{"type": "item_reference", "id": "msg_first"}], 400, "items[0].type"),
        ([message("x" * 1_048_600)], 413, "items[0]"),
        ([message(), {"type": "mcp_list_tools", "server_label": "s", "tools": tools([1] * 20_001)}], 413, "items[1]"),
        ([{"type": "mcp_list_tools", "server_label": "s", "tools": tools([{}] * 60_000)}], 413, None),
        ([{"type": "mcp_list_tools", "server_label": "s", "tools": tools(nested(255))}], 400, "items[0]"),
        ([message(), {"role": "system", "content": "word " * 40_000}], 400, "items[1]"),
    ],
)
def test_a_wrong_batch_is_refused_whole(
    api: httpx.Client, conversation: str, stored: Any, items: Any, status: int, param: str
) -> None:
    before = stored(conversation)
    answer = api.post(f"/v1/conversations/{conversation}/items", json={"items": items})

    check(answer, status, param)
    assert stored(conversation) == before


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b'{"items": [{"role": "user", "content": "\\ud800"}]}', 400, None),
        (b"[" * 5_000 + b"]" * 5_000, 400, None),
        (b"[]", 400, "body"),
        (b"7", 400, "body"),
        (b'{"item": []}', 400, "item"),
        (b'{"items": [], "metadata": 7}', 400, "metadata"),
        (b'{"metadata": {"k": 7}}', 400, "metadata.k"),
        (b'{"expires_after_s": -1}', 400, "expires_after_s"),
        (b'{"expires_after_s": 1.5}', 400, "expires_after_s"),
        (b'{"expires_after_s": true}', 400, "expires_after_s"),
    ],
)
def test_a_wrong_body_creates_nothing(api: httpx.Client, body: bytes, status: int, param: str | None) -> None:
    check(api.post("/v1/conversations", content=body), status, param)

    assert api.get("/v1/conversations").json()["data"] == []


@pytest.mark.parametrize(
    "metadata",
    [{f"k{n}": "v" for n in range(17)}, {"k" * 65: "v"}, {"k": "v" * 513}, {"k": None}, {"": "v"}, [], "text"],
)
def test_oversized_metadata_changes_nothing(api: httpx.Client, conversation: str, metadata: Any) -> None:
    answer = api.post(f"/v1/conversations/{conversation}", json={"metadata": metadata})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("metadata")
    assert api.get(f"/v1/conversations/{conversation}").json()["metadata"] == {}


def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(
    api: httpx.Client, conversation: str
) -> None:
    def pieces() -> Any:
        for _ in range(50):
            yield b" " * 100_000

    url = f"/v1/conversations/{conversation}/items"

    check(api.post(url, content=b" " * 4_500_001), 413, None)
    check(api.post(url, content=pieces()), 413, None)


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ({"limit": "0"}, 400, "limit"),
        ({"limit": "101"}, 400, "limit"),
        ({"limit": "ten"}, 400, "limit"),
        ({"limit": "99999999999999999999"}, 400, "limit"),
        ({"order": "newest"}, 400, "order"),
        ({"after": "msg_unknown"}, 404, "after"),
        ({"after": "not an id"}, 404, "after"),
        ({"befor": "x"}, 400, "befor"),
    ],
)
def test_a_wrong_query_is_refused(
    api: httpx.Client, conversation: str, query: dict[str, str], status: int, param: str
) -> None:
    check(api.get(f"/v1/conversations/{conversation}/items", params=query), status, param)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"model": "no-such-model"}, "model"),
        ({"encoding": "p50k_base", "budget": "100"}, "encoding"),
        ({"model": "gpt-4o", "encoding": "o200k_base"}, "encoding"),
        ({"encoding": "o200k_base"}, "budget"),
        ({"budget": "0"}, "budget"),
        ({"budget": "-5"}, "budget"),
        ({"budget": "many"}, "budget"),
        ({"budget": "100", "overhead_tokens": "100"}, "overhead_tokens"),
        ({"model": "gpt-4o", "reserve_output": "128000"}, "reserve_output"),
        ({"budget": "100", "format": "xml"}, "format"),
        ({"budget": "100", "stable_prefix": "maybe"}, "stable_prefix"),
        ({"budgett": "100"}, "budgett"),
        ({"budget": "100", "cache_control": "yes", "format": "anthropic"}, "cache_control"),
        ({"budget": "100", "cache_control": "true", "format": "chat"}, "cache_control"),
        ({"budget": "100", "cache_control": "true"}, "cache_control"),
        ({"budget": "100", "cache_ttl": "2h"}, "cache_ttl"),
        ({"budget": "100", "since": "-1"}, "since"),
        ({"budget": "100", "since": "newest"}, "since"),
    ],
)
def test_a_wrong_context_query_is_refused(
    api: httpx.Client, conversation: str, query: dict[str, str], param: str
) -> None:
    check(api.get(f"/v1/conversations/{conversation}/context", params=query), 400, param)


def test_only_what_cannot_be_done_although_it_is_right_is_a_422(
    api: httpx.Client, conversation: str, stored: Callable[[str], str]
) -> None:
    before = stored(conversation)
    texts = [{"type": "input_text", "text": "x"}, {"type": "input_text", "text": UNCOUNTABLE}]
    items = [message(), {"role": "user", "content": texts}, {"role": "user", "content": UNCOUNTABLE}]
    url = f"/v1/conversations/{conversation}"

    check(api.get(f"{url}/context", params={"budget": "7"}), 422, "budget")
    check(api.post(f"{url}/items", json={"items": items}), 422, "items[1].content[1].text")
    check(api.post("/v1/conversations", json={"items": items[::2]}), 422, "items[1].content")
    check(api.post(f"{url}/summary", json={"through": "msg_first", "text": UNCOUNTABLE}), 422, "text")
    said = [message(), {"role": "user", "content": [{**text, "type": "text"} for text in texts]}]
    check(api.post("/v1/tokens/count", json={"model": "gpt-4o", "messages": said}), 422, "messages[1].content[1].text")
    check(api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": UNCOUNTABLE}), 422, "input")
    assert stored(conversation) == before


def test_what_does_not_exist_is_a_404_that_says_what(api: httpx.Client, conversation: str) -> None:
    check(api.get("/v1/conversations/conv_unknown"), 404, "conversation_id")
    check(api.get("/v1/conversations/conv:unknown"), 404, "conversation_id")
    check(api.get(f"/v1/conversations/{conversation}/items/msg_unknown"), 404, "item_id")
    check(api.delete(f"/v1/conversations/{conversation}/items/msg_unknown"), 404, "item_id")
    check(api.post("/v1/conversations/conv_unknown/items", json={"items": [message()]}), 404, "conversation_id")
    check(api.get(f"/v1/conversations/{conversation}/nothing"), 404, None)
    check(api.put(f"/v1/conversations/{conversation}"), 405, None)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/conversations", {"GET", "HEAD", "POST"}),
        ("/v1/conversations/conv_1", {"DELETE", "GET", "HEAD", "POST"}),
        ("/v1/conversations/conv_1/items/msg_1", {"DELETE", "GET", "HEAD"}),
        ("/v1/conversations/conv_1/fork", {"POST"}),
        ("/api/cron/warm", {"GET", "HEAD", "POST"}),
    ],
)
def test_a_method_that_a_path_has_not_is_told_all_that_it_has(api: httpx.Client, path: str, allowed: set[str]) -> None:
    answer = api.put(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/conversations?limit[]=3", "limit[]"),
        ("/v1/conversations?metadata=x", "metadata"),
        ("/v1/conversations?metadata[k=x", "metadata[k"),
        ("/v1/conversations?metadata[]=x", "metadata[]"),
        ("/v1/conversations?limit=--5", "limit"),
        ("/v1/usage?day=1", "day"),
        ("/api/health?deep=1", "deep"),
    ],
)
def test_no_parameter_is_ignored(api: httpx.Client, path: str, param: str) -> None:
    check(api.get(path), 400, param)
    assert api.get("/v1/conversations?x-vercel-set-bypass-cookie=true").status_code == 200


def test_a_full_conversation_takes_no_more_but_lets_items_go(
    api: httpx.Client, conversation: str, run: Any, key_of: Any
) -> None:
    run("HSET", key_of(conversation), "v", "99999")
    answer = api.post(f"/v1/conversations/{conversation}/items", json={"items": [message(), message()]})

    check(answer, 413, "items")
    assert api.delete(f"/v1/conversations/{conversation}/items/msg_first").status_code == 200


def test_a_conversation_ends_at_its_limit_of_bytes(api: httpx.Client, conversation: str, run: Any, key_of: Any) -> None:
    run("HSET", key_of(conversation), "b", str(64 * 1_048_576 - 10))

    check(api.post(f"/v1/conversations/{conversation}/items", json={"items": [message()]}), 413, "items")
