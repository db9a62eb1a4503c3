"""
A store that refuses writes for memory: what is stored is read, what is not wanted any more leaves, and all else is
refused as a whole.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.faults.server import FaultyServer
from shared.conversations.listing import REPAIRS_MAX
from shared.store import keys
from tests.bearers import CRON
from tests.conversations import WRITES, Call, begin, check_bytes, everything
from tests.half_way import check_indexes, failures
from tests.instances import client_of
from tests.swept import age

pytestmark = pytest.mark.usefixtures("fresh_crons")

KEYED = {"idempotency-key": "once"}

READS: dict[str, Call] = {
    "list": lambda api, _: api.get("/v1/conversations"),
    "list filtered": lambda api, _: api.get("/v1/conversations", params={"metadata[k]": "v"}),
    "head": lambda api, path: api.get(path),
    "page": lambda api, path: api.get(f"{path}/items", params={"limit": 1}),
    "pages from the first": lambda api, path: api.get(f"{path}/items", params={"order": "asc", "limit": 2}),
    "item": lambda api, path: api.get(f"{path}/items/item_1"),
    "context": lambda api, path: api.get(f"{path}/context", params={"budget": 1_000}),
    "context of a call": lambda api, path: api.post(f"{path}/context", json={"budget": 1_000}),
    "usage": lambda api, _: api.get("/v1/usage"),
    "count": lambda api, _: api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "x"}),
}


@pytest.fixture
def fill(run: Callable[..., Any]) -> Iterator[Callable[[], None]]:
    """Let the store have no memory left, until the test's end."""
    assert run("CONFIG", "GET", "maxmemory-policy")[1] == "noeviction"
    yield lambda: run("CONFIG", "SET", "maxmemory", "1")
    run("CONFIG", "SET", "maxmemory", "0")


@pytest.fixture
def empty(run: Callable[..., Any]) -> Callable[[], None]:
    """Let it have memory again."""
    return lambda: run("CONFIG", "SET", "maxmemory", "0")


