"""What comes twice is done once: what the store's client sends again, and what has an Idempotency-Key."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.errors import Malformed
from shared.process.pool import Pool
from shared.request.caller import make_key, read_key
from shared.store import keys
from shared.store.attempts import read_attempt
from tests.instances import running_instance

Send = Callable[..., httpx.Response]
Call = Callable[[httpx.Client, str, dict[str, str]], httpx.Response]


def batch(*texts: str) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": text} for text in texts]}


CALLS: dict[str, Call] = {
    "create": lambda api, _, headers: api.post("/v1/conversations", json=batch("a", "b"), headers=headers),
    "append": lambda api, id_, headers: api.post(
        f"/v1/conversations/{id_}/items", json=batch("a", "b"), headers=headers
    ),
    "update": lambda api, id_, headers: api.post(
        f"/v1/conversations/{id_}", json={"metadata": {"a": "b"}}, headers=headers
    ),
    "delete_item": lambda api, id_, headers: api.delete(f"/v1/conversations/{id_}/items/msg_1", headers=headers),
    "delete": lambda api, id_, headers: api.delete(f"/v1/conversations/{id_}", headers=headers),
    "fork": lambda api, id_, headers: api.post(
        f"/v1/conversations/{id_}/fork", json={"after": "msg_1"}, headers=headers
    ),
    "summary": lambda api, id_, headers: api.post(
        f"/v1/conversations/{id_}/summary", json={"through": "msg_1", "text": "so far"}, headers=headers
    ),
}
DAY_S = 86_400
KEY = {"idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    items = [{"role": "user", "content": "first", "id": "msg_1"}]
    return str(api.post("/v1/conversations", json={"items": items, "metadata": {"k": "é"}}).json()["id"])


@pytest.fixture
def state(api: httpx.Client, stored: Callable[[str], str]) -> Callable[[str], tuple[str, int]]:
    """Return all that the store holds of a conversation, and how many there are."""
    return lambda conversation: (stored(conversation), len(api.get("/v1/conversations").json()["data"]))


@pytest.fixture(scope="module")
def wire(upstash: LocalUpstash) -> Iterator[FaultyServer]:
    with FaultyServer(upstash.url) as server:
        yield server


@pytest.fixture(scope="module")
def far_url(wire: FaultyServer) -> Iterator[str]:
    """The address of an instance whose way to the store is *wire*."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTASH_REDIS_REST_URL", wire.url)
        with running_instance() as url:
            yield url


@pytest.fixture
def far_api(far_url: str, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=far_url, headers={"authorization": f"Bearer {key}"}) as client:
        client.get("/v1/conversations")  # So that the key is known there.
        yield client


@pytest.mark.parametrize("headers", [{}, KEY], ids=["without_a_key", "with_a_key"])
@pytest.mark.parametrize("name", CALLS)
def test_what_the_store_client_sends_again_is_done_once(
    far_api: httpx.Client,
    wire: FaultyServer,
    conversation: str,
    state: Callable[[str], tuple[str, int]],
    name: str,
    headers: dict[str, str],
) -> None:
    before = wire.requests
    wire.faults.append(Fault.CLOSE)
    answer = CALLS[name](far_api, conversation, headers)
    after = state(conversation)

    assert answer.status_code == 200, answer.text
    assert "idempotency-replayed" not in answer.headers
    assert wire.requests == before + 2
    assert after[1] == {"create": 2, "fork": 2, "delete": 0}.get(name, 1)
    versions = {"append": "3", "update": "2", "delete_item": "2", "create": "2", "fork": "1", "summary": "2"}
    if name in versions:
        assert answer.headers["etag"].strip('"').split(".")[1] == versions[name]


def test_a_conversation_deleted_by_another_is_not_found(api: httpx.Client, conversation: str) -> None:
    assert CALLS["delete"](api, conversation, {}).status_code == 200
    assert CALLS["delete"](api, conversation, {}).status_code == 404


