"""What holds at the limits of the store and of time: full records, lost answers, retries that come late, set-backs."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

import scripts.local.lua as local_lua
from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.request.caller import make_key, read_key
from shared.store import keys
from tests.conversations import check_bytes, everything, sweep
from tests.half_way import check_indexes
from tests.instances import client_of, running_instance

pytestmark = pytest.mark.usefixtures("fresh_crons")

OTHERS = 40
DAY_S = 86_400
KEYED = {"idempotency-key": "the-turn"}


def said(*texts: str) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": text} for text in texts]}


def listed(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Return all items, oldest first; the pages have to end."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"order": "asc", "limit": 100}
    for _ in range(50):
        page = api.get(f"{path}/items", params=params).json()
        found += page["data"]
        if not page["has_more"]:
            return found
        params["after"] = page["last_id"]
    raise AssertionError("the pages do not end")


def texts(api: httpx.Client, path: str) -> list[str]:
    return [each["content"][0]["text"] for each in listed(api, path)]


@pytest.fixture
def path(api: httpx.Client) -> str:
    """A conversation of one message."""
    return f"/v1/conversations/{api.post('/v1/conversations', json=said('start')).json()['id']}"


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
def test_what_is_sent_again_after_forty_others_is_stored_once(
    keyed: bool, api: httpx.Client, path: str, behind: Callable[..., httpx.Client], server: FaultyServer
) -> None:
    """The service's own client loses an answer, and meanwhile others go on."""
    faulty = behind(store_timeout_s=20)
    headers = KEYED if keyed else {}
    assert faulty.get(path).status_code == 200  # Its key is known from now on.
    before = server.requests
    server.faults.append(Fault.CLOSE)
    server.delay_s = 1.5
    server.arrived.clear()
    answers: list[httpx.Response] = []
    sender = threading.Thread(
        target=lambda: answers.append(faulty.post(f"{path}/items", json=said("ONCE"), headers=headers))
    )
    sender.start()
    assert server.arrived.wait(5)
    give_up_at_s = time.monotonic() + 5
    while "ONCE" not in texts(api, path):
        assert time.monotonic() < give_up_at_s
    for at in range(OTHERS):
        assert api.post(f"{path}/items", json=said(f"other {at}")).status_code == 200
    server.delay_s = 0
    sender.join()
    stored = listed(api, path)

    assert server.requests - before == 2
    assert [answer.status_code for answer in answers] == [200]
    assert [each["content"][0]["text"] for each in stored].count("ONCE") == 1
    assert len(stored) == OTHERS + 2
    assert answers[0].json()["data"][0]["id"] == stored[1]["id"]


@pytest.mark.parametrize("is_compacted", [False, True], ids=["", "compacted"])
def test_a_key_holds_whatever_came_between(is_compacted: bool, api: httpx.Client, path: str) -> None:
    first = api.post(f"{path}/items", json=said("the turn"), headers=KEYED)
    for at in range(OTHERS):
        assert api.post(f"{path}/items", json=said(f"other {at}")).status_code == 200
    if is_compacted:
        other = listed(api, path)[-1]["id"]
        assert api.delete(f"{path}/items/{other}").status_code == 200
        assert api.post(f"{path}/compact", json={}).status_code == 200
    again = api.post(f"{path}/items", json=said("the turn"), headers=KEYED)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert texts(api, path).count("the turn") == 1


def test_a_key_holds_for_a_day_and_is_a_new_one_then(api: httpx.Client, path: str, run: Any, tenant: str) -> None:
    first = api.post(f"{path}/items", json=said("the turn"), headers=KEYED).json()["data"][0]
    [record] = run("KEYS", keys.attempt_key(tenant, "*"))
    assert DAY_S - 60 < run("TTL", record) <= DAY_S
    # As when the day is over.
    run("DEL", record)
    then = api.post(f"{path}/items", json=said("the turn"), headers=KEYED)

    assert then.status_code == 200
    assert "idempotency-replayed" not in then.headers
    assert then.json()["data"][0]["id"] != first["id"]
    assert texts(api, path) == ["start", "the turn", "the turn"]


