"""Conversations whose ids their clients chose: one of each, spread like others, known when they come again."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.faults.server import Fault, FaultyServer
from shared.store import keys
from shared.store.indexes import shard_of
from tests.half_way import check_indexes

Json = dict[str, Any]
HELLO = {"items": [{"role": "user", "content": "hello"}]}


def create(api: httpx.Client, conversation_id: str, **headers: str) -> httpx.Response:
    return api.post("/v1/conversations", json={**HELLO, "id": conversation_id}, headers=headers)


def test_a_conversation_gets_the_id_that_its_client_chose(api: httpx.Client) -> None:
    made = create(api, "conv_user-42")

    assert (made.status_code, made.json()["id"]) == (200, "conv_user-42")
    assert api.get("/v1/conversations/conv_user-42").json() == made.json()
    assert api.post("/v1/conversations/conv_user-42/items", json=HELLO).status_code == 200
    assert [each["id"] for each in api.get("/v1/conversations").json()["data"]] == ["conv_user-42"]
    assert api.post("/v1/conversations/conv_user-42/fork").json()["forked_from"] == "conv_user-42"
    assert api.post("/v1/conversations", json={**HELLO, "id": None}).json()["id"] != "conv_user-42"


@pytest.mark.parametrize("wrong", ["user-42", "conv_", "conv_ä", "conv_" + "x" * 60, "conv_a/b", 7, "", "CONV_a", {}])
def test_an_id_that_may_not_be_is_refused_by_its_name(api: httpx.Client, wrong: Any) -> None:
    refused = create(api, wrong)

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "id")
    assert api.get("/v1/conversations").json()["data"] == []


def test_an_id_is_taken_while_its_conversation_is_there_and_for_a_day_after(
    make_api: Callable[[], httpx.Client], run: Any, tenant: str
) -> None:
    api = make_api()
    create(api, "conv_mine")
    refused = create(api, "conv_mine")
    other = api.post("/v1/conversations", json={"id": "conv_mine", "metadata": {"a": "b"}})

    assert (refused.status_code, other.status_code) == (409, 409)
    assert refused.json()["error"] == {**refused.json()["error"], "param": "id", "code": "conversation_exists"}
    assert refused.headers["x-should-retry"] == "false"
    assert api.get("/v1/conversations/conv_mine/items").json()["data"][0]["content"][0]["text"] == "hello"
    assert api.delete("/v1/conversations/conv_mine").status_code == 200
    assert create(api, "conv_mine").status_code == 409
    assert 86_000 < run("TTL", keys.left_key(tenant, keys.mark_of("conv_mine"))) <= 86_400
    run("DEL", keys.left_key(tenant, keys.mark_of("conv_mine")))
    assert create(api, "conv_mine").status_code == 200
    check_indexes(run, tenant)


def test_of_many_that_want_an_id_at_once_one_gets_it(api: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        statuses = Counter(threads.map(lambda _: create(api, "conv_one").status_code, range(8)))

    assert statuses == {200: 1, 409: 7}


def test_a_creation_that_comes_again_by_its_key_is_answered(api: httpx.Client) -> None:
    key = {"idempotency-key": "k"}
    first, again = create(api, "conv_a", **key), create(api, "conv_a", **key)
    api.post("/v1/conversations/conv_a/items", json=HELLO)
    later = create(api, "conv_a", **key)
    reused = create(api, "conv_b", **key)

    assert first.json() == again.json() == later.json()
    assert [each.headers.get("idempotency-replayed") for each in (first, again, later)] == [None, "true", "true"]
    assert (reused.status_code, reused.json()["error"]["code"]) == (422, "idempotency_key_reused")
    api.delete("/v1/conversations/conv_a")
    gone = create(api, "conv_a", **key)
    assert (gone.status_code, gone.headers["idempotency-replayed"], gone.json()) == (200, "true", first.json())
    assert api.get("/v1/conversations/conv_a").status_code == 404


def test_a_client_that_lost_the_answer_gets_it_while_nothing_came_after(api: httpx.Client) -> None:
    retry = {"x-stainless-retry-count": "1"}
    first = create(api, "conv_a")
    again = create(api, "conv_a", **retry)
    api.post("/v1/conversations/conv_a/items", json=HELLO)

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert create(api, "conv_a", **retry).status_code == 409


def test_the_store_client_that_lost_the_answer_gets_it(server: FaultyServer, tenant_behind: Callable[[], Any]) -> None:
    with tenant_behind() as (_, api, faulty):
        server.faults.append(Fault.CLOSE)
        made = create(faulty, "conv_a")

        assert made.status_code == 200, made.text
        assert api.get("/v1/conversations/conv_a").json() == made.json()


def test_a_refused_creation_takes_no_id(api: httpx.Client) -> None:
    refused = api.post("/v1/conversations", json={"id": "conv_a", "items": [{"role": "nobody", "content": "x"}]})

    assert refused.status_code == 400
    assert create(api, "conv_a").status_code == 200


SPREAD = 16


@pytest.mark.parametrize("form", ["conv_user_{}", "conv_{:04d}", "conv_{}_main", "conv_{:056x}-00", "conv_{}0000"])
def test_ids_that_end_alike_spread_over_the_indexes(form: str) -> None:
    counts = Counter(shard_of(form.format(number), SPREAD) for number in range(1_600))

    assert len(counts) == SPREAD
    assert max(counts.values()) < 2 * 100


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(
    st.from_regex(r"conv_[A-Za-z0-9_-]{1,59}", fullmatch=True),
    st.from_regex(r"conv_[0-9a-f]{48}", fullmatch=True),
    st.sampled_from(["conv_-123", "conv_0x1f", "conv_a_1f", "conv_" + "A" * 48]),
), st.sampled_from([1, 2, 4, 64, 1024]))  # fmt: skip
def test_the_scripts_spread_them_as_the_service_does(run: Any, conversation_id: str, shards: int) -> None:
    from shared.store.script import FOLDER

    parts = [(FOLDER / name).read_text() for name in ("operation/digits.lua", "conversation/index.lua")]
    source = "\n".join(parts) + "\nreturn shard_of(ARGV[1], tonumber(ARGV[2]))"

    assert run("EVAL", source, 0, conversation_id, shards) == shard_of(conversation_id, shards)


def test_conversations_of_chosen_ids_move_with_their_shards(
    make_api: Callable[[], httpx.Client], run: Any, tenant: str
) -> None:
    api = make_api()
    ids = [f"conv_user-{number}-main" for number in range(24)]
    for each in ids[:12]:
        create(api, each)
    run("HSET", keys.tenant_key(tenant), "shards", "4 1")
    for each in ids[12:]:
        create(api, each)
    listed = api.get("/v1/conversations", params={"limit": 100}).json()["data"]

    assert [each["id"] for each in listed] == ids[::-1]
    assert api.delete(f"/v1/conversations/{ids[0]}").status_code == 200
    assert create(api, ids[0]).status_code == 409
    assert len(api.get("/v1/conversations", params={"limit": 100}).json()["data"]) == 23