@pytest.mark.parametrize("name", CALLS)
def test_the_same_key_and_request_give_the_same_answer_and_change_nothing(
    api: httpx.Client, conversation: str, state: Callable[[str], tuple[str, int]], name: str
) -> None:
    first = CALLS[name](api, conversation, KEY)
    between = state(conversation)
    # Most clients send the key bare.
    second = CALLS[name](api, conversation, {"idempotency-key": KEY["idempotency-key"].strip('"')})

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.content == first.content
    assert second.headers.get("etag") == first.headers.get("etag")
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert state(conversation) == between


def test_an_answer_stays_what_it_was_whatever_happened_since(api: httpx.Client, conversation: str) -> None:
    url = f"/v1/conversations/{conversation}/items"
    appended = CALLS["append"](api, conversation, KEY)
    renamed = CALLS["delete_item"](api, conversation, {"idempotency-key": "other"}).json()
    api.delete(f"{url}/{appended.json()['first_id']}")
    CALLS["update"](api, conversation, {})
    metadata = api.get(f"/v1/conversations/{conversation}").json()["metadata"]
    assert metadata not in ({}, renamed["metadata"])

    assert CALLS["append"](api, conversation, KEY).content == appended.content
    # What is kept of an answer holds no text: metadata is told as it is now, and goes with the conversation.
    again = CALLS["delete_item"](api, conversation, {"idempotency-key": "other"})
    assert again.json() == renamed | {"metadata": metadata}
    api.delete(f"/v1/conversations/{conversation}")
    assert CALLS["append"](api, conversation, KEY).content == appended.content
    assert CALLS["delete_item"](api, conversation, {"idempotency-key": "other"}).json() == renamed | {"metadata": {}}
    assert api.get(url).status_code == 404


@pytest.mark.parametrize("name", CALLS)
def test_what_is_kept_of_an_answer_holds_no_text_of_a_client(
    api: httpx.Client, run: Callable[..., Any], tenant: str, name: str
) -> None:
    items = [{"role": "user", "content": "canary", "id": "msg_1"}]
    body = {"id": "conv_canary-id", "metadata": {"canary-name": "canary"}, "items": items}
    original = api.post("/v1/conversations", json=body).json()["id"]
    fork = api.post(f"/v1/conversations/{original}/fork").json()["id"]

    for number, conversation in enumerate((original, fork)):
        assert CALLS[name](api, conversation, {"idempotency-key": f"of-{number}"}).status_code == 200

    records = [run("GET", each) for each in run("KEYS", keys.attempt_key(tenant, "*"))]
    assert len(records) == 2
    assert not any("canary" in each for each in records)


def test_a_key_stands_for_one_method_path_and_body(
    api: httpx.Client, conversation: str, state: Callable[[str], tuple[str, int]]
) -> None:
    CALLS["append"](api, conversation, KEY)
    before = state(conversation)
    other_body = api.post(f"/v1/conversations/{conversation}/items", json=batch("a", "c"), headers=KEY)
    others = [CALLS[name](api, conversation, KEY) for name in CALLS if name != "append"]

    for answer in [other_body, *others]:
        problem = answer.json()
        assert answer.status_code == 422
        assert problem["type"] == "urn:warmthread:problem:idempotency-key-reused"
        assert problem["error"]["param"] == "Idempotency-Key"
    assert state(conversation) == before


def test_a_refused_request_leaves_its_key_free(api: httpx.Client, conversation: str) -> None:
    url = f"/v1/conversations/{conversation}/items"
    taken = {"items": [{"role": "user", "content": "x", "id": "msg_1"}]}

    assert api.post(url, json=taken, headers=KEY).status_code == 400
    assert api.post("/v1/conversations/conv_unknown/items", json=batch("a"), headers=KEY).status_code == 404
    assert api.post(url, json=batch("a"), headers=KEY).status_code == 200