def test_compaction_forgets_batches_that_cannot_come_again(api: httpx.Client, path: str, run: Any, tenant: str) -> None:
    name = keys.conversation_key(tenant, path.rpartition("/")[2])

    def batches() -> dict[str, str]:
        fields = run("HGETALL", name)
        return {k: v for k, v in zip(fields[::2], fields[1::2], strict=True) if k.startswith("b:")}

    for at in range(10):
        assert api.post(f"{path}/items", json=said(f"turn {at}")).status_code == 200
    assert api.delete(f"{path}/items/{listed(api, path)[3]['id']}").status_code == 200
    known = batches()
    assert len(known) == 12
    old = dict(list(known.items())[:7])
    for batch, value in old.items():
        version, chain, at_s = value.split()
        run("HSET", name, batch, f"{version} {chain} {int(at_s) - DAY_S - 1}")
    before, entry_bytes = int(run("HGET", name, "b")), entries_bytes(run, name)
    assert api.post(f"{path}/compact", json={}).status_code == 200

    assert batches() == {k: v for k, v in known.items() if k not in old}
    taken_out = entry_bytes - entries_bytes(run, name)
    gone_bytes = len(run("HGET", name, "x"))
    assert int(run("HGET", name, "b")) == pytest.approx(before - 64 * len(old) - taken_out, abs=2 * gone_bytes + 100)
    sweep(api)
    check_bytes(run, tenant)


def entries_bytes(run: Any, name: str) -> int:
    fields = run("HGETALL", name)
    return sum(len(value) for field, value in zip(fields[::2], fields[1::2], strict=True) if field.isdigit())


RECORD_BYTES = 1_000_000
LIMITED = (
    "if string.upper((...)) == 'HSET' then local _, k = ... "
    f"if (redis.call('MEMORY', 'USAGE', k, 'SAMPLES', '0') or 0) > {RECORD_BYTES} "
    "then error({ err = 'ERR max single record size exceeded' }) end end local reply = redis.call(...)"
).encode()


@pytest.fixture
def small_records(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalUpstash]:
    """A store of its own, whose scripts write to no record that takes RECORD_BYTES, as Upstash's to none of 100 MB."""
    whole = b"local reply = redis.call(...)"
    assert whole in local_lua.PROLOGUE
    monkeypatch.setattr(local_lua, "PROLOGUE", local_lua.PROLOGUE.replace(whole, LIMITED))
    with LocalUpstash() as store:
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", store.url)
        monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", store.token)
        yield store


def test_a_conversation_over_half_a_record_is_compacted_whole(small_records: LocalUpstash) -> None:
    headers = {"authorization": f"Bearer {small_records.token}"}
    with httpx.Client(base_url=small_records.url, headers=headers) as store, running_instance() as url:

        def run(*parts: object) -> Any:
            return store.post("/", json=list(parts)).json()["result"]

        key, tenant = mint_in(run)
        with client_of(url, key) as api, running_instance() as other_url, client_of(other_url, key) as other:
            path = f"/v1/conversations/{api.post('/v1/conversations', json={}).json()['id']}"
            small = [each["id"] for each in api.post(f"{path}/items", json=said(*map(str, range(70)))).json()["data"]]
            for at in range(6):
                assert api.post(f"{path}/items", json=said(f"large {at} " + "lorem " * 16_600)).status_code == 200
            name = keys.conversation_key(tenant, path.rpartition("/")[2])
            assert run("MEMORY", "USAGE", name, "SAMPLES", 0) > 0.6 * RECORD_BYTES
            before = listed(api, path)
            for each in small[:60]:
                assert api.delete(f"{path}/items/{each}").status_code == 200
            assert api.post(f"{path}/compact", json={}).status_code == 200

            assert int(run("HGET", name, "o")) > 0
            for client in (api, other):
                assert listed(client, path) == before[60:]
                assert client.get(f"{path}/items/{small[65]}").json() == before[65]
            assert other.get(f"{path}/context", params={"budget": 900_000}).json()["kept"]["items"] == 16
            assert other.post(f"{path}/items", json=said("next")).status_code == 200
            check_indexes(run, tenant)
            # What does not fit any more is refused, and can be made to.
            full = [api.post(f"{path}/items", json=said("y" * 200_000)) for _ in range(3)][-1]
            assert (full.status_code, full.json()["type"]) == (503, "urn:warmthread:problem:store-full")
            assert full.json()["outcome_unknown"] is True
            stored = listed(other, path)
            assert listed(api, path) == stored
            assert api.delete(path).status_code == 200
            check_indexes(run, tenant)


