"""Stampedes, leases, outages of the source and of the store: S3 behind a server that counts and misbehaves."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore
from scripts.local.upstash import LocalUpstash
from shared.cache.tiered import Grant, Refusal
from shared.documents.document import Document
from shared.documents.shelf import Shelf
from shared.environment import read_settings
from shared.items.document_paths import Place
from shared.store import keys
from shared.store.upstash import Store
from tests.bearers import NOTICE
from tests.documents import INSTANCES, REQUESTS, age, gets


@pytest.fixture
def instances(
    front: FaultyServer, make_api: Callable[[], httpx.Client], s3: ObjectStore, tenant: str
) -> list[httpx.Client]:
    """Instances to which the key is known."""
    s3.put(f"{tenant}/known.txt", "known")
    clients = [make_api() for _ in range(INSTANCES)]
    for client in clients:
        assert client.get("/v1/documents/known.txt").text == "known"
    return clients


def stampede(instances: list[httpx.Client], path: str) -> list[httpx.Response]:
    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(lambda number: instances[number % INSTANCES].get(path), range(REQUESTS)))


def test_a_hundred_callers_of_a_cold_document_are_one_request_to_the_source(
    instances: list[httpx.Client], front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    s3.put(f"{tenant}/cold.txt", "cold")
    front.delay_s = 0.3
    answers = stampede(instances, "/v1/documents/cold.txt")

    assert {each.text for each in answers} == {"cold"}
    assert gets(front, f"{tenant}/cold.txt") == 1


@pytest.mark.timing
def test_while_the_store_is_away_an_instance_asks_once(
    front: FaultyServer, server: FaultyServer, s3: ObjectStore, behind: Callable[..., httpx.Client], tenant: str
) -> None:
    s3.put(f"{tenant}/known.txt", "known")
    s3.put(f"{tenant}/cold.txt", "cold")
    clients = [behind() for _ in range(INSTANCES)]
    for client in clients:
        client.get("/v1/documents/known.txt")
    server.leave()
    front.delay_s = 1.5  # The last of them has to come before the first has its answer.
    answers = stampede(clients, "/v1/documents/cold.txt")
    stranger = clients[0].get("/v1/documents/cold.txt", headers={"authorization": "Bearer wt_acme_stranger"})

    assert {each.text for each in answers} == {"cold"}
    assert gets(front, f"{tenant}/cold.txt") <= INSTANCES
    assert stranger.status_code == 503


@pytest.fixture
def alone(
    front: FaultyServer, server: FaultyServer, s3: ObjectStore, behind: Callable[..., httpx.Client], tenant: str
) -> httpx.Client:
    """An instance to which the key is known, and whose store is away."""
    s3.put(f"{tenant}/known.txt", "known")
    client = behind()
    assert client.get("/v1/documents/known.txt").text == "known"
    server.leave()
    return client


def test_while_the_store_is_away_what_was_loaded_for_another_caller_is_marked_as_stale(
    alone: httpx.Client, s3: ObjectStore, tenant: str
) -> None:
    path = "/v1/documents/a.txt"
    s3.put(f"{tenant}/a.txt", "first")
    loaded = alone.get(path)
    s3.put(f"{tenant}/a.txt", "second")  # A notice of it, which others take, is not heard here.
    kept = alone.get(path)

    assert (loaded.text, loaded.headers["cache-status"]) == ("first", "Warmthread; fwd=miss; detail=source")
    assert (kept.text, kept.headers["cache-status"]) == ("first", "Warmthread; hit; detail=STALE")
    assert "age" in kept.headers


def test_while_the_store_is_away_who_comes_during_a_load_gets_it_marked_as_stale(
    alone: httpx.Client, front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    s3.put(f"{tenant}/a.txt", "first")
    front.delay_s = 0.3
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(alone.get, "/v1/documents/a.txt")
        while gets(front, f"{tenant}/a.txt") == 0:
            time.sleep(0.01)
        late = alone.get("/v1/documents/a.txt")

    assert asked.result().headers["cache-status"].endswith("detail=source")
    assert late.headers["cache-status"].endswith("detail=STALE")
    assert (gets(front, f"{tenant}/a.txt"), late.text) == (1, "first")


def test_while_the_store_is_away_what_did_not_exist_is_looked_for_again(
    alone: httpx.Client, s3: ObjectStore, tenant: str
) -> None:
    path = "/v1/documents/a.txt"
    assert alone.get(path).status_code == 404
    s3.put(f"{tenant}/a.txt", "first")

    assert alone.get(path).text == "first"


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.REFUSE_403, Fault.SILENT, Fault.TRUNCATE, Fault.CLOSE])
def test_a_source_that_fails_is_a_503_for_what_is_not_held_and_the_copy_for_what_is(
    front: FaultyServer,
    s3: ObjectStore,
    make_api: Callable[[], httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    tenant: str,
    run: Any,
    fault: Fault,
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_TIMEOUT_S", "1.5")
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_FRESH_S", "1")
    s3.put(f"{tenant}/held.txt", "held")
    s3.put(f"{tenant}/cold.txt", "cold" * 1_000)
    api = make_api()
    assert api.get("/v1/documents/held.txt").text == "held"
    age(run, tenant, "held.txt", 30)
    front.fault = fault
    cold, held = api.get("/v1/documents/cold.txt"), api.get("/v1/documents/held.txt")
    front.fault = Fault.NONE
    again = api.get("/v1/documents/cold.txt")

    assert (cold.status_code, cold.json()["error"]["code"]) == (503, "source_unavailable")
    assert (held.status_code, held.text) == (200, "held")
    assert held.headers["cache-status"].endswith("detail=STALE")
    assert int(held.headers["age"]) >= 30
    assert again.text == "cold" * 1_000


def test_an_unchanged_document_is_confirmed_without_a_transfer(
    instances: list[httpx.Client], front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    age(run, tenant, "known.txt", 100)
    answers = [client.get("/v1/documents/known.txt") for client in instances]

    assert [each.headers["cache-status"].rpartition("=")[2] for each in answers] == ["source", "L1", "L1", "L1"]
    assert {each.text for each in answers} == {"known"}
    assert front.statuses[-1] == 304


def test_without_a_notice_a_change_is_seen_when_the_copy_is_no_longer_fresh(
    instances: list[httpx.Client], s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/known.txt", "changed")
    before = [client.get("/v1/documents/known.txt").text for client in instances]
    age(run, tenant, "known.txt", 60)
    after = [client.get("/v1/documents/known.txt").text for client in instances]

    assert before == ["known"] * INSTANCES
    assert after == ["changed"] * INSTANCES


def test_most_of_its_time_gone_a_copy_is_the_answer_and_is_renewed_behind_it(
    instances: list[httpx.Client], s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/known.txt", "changed")
    age(run, tenant, "known.txt", 58)
    first = instances[0].get("/v1/documents/known.txt").text
    until = time.monotonic() + 5
    while instances[0].get("/v1/documents/known.txt").text != "changed":
        assert time.monotonic() < until

    assert first == "known"


def test_what_does_not_exist_is_asked_for_once_in_a_while(
    instances: list[httpx.Client], front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    path = "/v1/documents/later.txt"
    statuses = [client.get(path).status_code for client in instances]
    asked = gets(front, f"{tenant}/later.txt")
    s3.put(f"{tenant}/later.txt", "now")
    age(run, tenant, "later.txt", 5)

    assert (statuses, asked) == ([404] * INSTANCES, 1)
    assert instances[1].get(path).text == "now"


def test_when_the_holder_of_a_lease_dies_another_takes_over(
    instances: list[httpx.Client], front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/cold.txt", "cold")
    lease = keys.document_lease_key(tenant, "cold.txt")
    run("SET", lease, "the-dead", "PX", 700)
    answer = instances[0].get("/v1/documents/cold.txt")

    assert (answer.text, gets(front, f"{tenant}/cold.txt")) == ("cold", 1)
    assert run("GET", lease) is None


def test_who_has_a_copy_does_not_wait_for_long_for_what_another_is_asking(
    instances: list[httpx.Client], front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/cold.txt", "cold")
    for path in ("known.txt", "cold.txt"):
        run("SET", keys.document_lease_key(tenant, path), "the-slow", "PX", 1_200)
    age(run, tenant, "known.txt", 100)
    asked = front.requests
    known = instances[0].get("/v1/documents/known.txt")
    assert (known.text, front.requests) == ("known", asked)
    assert known.headers["cache-status"].endswith("detail=STALE")
    cold = instances[0].get("/v1/documents/cold.txt")
    run("SET", keys.document_lease_key(tenant, "known.txt"), "the-slow", "PX", 700)
    s3.put(f"{tenant}/known.txt", "changed")
    instances[1].post("/v1/changes", json={"changes": [{"path": f"{tenant}/known.txt"}]}, headers=NOTICE)

    assert cold.text == "cold"
    assert instances[0].get("/v1/documents/known.txt").text == "changed"


async def test_a_late_write_is_refused_by_its_fence(upstash: LocalUpstash, tenant: str, run: Any) -> None:
    store = Store(read_settings())
    shelf, place = Shelf(store, read_settings()), Place(tenant, "a.txt")
    old, new = (Document(f'"{word}"', word, "", 3, 3) for word in ("old", "new"))
    first = await shelf.begin(place, None)
    assert isinstance(first, Grant)
    mark, _ = await shelf.read(place, "")
    assert await shelf.begin(place, mark) is Refusal.BUSY
    assert await shelf.begin(place, None) is Refusal.MOVED
    run("DEL", keys.document_lease_key(*place))  # It expired; its holder is slow, not dead.
    second = await shelf.begin(place, mark)
    assert isinstance(second, Grant)

    assert await shelf.store(place, second, new, 1_700_000_000)
    assert not await shelf.store(place, first, old, 1_700_000_001)
    mark, found = await shelf.read(place, "")
    assert found is not None
    assert (found.text, found.etag) == ("new", '"new"')
    third = await shelf.begin(place, mark)
    assert isinstance(third, Grant)
    assert await shelf.notice(tenant, ["a.txt", "unknown.txt"]) == 1
    assert not await shelf.renew(place, third, found, 1_700_000_002)
    await store.close()


async def test_what_is_kept_is_bounded(upstash: LocalUpstash, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_MAX", "2")
    store = Store(read_settings())
    shelf = Shelf(store, read_settings())
    grants = [await shelf.begin(Place(tenant, f"{number}.txt"), None) for number in range(3)]
    await store.close()

    assert [isinstance(each, Grant) for each in grants] == [True, True, False]
    assert grants[2] is Refusal.FULL


async def test_what_does_not_exist_gives_way_when_no_more_is_kept(
    upstash: LocalUpstash, tenant: str, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_MAX", "3")
    store = Store(read_settings())
    shelf = Shelf(store, read_settings())
    for number in range(3):
        grant = await shelf.begin(Place(tenant, f"{number}.txt"), None)
        assert isinstance(grant, Grant)
        value = Document('"1"', "text", "", 4, 4) if number == 0 else None
        await shelf.store(Place(tenant, f"{number}.txt"), grant, value, int(time.time()))
    refused = await shelf.begin(Place(tenant, "new.txt"), None)
    for number in (0, 2):
        age(run, tenant, f"{number}.txt", 90)
    taken = await shelf.begin(Place(tenant, "new.txt"), None)
    await store.close()

    assert refused is Refusal.FULL
    assert isinstance(taken, Grant)
    assert sorted(run("HKEYS", keys.document_marks_key(tenant))) == ["0.txt", "1.txt", "new.txt"]