@pytest.mark.parametrize(
    "value", ["", '""', '"', "has space", '"has space"', '"open', 'shut"x" y', '"a"b', '"a";p=1', "é", "k" * 256]
)
def test_a_key_that_is_none_is_refused(
    api: httpx.Client, conversation: str, state: Callable[[str], tuple[str, int]], value: str
) -> None:
    before = state(conversation)
    headers = [(b"idempotency-key", value.encode())]
    answer = api.post(f"/v1/conversations/{conversation}/items", json=batch("a"), headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Idempotency-Key"
    assert state(conversation) == before


async def test_a_key_may_be_quoted_or_bare() -> None:
    async def key_of(value: str) -> str:
        return (await read_attempt("POST", "/", {"idempotency-key": value}, b"", Pool(1))).key

    assert await key_of('"abc"') == await key_of("abc") == "abc"
    assert await key_of(r'"a\"b\\c"') == r"a\"b\c".replace(r"\"", '"')
    assert await key_of("k" * 255) == "k" * 255
    assert await key_of("!~'\\") == "!~'\\"
    with pytest.raises(Malformed):
        await key_of(r'"a\b"')


def test_a_large_body_is_known_again_too(api: httpx.Client, conversation: str) -> None:
    url, body = f"/v1/conversations/{conversation}/items", batch("x" * 500_000)
    first = api.post(url, json=body, headers=KEY)

    assert api.post(url, json=body, headers=KEY).content == first.content
    assert api.post(url, json=batch("x" * 500_001), headers=KEY).status_code == 422


def test_twenty_concurrent_requests_with_one_key_store_one_batch(
    api: httpx.Client, service_url: str, far_url: str, key: str, conversation: str
) -> None:
    def send(number: int) -> httpx.Response:
        url = f"{(service_url, far_url)[number % 2]}/v1/conversations/{conversation}/items"
        return httpx.post(url, json=batch("a", "b"), headers={**KEY, "authorization": f"Bearer {key}"})

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(send, range(20)))

    assert [each.status_code for each in answers] == [200] * 20
    assert len({each.content for each in answers}) == 1
    assert sum("idempotency-replayed" not in each.headers for each in answers) == 1
    assert len(api.get(f"/v1/conversations/{conversation}/items").json()["data"]) == 3


def test_tenants_with_equal_keys_do_not_meet(api: httpx.Client, other_api: httpx.Client) -> None:
    first, second = (CALLS["create"](each, "", KEY) for each in (api, other_api))

    assert first.json()["id"] != second.json()["id"]
    assert "idempotency-replayed" not in second.headers


def test_every_api_key_of_a_tenant_gets_the_same_answer(
    api: httpx.Client, service_url: str, key: str, run: Callable[..., Any], conversation: str
) -> None:
    tenant = read_key(key).tenant
    another = make_key(tenant)
    run("HSET", keys.tenant_key(tenant), f"k:{read_key(another).key_hash}", "0")
    with httpx.Client(base_url=service_url, headers={"authorization": f"Bearer {another}"}) as colleague:
        for name in ("create", "append"):
            headers = {"idempotency-key": name}
            first, second = (CALLS[name](each, conversation, headers) for each in (api, colleague))

            assert second.content == first.content
            assert second.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("name", ["create", "append"])
def test_a_key_is_free_again_after_its_time(
    api: httpx.Client, run: Callable[..., Any], key: str, conversation: str, name: str
) -> None:
    first = CALLS[name](api, conversation, KEY)
    [record] = run("KEYS", keys.attempt_key(read_key(key).tenant, "*"))
    ttl_s = run("TTL", record)
    run("EXPIRE", record, 0)
    second = CALLS[name](api, conversation, KEY)

    assert DAY_S - 60 < ttl_s <= DAY_S
    assert "idempotency-replayed" not in second.headers
    id_of = {"create": "id", "append": "first_id"}[name]
    assert second.json()[id_of] != first.json()[id_of]
