"""The conversation routes over HTTP: what OpenAI's Conversations API promises, and paging to the letter."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

LISTED = ("id", "object", "created_at", "metadata", "user", "agent", "last_active_at", "expires_at")
"""What lists say of a conversation."""


def create(api: httpx.Client, *texts: str, **members: Any) -> str:
    items = [{"role": "user", "content": text} for text in texts]
    answer = api.post("/v1/conversations", json={"items": items, **members})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def texts(page: dict[str, Any]) -> list[str]:
    return [item["content"][0]["text"] for item in page["data"]]


def test_a_conversation_is_created_read_changed_and_deleted(api: httpx.Client) -> None:
    created = api.post("/v1/conversations", json={"metadata": {"topic": "demo"}}).json()
    url = f"/v1/conversations/{created['id']}"

    assert created["id"].startswith("conv_")
    assert created["object"] == "conversation"
    assert isinstance(created["created_at"], int)
    assert created["metadata"] == {"topic": "demo"}
    assert api.get(url).json() == created
    changed = api.post(url, json={"metadata": {"a": "1"}}).json()
    assert (changed["id"], changed["metadata"]) == (created["id"], {"a": "1"})
    assert api.get(url).json() == changed
    assert api.delete(url).json() == {"id": created["id"], "object": "conversation.deleted", "deleted": True}
    assert api.get(url).status_code == 404
    assert api.get(url + "/items").status_code == 404
    assert api.delete(url).status_code == 404


def test_an_empty_body_creates_an_empty_conversation(api: httpx.Client) -> None:
    created = api.post("/v1/conversations").json()

    assert created["metadata"] == {}
    page = api.get(f"/v1/conversations/{created['id']}/items").json()
    assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


def test_appended_items_come_back_normalised_and_in_order(api: httpx.Client) -> None:
    url = f"/v1/conversations/{create(api)}/items"
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "done"}
    appended = api.post(url, json={"items": [{"role": "user", "content": "hi"}, call, output]}).json()

    assert appended["object"] == "list"
    assert [item["type"] for item in appended["data"]] == ["message", "function_call", "function_call_output"]
    message = appended["data"][0]
    assert message["content"] == [{"type": "input_text", "text": "hi"}]
    assert (message["role"], message["status"]) == ("user", "completed")
    assert (appended["first_id"], appended["last_id"]) == (message["id"], appended["data"][2]["id"])
    assert appended["has_more"] is False
    assert api.get(url, params={"order": "asc"}).json()["data"] == appended["data"]
    assert api.get(f"{url}/{message['id']}").json() == message


def test_pages_are_newest_first_twenty_at_a_time_by_default(api: httpx.Client) -> None:
    conversation = create(api, *(f"t{n}" for n in range(30)))
    url = f"/v1/conversations/{conversation}/items"
    first = api.get(url).json()
    second = api.get(url, params={"after": first["last_id"]}).json()

    assert texts(first) == [f"t{n}" for n in range(29, 9, -1)]
    assert (first["has_more"], first["first_id"]) == (True, first["data"][0]["id"])
    assert texts(second) == [f"t{n}" for n in range(9, -1, -1)]
    assert second["has_more"] is False


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 7, 8, 100])
def test_paging_visits_every_item_once_though_some_are_deleted(api: httpx.Client, order: str, limit: int) -> None:
    conversation = create(api, *(f"t{n}" for n in range(8)))
    url = f"/v1/conversations/{conversation}/items"
    everything = api.get(url, params={"limit": 100, "order": "asc"}).json()["data"]
    for gone in (0, 3, 4, 7):
        api.delete(f"{url}/{everything[gone]['id']}")
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": limit, "order": order}
    for _ in range(10):
        page = api.get(url, params=query).json()
        seen += texts(page)
        query["after"] = page["last_id"]
        if not page["has_more"]:
            break

    expected = ["t1", "t2", "t5", "t6"]
    assert seen == (expected if order == "asc" else expected[::-1])


def test_a_deleted_item_is_blank_at_once_and_its_id_stays_a_place_to_start_after(
    api: httpx.Client, stored: Any
) -> None:
    conversation = create(api, "one", "a secret", "three")
    url = f"/v1/conversations/{conversation}/items"
    ids = [item["id"] for item in api.get(url, params={"order": "asc"}).json()["data"]]
    answer = api.delete(f"{url}/{ids[1]}").json()

    assert (answer["id"], answer["object"]) == (conversation, "conversation")
    assert api.get(f"{url}/{ids[1]}").status_code == 404
    assert api.delete(f"{url}/{ids[1]}").status_code == 404
    assert texts(api.get(url, params={"order": "asc", "after": ids[1]}).json()) == ["three"]
    assert "a secret" not in stored(conversation)
    again = api.post(url, json={"items": [{"role": "user", "content": "x", "id": ids[1]}]})
    assert again.json()["error"]["code"] == "duplicate_item"


def test_a_page_ends_before_it_grows_too_large(api: httpx.Client) -> None:
    conversation = create(api)
    url = f"/v1/conversations/{conversation}/items"
    for _ in range(3):
        batch = [{"role": "user", "content": "x" * 900_000} for _ in range(3)]
        assert api.post(url, json={"items": batch}).status_code == 200
    sizes: list[tuple[int, bool]] = []
    query: dict[str, str | int] = {"limit": 100, "order": "asc"}
    for _ in range(9):
        answer = api.get(url, params=query)
        page = answer.json()
        sizes.append((len(page["data"]), len(answer.content) < 4_400_000))
        query["after"] = page["last_id"]
        if not page["has_more"]:
            break

    assert sizes == [(4, True), (4, True), (1, True)]


def test_conversations_are_listed_by_their_newest_activity(api: httpx.Client) -> None:
    first, second, third = (create(api, metadata={"n": str(n)}) for n in range(3))
    api.post(f"/v1/conversations/{first}/items", json={"items": [{"role": "user", "content": "again"}]})
    api.delete(f"/v1/conversations/{second}")
    listed = api.get("/v1/conversations").json()
    page = api.get("/v1/conversations", params={"limit": 1}).json()
    rest = api.get("/v1/conversations", params={"limit": 1, "after": page["last_id"]}).json()

    assert [row["id"] for row in listed["data"]] == [first, third]
    whole = api.get(f"/v1/conversations/{third}").json()
    assert listed["data"][1] == {name: whole[name] for name in LISTED}
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (first, third, False)
    assert ([row["id"] for row in page["data"]], page["has_more"]) == ([first], True)
    assert ([row["id"] for row in rest["data"]], rest["has_more"]) == ([third], False)


def test_a_list_can_be_narrowed_by_metadata(api: httpx.Client) -> None:
    ids = [create(api, metadata={"user": f"u{n % 2}", "n": str(n)}) for n in range(6)]
    api.post(f"/v1/conversations/{ids[0]}", json={"metadata": {"user": "u1"}})
    query: dict[str, str | int] = {"metadata[user]": "u1", "limit": 2}
    page = api.get("/v1/conversations", params=query).json()
    rest = api.get("/v1/conversations", params={**query, "after": page["last_id"]}).json()

    assert [row["id"] for row in page["data"] + rest["data"]] == [ids[0], ids[5], ids[3], ids[1]]
    assert api.get("/v1/conversations", params={"metadata[user]": "u9"}).json()["data"] == []


def test_a_filter_looks_on_until_it_finds_one_or_has_seen_enough(
    make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_LIST_SCAN_MAX", "2")
    api = make_api()
    wanted = [create(api, metadata={"a": "b"}) for _ in range(2)]
    others = [create(api) for _ in range(21)]
    wanted.append(create(api, metadata={"a": "b"}))
    seen: list[str] = []
    query = {"metadata[a]": "b"}
    page = api.get("/v1/conversations", params=query).json()
    empty = api.get("/v1/conversations", params={**query, "after": page["last_id"]}).json()
    rest = api.get("/v1/conversations", params={**query, "after": empty["next_after"]}).json()

    assert ([row["id"] for row in page["data"]], page["last_id"], page["has_more"]) == ([wanted[2]], wanted[2], True)
    assert (empty["data"], empty["last_id"], empty["has_more"], empty["next_after"]) == ([], None, True, others[1])
    assert [row["id"] for row in rest["data"]] == [wanted[1]]
    for _ in range(10):
        page = api.get("/v1/conversations", params=query).json()
        seen += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        query["after"] = page["next_after"]
    assert seen == wanted[::-1]
    assert page["next_after"] is None


@pytest.mark.parametrize("cursor", ["last_id", "next_after"])
def test_the_last_id_is_one_of_the_page_and_pages_by_either_cursor_are_the_same(
    make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, cursor: str
) -> None:
    monkeypatch.setenv("WARMTHREAD_LIST_SCAN_MAX", "5")
    api = make_api()
    wanted = [create(api, metadata={"n": "x"} if n % 4 == 0 else {}) for n in range(30)][::4][::-1]
    query: dict[str, str | int] = {"metadata[n]": "x", "limit": 2}
    seen: list[str] = []
    for _ in range(30):
        page = api.get("/v1/conversations", params=query).json()
        ids = [row["id"] for row in page["data"]]
        assert (page["first_id"], page["last_id"]) == (ids[0], ids[-1]) if ids else (None, None)
        seen += ids
        if not page["has_more"]:
            break
        query["after"] = page[cursor]

    assert seen == wanted


def test_a_conversation_expires_after_its_last_use(api: httpx.Client, ttl_s: Any) -> None:
    brief, lasting, default = create(api, expires_after_s=100), create(api, expires_after_s=0), create(api)

    assert 95 <= ttl_s(brief) <= 100
    assert ttl_s(lasting) == -1
    assert 2_591_900 <= ttl_s(default) <= 2_592_000


def test_a_read_renews_the_expiry_when_it_is_due(api: httpx.Client, ttl_s: Any, run: Any, key_of: Any) -> None:
    conversation = create(api, "hello", expires_after_s=1000)
    name = key_of(conversation)
    used_at = int(run("HGET", name, "t"))
    run("HSET", name, "t", used_at - 500)
    run("EXPIRE", name, 500)
    api.get(f"/v1/conversations/{conversation}/items")
    api.get("/api/health")  # The connection takes it only when the work after the first answer is done.

    assert 995 <= ttl_s(conversation) <= 1000