def mint_in(run: Callable[..., Any]) -> tuple[str, str]:
    """Make a tenant in the store behind *run*; return a key and its name."""
    caller = read_key(key := make_key("limits"))
    run("HSETNX", keys.TENANTS_KEY, caller.tenant, "")
    run("HSET", keys.tenant_key(caller.tenant), f"k:{caller.key_hash}", "0")
    return key, caller.tenant


@pytest.mark.parametrize("name_of", [keys.activity_key, keys.rows_key])
def test_a_broken_record_of_the_list_stores_nothing_twice(
    name_of: Callable[[str, int], str], api: httpx.Client, path: str, run: Any, tenant: str
) -> None:
    """Every command on it fails, as on one that is full; each call is made three times, then once more when healed."""
    name = name_of(tenant, 0)

    def broken(call: Callable[[], httpx.Response]) -> list[int]:
        run("RENAME", name, f"{name}:kept")
        run("SET", name, "no such type")
        statuses = [call().status_code for _ in range(3)]
        run("RENAME", f"{name}:kept", name)
        return [*statuses, call().status_code]

    append = broken(lambda: api.post(f"{path}/items", json=said("the turn"), headers=KEYED))
    create = broken(lambda: api.post("/v1/conversations", json=said("hi"), headers={"idempotency-key": "c"}))
    fork = broken(lambda: api.post(f"{path}/fork", json={}, headers={"idempotency-key": "f"}))

    assert (append[-1], create, fork) == (200, [503, 503, 503, 200], [503, 503, 503, 200])
    assert texts(api, path) == ["start", "the turn"]
    assert len(api.get("/v1/conversations").json()["data"]) == 3
    check_indexes(run, tenant)
    assert not run("EXISTS", keys.built_key(tenant))


def test_a_tag_of_a_lost_history_expects_nothing_of_the_true_one(
    api: httpx.Client, path: str, run: Any, tenant: str, make_api: Callable[[], httpx.Client]
) -> None:
    name = keys.conversation_key(tenant, path.rpartition("/")[2])
    run("COPY", name, "backup")
    lost = api.post(f"{path}/items", json=said("lost")).headers["etag"]
    run("DEL", name)
    run("RENAME", "backup", name)
    other = make_api()
    true = other.post(f"{path}/items", json=said("true")).headers["etag"]

    assert true.split(".")[1] == lost.split(".")[1]
    refused = other.post(f"{path}/items", json=said("three"), headers={"if-match": lost})
    assert (refused.status_code, refused.headers["etag"]) == (412, true)
    assert texts(other, path) == ["start", "true"]
    assert other.post(f"{path}/items", json=said("three"), headers={"if-match": true}).status_code == 200


def metadata_of(size_bytes: int) -> dict[str, str]:
    """Return metadata of exactly so many bytes of JSON: within 16 pairs of 512 characters, of which é takes two."""
    whole = {f"k{at:02}": "é" * 512 for at in range(16)}
    empty = len(orjson.dumps(dict.fromkeys(whole, "")))
    left = size_bytes - empty
    for name in whole:
        here = min(left, 1_024)
        whole[name], left = "é" * (here // 2) + "x" * (here % 2), left - here
    assert len(orjson.dumps(whole)) == size_bytes
    return whole


def test_metadata_has_a_limit_in_bytes(api: httpx.Client, path: str, run: Any, tenant: str) -> None:
    calls: list[Callable[[dict[str, str]], httpx.Response]] = [
        lambda metadata: api.post("/v1/conversations", json={"metadata": metadata}),
        lambda metadata: api.post(path, json={"metadata": metadata}),
        lambda metadata: api.post(f"{path}/fork", json={"metadata": metadata}),
    ]
    before = everything(run, tenant)
    for call in calls:
        refused = call(metadata_of(8_193))
        assert refused.status_code in (400, 422), refused.text
        assert (refused.json()["param"], refused.json()["limit_bytes"]) == ("metadata", 8_192)
    assert everything(run, tenant) == before
    for call in calls:
        stored = call(metadata_of(8_192))
        assert stored.json()["metadata"] == metadata_of(8_192)
    check_indexes(run, tenant)