@pytest.mark.parametrize("is_rated", [False, True], ids=["no rate", "rate"])
@pytest.mark.parametrize("name", READS)
def test_what_is_stored_is_read(
    name: str,
    is_rated: bool,
    api: httpx.Client,
    make_api: Callable[[], httpx.Client],
    budget: Callable[..., None],
    fill: Callable[[], None],
) -> None:
    path = begin(api, metadata={"k": "v"})
    if is_rated:
        budget(rate="600", burst="100", tokens_day="1000")
    expected = READS[name](make_api(), path)
    fill()
    cold = make_api()
    answers = [READS[name](cold, path) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [expected.status_code] * 2 == [200] * 2
    assert answers[0].json() == expected.json()


def test_reads_go_uncounted_until_there_is_room_and_a_key_is_still_wanted(
    make_api: Callable[[], httpx.Client],
    budget: Callable[..., None],
    fill: Callable[[], None],
    empty: Callable[[], None],
) -> None:
    budget(rate="1", burst="1")
    fill()
    api = make_api()
    assert [api.get("/v1/conversations").status_code for _ in range(3)] == [200] * 3
    stranger = dict(api.headers) | {"authorization": api.headers["authorization"] + "x"}
    assert api.get("/v1/conversations", headers=stranger).status_code == 401
    empty()
    assert [api.get("/v1/conversations").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("is_rated", [False, True], ids=["no rate", "rate"])
def test_what_would_be_stored_is_refused_as_a_whole_and_works_once_there_is_room(
    is_rated: bool,
    api: httpx.Client,
    run: Any,
    tenant: str,
    budget: Callable[..., None],
    fill: Callable[[], None],
    empty: Callable[[], None],
) -> None:
    path = begin(api)
    if is_rated:
        budget(rate="600", burst="100")
    before = everything(run, tenant)
    fill()
    answers = [write(api, path) for write in WRITES.values()]

    for answer in answers:
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (503, "urn:warmthread:problem:store-full")
        assert answer.headers["x-should-retry"] == "false"
        assert problem["outcome_unknown"] is False
        assert problem["detail"].endswith("Nothing was stored.")
    assert everything(run, tenant) == before
    empty()
    assert [write(api, path).status_code for write in WRITES.values()] == [200] * len(WRITES)
    check_indexes(run, tenant)


@pytest.mark.parametrize("shards", [1, 4])
def test_conversations_are_deleted_and_memory_is_free(
    shards: int,
    api: httpx.Client,
    make_api: Callable[[], httpx.Client],
    run: Any,
    tenant: str,
    budget: Callable[..., None],
    fill: Callable[[], None],
) -> None:
    budget(rate="600", burst="100")
    if shards > 1:
        run("HSET", keys.tenant_key(tenant), "shards", f"{shards} {shards // 2}")
    paths = [begin(api) for _ in range(3)]
    large = {"items": [{"role": "user", "content": "x" * 900_000}]}
    assert api.post(paths[0] + "/items", json=large).status_code == 200
    tag = api.get(paths[1]).headers["etag"]
    old = {"if-match": '"1.1.0"'}
    used_bytes = run("MEMORY", "USAGE", keys.conversation_key(tenant, paths[0].rpartition("/")[2]), "SAMPLES", 0)
    fill()
    # An instance that does not know yet how the indexes are spread.
    cold = make_api()

    assert cold.delete(paths[0]).status_code == 200
    assert used_bytes > 900_000
    assert run("EXISTS", keys.conversation_key(tenant, paths[0].rpartition("/")[2])) == 0
    moved = cold.delete(paths[1], headers=old)
    # What was read says when the conversation was last used as well.
    assert moved.status_code == 412
    assert tag.startswith(moved.headers["etag"].removesuffix('"'))
    assert cold.delete(paths[1], headers={"if-match": tag}).status_code == 200
    assert [cold.delete(paths[2], headers=KEYED).status_code for _ in range(2)] == [200, 404]
    assert cold.get("/v1/conversations").json()["data"] == []
    for shard in range(shards):
        assert run("EXISTS", keys.activity_key(tenant, shard), keys.rows_key(tenant, shard)) == 0
    assert cold.delete(paths[0]).status_code == 404


def test_a_key_stands_for_what_it_did_before_the_store_was_full(api: httpx.Client, fill: Callable[[], None]) -> None:
    first, second = begin(api), begin(api)
    assert api.delete(first, headers=KEYED).status_code == 200
    fill()
    again = api.delete(first, headers=KEYED)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert api.delete(second, headers=KEYED).json()["type"] == "urn:warmthread:problem:idempotency-key-reused"
    assert api.get(second).status_code == 200


def test_what_a_removal_left_in_the_list_leaves_with_the_next_one(
    api: httpx.Client, run: Any, tenant: str, fill: Callable[[], None]
) -> None:
    path = begin(api)
    run("UNLINK", keys.conversation_key(tenant, path.rpartition("/")[2]))
    fill()
    assert api.delete(path).status_code == 404
    assert api.get("/v1/conversations").json()["data"] == []


@pytest.mark.parametrize("layout", ["1", "2", "4 2"])
def test_a_sweep_forgets_what_expired(
    layout: str, api: httpx.Client, run: Any, tenant: str, fill: Callable[[], None], empty: Callable[[], None]
) -> None:
    run("HSET", keys.tenant_key(tenant), "shards", layout)
    kept, gone = [begin(api) for _ in range(3)], [begin(api, expires_after_s=60) for _ in range(6)]
    shards = range(int(layout.split()[0]))
    for path in gone:
        run("UNLINK", keys.conversation_key(tenant, path.rpartition("/")[2]))
    age(run, tenant, shards, 3_600_000_000)
    for path in gone:
        conversation = path.rpartition("/")[2]
        for shard in shards:
            if run("HEXISTS", keys.rows_key(tenant, shard), conversation):
                run("HSET", keys.rows_key(tenant, shard), conversation, "1 60 1 900 {}")
    fill()
    swept = api.get("/api/cron/sweep", headers=CRON).json()["conversations"]

    assert (swept["outcome"], swept["forgotten"]) == ("done", len(gone))
    listed = {each["id"] for each in api.get("/v1/conversations").json()["data"]}
    assert listed == {path.rpartition("/")[2] for path in kept}
    left = [name for shard in shards for name in run("ZRANGE", keys.activity_key(tenant, shard), 0, -1)]
    assert sorted(left) == sorted(listed)
    empty()
    assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["outcome"] == "done"
    check_bytes(run, tenant)


def test_a_list_is_shown_whose_rows_cannot_be_made_right(
    api: httpx.Client, run: Any, tenant: str, fill: Callable[[], None], empty: Callable[[], None]
) -> None:
    """An update was refused half-way, and before anybody looked the store was full."""
    there, gone = begin(api, metadata={"k": "old"}), begin(api)
    ids = [path.rpartition("/")[2] for path in (there, gone)]
    for each in ids:
        run("HSET", keys.rows_key(tenant, 0), each, '?1 2592000 1 900 {"k":"new"}')
    run("UNLINK", keys.conversation_key(tenant, ids[1]))
    fill()

    [shown] = api.get("/v1/conversations").json()["data"]
    assert (shown["id"], shown["metadata"]) == (ids[0], {"k": "old"})
    for value, count in (("old", 1), ("new", 0)):
        assert len(api.get("/v1/conversations", params={"metadata[k]": value}).json()["data"]) == count
    empty()
    assert [each["id"] for each in api.get("/v1/conversations").json()["data"]] == [ids[0]]
    check_indexes(run, tenant)


def test_a_list_is_answered_however_many_of_its_rows_are_in_doubt(api: httpx.Client, run: Any, tenant: str) -> None:
    count = 2 * REPAIRS_MAX + 2
    ghosts = [f"conv_{at:048x}" for at in range(count)]
    now_us = time.time_ns() // 1_000
    path = begin(api)
    run("ZADD", keys.activity_key(tenant, 0), *(part for each in ghosts for part in (now_us + 10**9, each)))
    run("HSET", keys.rows_key(tenant, 0), *(part for each in ghosts for part in (each, "?1 0 1 0 {}")))
    found, after = [], ""
    for _ in range(count):
        page = api.get("/v1/conversations", params={"limit": 1, **({"after": after} if after else {})}).json()
        found += [each["id"] for each in page["data"]]
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert found == [path.rpartition("/")[2]]


def test_a_delete_that_a_full_store_breaks_off_is_done_all_the_same(
    behind: Callable[..., httpx.Client], server: FaultyServer, service_url: str, mint: Any, tenant_of: Any, run: Any
) -> None:
    """Upstash's own words for it may come in the middle of a script."""
    instance = behind()
    server.reason = "ERR DB capacity quota exceeded"
    for _ in failures(server, "delete"):
        key = mint()
        with client_of(service_url, key) as api, client_of(str(instance.base_url), key) as faulty:
            path = begin(api)
            assert faulty.delete(path).status_code == 200
            assert api.get("/v1/conversations").json()["data"] == []
            check_indexes(run, tenant_of(key))


@pytest.mark.parametrize("name", ["append", "update", "summary", "delete item"])
def test_what_it_breaks_off_otherwise_is_of_unknown_outcome(
    name: str, behind: Callable[..., httpx.Client], server: FaultyServer, service_url: str, mint: Any
) -> None:
    instance, scripts = behind(), {"delete item": "delete_item"}
    server.reason = "ERR DB capacity quota exceeded"
    for _ in failures(server, scripts.get(name, name)):
        key = mint()
        with client_of(service_url, key) as api, client_of(str(instance.base_url), key) as faulty:
            answer = WRITES[name](faulty, begin(api))
            if answer.status_code != 200:
                assert answer.status_code == 503
                problem = answer.json()
                assert (problem["type"], problem["outcome_unknown"]) == ("urn:warmthread:problem:store-full", True)
                assert "not known" in problem["detail"]
