"""What OpenAI's client sends again because an answer was lost: stored once; what is meant twice: stored twice."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.conversations import ConversationItemList
from openai.types.responses import EasyInputMessageParam

from scripts.faults.server import Fault, FaultyServer

RETRIED = {"x-stainless-retry-count": "1"}
MESSAGES = [EasyInputMessageParam(role="user", content="yes"), EasyInputMessageParam(role="assistant", content="no")]
BODY: dict[str, Any] = {"items": MESSAGES}


@pytest.fixture(scope="module")
def wire(service_url: str) -> Iterator[FaultyServer]:
    """The way from the client to the service."""
    with FaultyServer(service_url) as server:
        yield server


@pytest.fixture
def client(wire: FaultyServer, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[openai.OpenAI]:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    with openai.OpenAI(base_url=f"{wire.url}/v1", api_key=key, max_retries=2) as client:
        yield client


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    return str(api.post("/v1/conversations", json={}).json()["id"])


@pytest.fixture
def url(conversation: str) -> str:
    return f"/v1/conversations/{conversation}/items"


def ids(api: httpx.Client, url: str) -> list[str]:
    return [item["id"] for item in api.get(url, params={"order": "asc", "limit": 100}).json()["data"]]


def ids_of(added: ConversationItemList) -> list[str]:
    return [item.id or "" for item in added.data]


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.TRUNCATE, Fault.ERROR_500])
def test_an_append_whose_answer_was_lost_is_stored_once(
    client: openai.OpenAI, wire: FaultyServer, api: httpx.Client, conversation: str, url: str, fault: Fault
) -> None:
    before = wire.requests
    wire.faults.append(fault)
    answer = client.conversations.items.with_raw_response.create(conversation, items=MESSAGES)

    assert wire.requests == before + 2
    assert answer.headers["idempotency-replayed"] == "true"
    assert ids(api, url) == ids_of(answer.parse())


def test_an_append_whose_answer_was_lost_twice_is_stored_once(
    client: openai.OpenAI, wire: FaultyServer, api: httpx.Client, conversation: str, url: str
) -> None:
    wire.faults += [Fault.CLOSE, Fault.ERROR_500]
    added = client.conversations.items.create(conversation, items=MESSAGES)

    assert ids(api, url) == ids_of(added)


def test_the_same_batch_meant_twice_is_stored_twice(
    client: openai.OpenAI, api: httpx.Client, conversation: str, url: str
) -> None:
    first, second = (client.conversations.items.create(conversation, items=MESSAGES) for _ in range(2))

    assert ids(api, url) == ids_of(first) + ids_of(second)


@pytest.mark.parametrize("count", ["0", "", "-1", "one", "²", "1.5"])
def test_only_a_client_that_says_so_repeats_itself(api: httpx.Client, url: str, count: str) -> None:
    api.post(url, json=BODY)
    api.post(url, json=BODY, headers=[(b"x-stainless-retry-count", count.encode())])

    assert len(ids(api, url)) == 4


def test_a_retry_of_what_never_arrived_is_stored(api: httpx.Client, url: str) -> None:
    answer = api.post(url, json=BODY, headers=RETRIED)

    assert "idempotency-replayed" not in answer.headers
    assert len(ids(api, url)) == 2


def test_a_retry_is_answered_as_the_first_time(api: httpx.Client, url: str, stored: Any, conversation: str) -> None:
    first = api.post(url, json=BODY)
    before = stored(conversation)
    again = api.post(url, json=BODY, headers={**RETRIED, "if-match": '"0"'})

    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert stored(conversation) == before


def test_a_retry_with_another_batch_is_stored(api: httpx.Client, url: str) -> None:
    api.post(url, json=BODY)
    api.post(url, json={"items": MESSAGES[:1]}, headers=RETRIED)

    assert len(ids(api, url)) == 3


@pytest.mark.parametrize("between", ["append", "delete_item", "update"])
def test_a_retry_is_stored_when_something_came_in_between(
    api: httpx.Client, conversation: str, url: str, between: str
) -> None:
    first = api.post(url, json=BODY).json()
    if between == "append":
        api.post(url, json={"items": MESSAGES[:1]})
    elif between == "delete_item":
        api.delete(f"{url}/{first['last_id']}")
    else:
        api.post(f"/v1/conversations/{conversation}", json={"metadata": {"a": "b"}})
    before = len(ids(api, url))
    api.post(url, json=BODY, headers=RETRIED)

    assert len(ids(api, url)) == before + 2


@pytest.mark.parametrize(("age_s", "is_repeat"), [(110, True), (130, False), (-30, True)])
def test_a_retry_is_known_for_two_minutes(
    api: httpx.Client,
    conversation: str,
    url: str,
    run: Callable[..., Any],
    key_of: Callable[[str], str],
    age_s: int,
    is_repeat: bool,
) -> None:
    first = api.post(url, json=BODY)
    kept = run("HGET", key_of(conversation), "last").rpartition(" ")[0]
    run("HSET", key_of(conversation), "last", f"{kept} {int(time.time()) - age_s}")
    again = api.post(url, json=BODY, headers=RETRIED)

    assert (again.json()["first_id"] == first.json()["first_id"]) is is_repeat
    assert len(ids(api, url)) == (2 if is_repeat else 4)


@pytest.mark.parametrize("off_s", [-300, 300])
@pytest.mark.parametrize(("age_s", "is_repeat"), [(0, True), (110, True), (130, False)])
def test_a_retry_is_known_by_the_store_where_the_clocks_of_instances_differ(
    api: httpx.Client,
    conversation: str,
    url: str,
    run: Callable[..., Any],
    key_of: Callable[[str], str],
    off_s: int,
    age_s: int,
    is_repeat: bool,
) -> None:
    first = api.post(url, json=BODY)
    name = key_of(conversation)
    kept, _, at = run("HGET", name, "last").rpartition(" ")
    # As if an instance whose clock is off had stored it, so long ago.
    run("HSET", name, "last", f"{kept} {int(at) - age_s + off_s}", "t", int(at) - age_s + off_s)
    run("EXPIRE", name, int(run("HGET", name, "e")) - age_s)
    again = api.post(url, json=BODY, headers=RETRIED)

    assert (again.json()["first_id"] == first.json()["first_id"]) is is_repeat
    assert len(ids(api, url)) == (2 if is_repeat else 4)


@pytest.mark.parametrize(("age_s", "is_repeat"), [(110, True), (130, False)])
def test_a_retry_is_known_by_the_clocks_where_nothing_expires(
    api: httpx.Client, run: Callable[..., Any], key_of: Callable[[str], str], age_s: int, is_repeat: bool
) -> None:
    conversation = api.post("/v1/conversations", json={"expires_after_s": 0}).json()["id"]
    url, name = f"/v1/conversations/{conversation}/items", key_of(conversation)
    api.post(url, json=BODY)
    kept, _, at = run("HGET", name, "last").rpartition(" ")
    run("HSET", name, "last", f"{kept} {int(at) - age_s}", "t", int(at) - age_s)
    api.post(url, json=BODY, headers=RETRIED)

    assert len(ids(api, url)) == (2 if is_repeat else 4)


def test_a_key_alone_decides_where_there_is_one(api: httpx.Client, url: str) -> None:
    api.post(url, json=BODY)
    api.post(url, json=BODY, headers={**RETRIED, "idempotency-key": "another"})

    assert len(ids(api, url)) == 4


def test_a_lost_creation_is_repeated_once_only_with_a_key(
    client: openai.OpenAI, wire: FaultyServer, api: httpx.Client
) -> None:
    wire.faults.append(Fault.CLOSE)
    kept = client.conversations.create(items=MESSAGES, extra_headers={"Idempotency-Key": "my-first"})
    listed = [each["id"] for each in api.get("/v1/conversations").json()["data"]]
    wire.faults.append(Fault.CLOSE)
    client.conversations.create(items=MESSAGES)

    assert listed == [kept.id]
    assert len(api.get("/v1/conversations").json()["data"]) == 3


def test_the_client_can_send_a_key_with_every_write(
    client: openai.OpenAI, wire: FaultyServer, api: httpx.Client, conversation: str, url: str
) -> None:
    conversations = client.conversations
    wire.faults.append(Fault.CLOSE)
    added = conversations.items.create(conversation, items=MESSAGES, extra_headers={"Idempotency-Key": "add"})
    wire.faults.append(Fault.CLOSE)
    conversations.update(conversation, metadata={"a": "b"}, extra_headers={"Idempotency-Key": "update"})
    wire.faults.append(Fault.CLOSE)
    first, second = ids_of(added)
    conversations.items.delete(first, conversation_id=conversation, extra_headers={"Idempotency-Key": "item"})
    left = ids(api, url)
    wire.faults.append(Fault.CLOSE)
    gone = conversations.delete(conversation, extra_headers={"Idempotency-Key": "all"})

    assert left == [second]
    assert gone.deleted is True
