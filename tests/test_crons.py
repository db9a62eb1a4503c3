"""The sweep and the warming cron: who may call them, what they find, that twice or at once does no harm."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore
from scripts.local.upstash import LocalUpstash
from shared.documents.heat import HALF_LIFE_S, Heat
from shared.environment import read_settings
from shared.items.document_paths import Place
from shared.request.after_response import Later
from shared.store import keys
from shared.store.lease import taken
from shared.store.upstash import Store
from tests.bearers import CRON, CRON_SECRET
from tests.documents import age, gets
from tests.instances import client_of

ROUTES = ["/api/cron/sweep", "/api/cron/warm", "/api/conversations"]
pytestmark = pytest.mark.usefixtures("fresh_crons")


def sweep(service: httpx.Client) -> dict[str, Any]:
    answer = service.get("/api/cron/sweep", headers=CRON)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    assert result.pop("object") == "sweep"
    assert result.pop("conversations")["failed"] == 0
    return result


def read(service: httpx.Client, *paths: str) -> list[str | int]:
    answers = [service.get(f"/v1/documents/{path}") for path in paths]
    return [each.text if each.status_code == 200 else each.status_code for each in answers]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {CRON_SECRET}"])
def test_a_cron_needs_its_secret(service_url: str, path: str, header: str) -> None:
    assert httpx.post(service_url + path, headers={"authorization": header}).status_code == 401


@pytest.mark.parametrize("path", ROUTES)
def test_a_cron_is_closed_while_no_secret_is_set(
    make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.delenv("CRON_SECRET")

    assert httpx.post(make_service() + path, headers={"authorization": "Bearer"}).status_code == 401


def test_a_sweep_finds_what_nobody_reported_and_leaves_the_rest(
    service: httpx.Client, s3: ObjectStore, front: FaultyServer, tenant: str
) -> None:
    paths = ["changed.txt", "gone.txt", "later.txt", "same.txt"]
    for path in ("changed.txt", "gone.txt", "same.txt"):
        s3.put(f"{tenant}/{path}", "old")
    s3.put(f"{tenant}/never-read.txt", "x")
    assert read(service, *paths) == ["old", "old", 404, "old"]
    s3.put(f"{tenant}/changed.txt", "new")
    s3.delete(f"{tenant}/gone.txt")
    s3.put(f"{tenant}/later.txt", "there")
    first, second = sweep(service), sweep(service)
    asked = gets(front, f"{tenant}/same.txt")

    assert first == {"outcome": "done", "scopes": 1, "failed": 0, "listed": 4, "same": 1, "changed": 3, "removed": 0}
    assert second == {**first, "same": 4, "changed": 0}
    assert read(service, *paths) == ["new", 404, "there", "old"]
    assert gets(front, f"{tenant}/same.txt") == asked
    assert sweep(service)["same"] == 4


def test_a_sweep_removes_what_nothing_needs(service: httpx.Client, s3: ObjectStore, tenant: str, run: Any) -> None:
    s3.put(f"{tenant}/old.txt", "old")
    read(service, "old.txt", "none.txt", "unknown.txt")
    age(run, tenant, "old.txt", 8 * 86_400)
    age(run, tenant, "none.txt", 6)
    age(run, tenant, "unknown.txt", 6)

    assert sweep(service)["removed"] == 3
    assert run("EXISTS", keys.document_marks_key(tenant)) == 0
    assert sweep(service)["scopes"] == 0
    assert run("SISMEMBER", keys.SCOPES_KEY, tenant) == 0
    assert read(service, "old.txt") == ["old"]


def test_a_sweep_that_runs_out_of_time_is_continued(
    service: httpx.Client,
    make_service: Callable[[], str],
    s3: ObjectStore,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    front: FaultyServer,
) -> None:
    s3.fill((f"{tenant}/{number:04}.txt" for number in range(1_010)), b"old")
    paths = ["0000.txt", "1009.txt"]
    read(service, *paths)
    for path in paths:
        s3.put(f"{tenant}/{path}", "new")
    monkeypatch.setenv("WARMTHREAD_CRON_S", "1")
    monkeypatch.setenv("WARMTHREAD_DOCUMENT_TIMEOUT_S", "20")
    front.delay_s = 1.1
    with httpx.Client(base_url=make_service(), timeout=30) as slow:
        first, second = sweep(slow), sweep(slow)
    front.delay_s = 0

    assert (first["outcome"], first["listed"], first["changed"]) == ("unfinished", 1_000, 1)
    assert (second["listed"], second["changed"]) == (10, 1)
    assert read(service, *paths) == ["new", "new"]


def test_sweeps_at_the_same_time_are_one(
    service: httpx.Client, s3: ObjectStore, tenant: str, front: FaultyServer
) -> None:
    s3.put(f"{tenant}/a.txt", "old")
    read(service, "a.txt")
    s3.put(f"{tenant}/a.txt", "new")
    front.delay_s = 0.3
    with ThreadPoolExecutor(3) as pool:
        outcomes = [each["outcome"] for each in pool.map(lambda _: sweep(service), range(3))]

    assert sorted(outcomes) == ["busy", "busy", "done"]
    assert read(service, "a.txt") == ["new"]


def test_a_sweep_says_that_the_source_is_away(
    service: httpx.Client, s3: ObjectStore, tenant: str, front: FaultyServer
) -> None:
    s3.put(f"{tenant}/a.txt", "old")
    read(service, "a.txt")
    front.fault = Fault.ERROR_500

    assert sweep(service)["outcome"] == "source-unavailable"
    assert read(service, "a.txt") == ["old"]
    front.fault = Fault.NONE
    assert sweep(service)["outcome"] == "done"


async def test_a_lease_is_one_holders_and_a_late_holder_writes_nothing(upstash: LocalUpstash, run: Any) -> None:
    store, name = Store(read_settings()), keys.cron_key("test")
    run("DEL", name)
    async with taken(store, name, 30) as first, taken(store, name, 30) as second:
        assert first is not None
        assert second is None
        assert await first.keep("half")
    async with taken(store, name, 0.05) as slow:
        assert slow is not None
        assert slow.progress == "half"
        until = time.monotonic() + 5
        while True:
            async with taken(store, name, 30) as successor:
                if successor is not None:
                    assert await successor.keep("successor's")
                    assert not await slow.keep("late")
                    break
            assert time.monotonic() < until
    await store.close()

    assert run("HGET", name, "progress") == "successor's"


async def test_uses_are_counted_and_halved_with_each_half_life(upstash: LocalUpstash, run: Any) -> None:
    store, now_s = Store(read_settings()), 1_000 * HALF_LIFE_S
    heat = Heat(store, lambda: now_s)

    async def use(name: str, count: int) -> None:
        later = Later()
        for _ in range(count):
            heat.note(Place("acme", name), later)
        await heat.flush()

    await use("first", 8)
    now_s += 2 * HALF_LIFE_S
    await use("first", 1)  # 2 and 1.
    await use("second", 2)
    await use("second", 2)
    await use("third", 2)
    hottest = await heat.hottest(2)
    scores = run("ZRANGE", keys.HOT_KEY, 0, -1, "WITHSCORES")
    await store.close()

    assert [each.path for each in hottest] == ["second", "first"]
    assert [round(2 ** (float(score) - 1_002), 6) for score in scores[1::2]] == [2, 3, 4]


def test_warming_loads_the_hottest_into_the_store_and_into_the_conversations_instance(
    service: httpx.Client,
    s3: ObjectStore,
    tenant: str,
    front: FaultyServer,
    make_service: Callable[[], str],
    run: Any,
    upstash: LocalUpstash,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("a", "b"):
        s3.put(f"{tenant}/{name}.txt", name)
    read(service, "a.txt", "b.txt")
    run("ZADD", keys.HOT_KEY, 1, f"{tenant}/a.txt", 2, f"{tenant}/b.txt", 3, f"{tenant}/none.txt")
    for name in ("a", "b"):
        run("DEL", keys.document_key(tenant, f"{name}.txt"))
        run("HDEL", keys.document_marks_key(tenant), f"{name}.txt")
    url = make_service()
    monkeypatch.setenv("WARMTHREAD_OWN_URL", url)
    with client_of(make_service(), key) as other:
        warmed = other.get("/api/cron/warm", headers=CRON).json()
        assert warmed == {
            "object": "warm",
            "outcome": "done",
            "documents": 3,
            "from_source": 3,
            "failed": 0,
            "instance": 200,
        }
        asked = front.requests
        answers = [other.get(f"/v1/documents/{name}.txt") for name in ("a", "b")]
    parts = [{"type": "input_file", "file_url": f"document:{name}.txt"} for name in ("a", "b")]
    warm = client_of(url, key)
    conversation = warm.post("/v1/conversations", json={"items": [{"role": "user", "content": parts}]}).json()["id"]
    upstash.reset()
    context = warm.get(f"/v1/conversations/{conversation}/context?budget=500").json()
    warm.close()

    assert [each["status"] for each in context["documents"]] == ["whole", "whole"]
    assert {each.headers["cache-status"].rpartition("=")[2] for each in answers} == {"L2"}
    assert front.requests == asked
    assert service.get("/v1/documents/a.txt").text == "a"


def test_warming_goes_on_without_its_instance_and_without_the_source(
    service: httpx.Client,
    front: FaultyServer,
    run: Any,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    make_service: Callable[[], str],
    s3: ObjectStore,
) -> None:
    run("ZADD", keys.HOT_KEY, 1, f"{tenant}/a.txt")
    monkeypatch.setenv("WARMTHREAD_OWN_URL", "http://127.0.0.1:1")
    front.fault = Fault.ERROR_500
    warmed = httpx.get(make_service() + "/api/cron/warm", headers=CRON, timeout=30).json()

    assert (warmed["failed"], warmed["instance"]) == (1, None)


def test_what_is_used_gets_hot(service: httpx.Client, s3: ObjectStore, tenant: str, run: Any) -> None:
    s3.put(f"{tenant}/a.txt", "a")
    read(service, "a.txt", "none.txt")
    until = time.monotonic() + 5
    while run("ZSCORE", keys.HOT_KEY, f"{tenant}/a.txt") is None:
        assert time.monotonic() < until

    assert run("ZSCORE", keys.HOT_KEY, f"{tenant}/none.txt") is None


def test_a_cron_stops_before_the_platform_would_end_it(
    service: httpx.Client, make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch, run: Any, tenant: str
) -> None:
    run("ZADD", keys.HOT_KEY, 1, f"{tenant}/a.txt")
    # The first request counts the cold start in: here that is 10 s of the 18.
    monkeypatch.setenv("WARMTHREAD_MAX_DURATION_S", "18")
    warmed = httpx.get(make_service() + "/api/cron/warm", headers=CRON, timeout=30).json()

    assert (warmed["outcome"], warmed["documents"]) == ("unfinished", 0)
