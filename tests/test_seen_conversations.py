"""What answers tell of a conversation and of its items besides what was sent: times, sizes, where it comes from."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from scripts.faults.server import Fault, FaultyServer
from tests.half_way import wait_until

Json = dict[str, Any]
FACTS = ("last_active_at", "expires_at", "items", "tokens", "bytes", "version", "forked_from")
RESULT = {"type": "function_call_output", "call_id": "c", "output": "word " * 4_000}
BATCH = [
    {"role": "user", "content": "Which way?"},
    {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
    RESULT,
    {"type": "message", "role": "assistant", "content": "See document:a.txt."},
]


def said(*texts: str) -> Json:
    return {"items": [{"role": "user", "content": text} for text in texts]}


def create(api: httpx.Client, **body: Any) -> Json:
    answer = api.post("/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _after(first: httpx.Response, second: httpx.Response) -> httpx.Response:
    assert first.status_code == 200, first.text
    return second


def without_time(item: Json) -> Json:
    return {name: value for name, value in item.items() if name != "created_at"}


@pytest.mark.parametrize("size", ["whole", "apart"])
def test_items_say_when_they_were_appended_wherever_they_are_read(
    make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    if size == "apart":
        monkeypatch.setenv("WARMTHREAD_L1_WHOLE_BYTES_MAX", "0")
    api, cold = make_api(), make_api()
    before = int(time.time())
    path = f"/v1/conversations/{create(api, items=BATCH[:1])['id']}/items"
    appended = api.post(path, json={"items": BATCH[1:]}).json()["data"]
    after = int(time.time())
    pages = [
        each.get(path, params={"order": order, "limit": limit}).json()["data"]
        for each in (api, cold)
        for order in ("asc", "desc")
        for limit in (2, 100)
    ]
    every = sorted(pages[1], key=lambda item: [*map(without_time, pages[1])].index(without_time(item)))

    assert all(before <= each["created_at"] <= after for each in every)
    assert every[1:] == appended
    assert pages == [every[:2], every, every[::-1][:2], every[::-1]] * 2
    for each in every:
        assert api.get(f"{path}/{each['id']}").json() == each
        assert cold.get(f"{path}/{each['id']}").json() == each


def test_an_item_of_an_older_release_does_not_say_when(
    make_api: Callable[[], httpx.Client], run: Callable[..., Any], key_of: Callable[[str], str]
) -> None:
    api = make_api()
    conversation = create(api, **said("one", "two"))["id"]
    name = key_of(conversation)
    entry = run("HGET", name, "1")
    at = entry.index("]\n")
    facts, _, _ = entry[:at].rpartition(",")
    run("HSET", name, "1", facts + entry[at:])
    items = make_api().get(f"/v1/conversations/{conversation}/items", params={"order": "asc"}).json()["data"]

    assert items[0]["created_at"] is None
    assert isinstance(items[1]["created_at"], int)
    alone = make_api().get(f"/v1/conversations/{conversation}/items/{items[0]['id']}").json()
    assert alone == items[0]


@pytest.mark.parametrize("how", ["key", "client", "lost"])
def test_an_append_that_comes_again_says_the_first_time(
    how: str, make_api: Callable[[], httpx.Client], monkeypatch: pytest.MonkeyPatch, server: FaultyServer,
    tenant_behind: Callable[[], Any],
) -> None:  # fmt: skip
    with tenant_behind() as (_, api, faulty):
        path = f"/v1/conversations/{create(api)['id']}/items"
        headers = {"key": {"idempotency-key": "one"}, "client": {"x-stainless-retry-count": "1"}, "lost": {}}[how]
        if how == "lost":
            server.faults.append(Fault.CLOSE)
            again = faulty.post(path, json=said("once"))
        else:
            api.post(path, json=said("once"), headers=headers)
            time.sleep(1.1)
            again = api.post(path, json=said("once"), headers=headers)
            assert again.headers["idempotency-replayed"] == "true"
        stored = api.get(path).json()["data"]

    assert again.status_code == 200, again.text
    assert again.json()["data"] == stored


def test_contexts_hold_items_without_their_times(api: httpx.Client) -> None:
    path = f"/v1/conversations/{create(api, items=BATCH)['id']}"
    context = api.get(path + "/context", params={"budget": 100_000}).json()["input"]
    items = api.get(path + "/items", params={"order": "asc"}).json()["data"]

    assert context == [without_time(each) for each in items]
    again = api.post(path + "/items", json={**said("more"), "context": {"budget": 100_000}}).json()
    assert [*again["data"][0]][-1] == "created_at"
    assert all("created_at" not in each for each in again["context"]["input"])


def test_what_was_read_may_be_appended_to_another_conversation(api: httpx.Client) -> None:
    first, second = create(api, items=BATCH)["id"], create(api)["id"]
    items = api.get(f"/v1/conversations/{first}/items", params={"order": "asc"}).json()["data"]
    old = [{**each, "created_at": 7} for each in items]
    appended = api.post(f"/v1/conversations/{second}/items", json={"items": old}).json()["data"]

    assert [without_time(each) for each in appended] == [without_time(each) for each in items]
    assert all(each["created_at"] > 7 for each in appended)
    for wrong in ("7", -1, True):
        refused = api.post(f"/v1/conversations/{second}/items", json={"items": [{**items[0], "created_at": wrong}]})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "items[0].created_at")


async def test_openais_clients_get_times_where_they_ask_for_them(service_url: str, key: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{service_url}/v1", api_key=key, max_retries=0) as client:
        conversation = await client.conversations.create(items=[{"role": "user", "content": "hi"}])
        asked: Any = ["created_at", "reasoning.encrypted_content"]
        bare = await client.conversations.items.list(conversation.id)
        dated = await client.conversations.items.list(conversation.id, include=asked)
        added = await client.conversations.items.create(conversation.id, items=[{"role": "user", "content": "ho"}])
        one = await client.conversations.items.retrieve(added.data[0].id or "", conversation_id=conversation.id)

    assert "created_at" not in bare.data[0].to_dict()
    assert isinstance(dated.data[0].to_dict()["created_at"], int)
    assert "created_at" not in added.data[0].to_dict()
    assert "created_at" not in one.to_dict()


def test_every_answer_of_a_conversation_tells_what_it_is(api: httpx.Client, run: Any, key_of: Any) -> None:
    told = create(api, **said("one", "two", "three"), metadata={"k": "v"}, expires_after_s=1_000)
    path, seen = f"/v1/conversations/{told['id']}", [told]
    items = api.get(path + "/items", params={"order": "asc"}).json()["data"]
    changes: list[Callable[[], httpx.Response]] = [
        lambda: api.post(path, json={"metadata": {"k": "w"}}),
        lambda: api.delete(f"{path}/items/{items[1]['id']}"),
        lambda: _after(api.post(path + "/summary", json={"through": items[0]["id"], "text": "so"}), api.get(path)),
        lambda: api.delete(path + "/summary"),
        lambda: api.post(path + "/compact"),
    ]
    for change in changes:
        response = change()
        assert response.status_code == 200, response.text
        now = api.get(path)
        assert response.json() == now.json()
        assert response.headers["etag"] == now.headers["etag"]
        assert api.get(path, headers={"if-none-match": now.headers["etag"]}).status_code == 304
        seen.append(now.json())

    name = key_of(told["id"])
    assert [each["items"] for each in seen] == [3, 3, 2, 2, 2, 2]
    assert [each["version"] for each in seen] == [3, 4, 5, 6, 7, 7]
    assert seen[-1]["tokens"] == seen[0]["tokens"] - seen[0]["tokens"] // 3
    assert [seen[-1]["bytes"], seen[-1]["version"]] == [*map(int, run("HMGET", name, "b", "v"))]
    assert all(each["expires_at"] == each["last_active_at"] + 1_000 for each in seen)
    assert all(tuple(each)[6:] == FACTS and each["forked_from"] is None for each in seen)


def test_a_fork_says_what_it_was_forked_from(api: httpx.Client) -> None:
    source = create(api, **said("one", "two"))
    fork = api.post(f"/v1/conversations/{source['id']}/fork").json()
    again = api.post(f"/v1/conversations/{fork['id']}/fork").json()
    path = f"/v1/conversations/{again['id']}"

    assert fork == {**source, **{name: fork[name] for name in ("id", "created_at", "last_active_at", "expires_at")},
                    "bytes": fork["bytes"], "forked_from": source["id"]}  # fmt: skip
    assert again["forked_from"] == fork["id"]
    assert api.get(path).json() == again
    api.delete(f"/v1/conversations/{fork['id']}")
    assert api.post(path + "/compact").json()["forked_from"] == fork["id"]


def test_a_change_that_comes_again_tells_what_it_told(api: httpx.Client) -> None:
    headers = {"idempotency-key": "creates"}
    first = api.post("/v1/conversations", json=said("one"), headers=headers)
    path = f"/v1/conversations/{first.json()['id']}"
    api.post(path + "/items", json=said("two"))
    again = api.post("/v1/conversations", json=said("one"), headers=headers)

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert api.get(path).json()["items"] == 2


def test_a_list_says_what_its_rows_hold(api: httpx.Client, run: Any, key_of: Any) -> None:
    lasting, brief = create(api, expires_after_s=0), create(api, **said("x"), expires_after_s=500)
    time.sleep(1.1)
    api.post(f"/v1/conversations/{lasting['id']}/items", json=said("later"))
    listed = api.get("/v1/conversations").json()["data"]
    whole = [api.get(f"/v1/conversations/{each['id']}").json() for each in listed]

    assert [each["id"] for each in listed] == [lasting["id"], brief["id"]]
    assert [*listed[0]] == ["id", "object", "created_at", "metadata", "user", "agent", "last_active_at", "expires_at"]
    assert listed == [{name: each[name] for name in listed[0]} for each in whole]
    assert listed[0]["last_active_at"] > listed[0]["created_at"]
    assert (listed[0]["expires_at"], listed[1]["expires_at"]) == (None, listed[1]["last_active_at"] + 500)


def test_a_read_that_renews_the_expiry_changes_the_tag_of_the_conversation(
    api: httpx.Client, run: Any, key_of: Any
) -> None:
    told = create(api, **said("hello"), expires_after_s=1_000)
    path, name = f"/v1/conversations/{told['id']}", key_of(told["id"])
    run("HSET", name, "t", told["last_active_at"] - 500)
    old = api.get(path)
    wait_until(lambda: int(run("HGET", name, "t")) >= told["last_active_at"])
    new = api.get(path, headers={"if-none-match": old.headers["etag"]})

    assert old.json()["expires_at"] == told["expires_at"] - 500
    assert new.status_code == 200
    assert new.json()["expires_at"] >= told["expires_at"]
    assert api.post(path, json={"metadata": {}}, headers={"if-match": new.headers["etag"]}).status_code == 200
