"""Documents while the store fails in the middle of a load, takes no more of them, or the source ends too early."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore
from shared.store import keys
from tests.bearers import CRON
from tests.documents import age, gets

LARGE = "line of a large document\n" * 120_000


@pytest.fixture
def instance(front: FaultyServer, behind: Callable[..., httpx.Client]) -> httpx.Client:
    """An instance with faults before its store and before its source."""
    return behind(document_fresh_s=60)


@pytest.mark.parametrize("asked", range(1, 4))
def test_a_store_that_fails_at_any_step_costs_what_would_be_kept_and_not_the_answer(
    instance: httpx.Client,
    server: FaultyServer,
    front: FaultyServer,
    s3: ObjectStore,
    tenant: str,
    run: Any,
    asked: int,
) -> None:
    for name in ("known", "cold"):
        s3.put(f"{tenant}/{name}.txt", name)
    assert instance.get("/v1/documents/known.txt").text == "known"
    server.faults.extend([*[Fault.NONE] * asked, *[Fault.ERROR_500] * 2])
    answer = instance.get("/v1/documents/cold.txt")
    server.faults.clear()

    assert (answer.status_code, answer.text) == (200, "cold")
    assert gets(front, f"{tenant}/cold.txt") == 1
    assert instance.get("/v1/documents/cold.txt").text == "cold"


def test_a_store_and_a_source_that_are_away_are_a_503(
    instance: httpx.Client, server: FaultyServer, front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    for name in ("known", "cold"):
        s3.put(f"{tenant}/{name}.txt", name)
    assert instance.get("/v1/documents/known.txt").text == "known"
    server.leave()
    front.leave()
    cold, held = instance.get("/v1/documents/cold.txt"), instance.get("/v1/documents/known.txt")

    assert (cold.status_code, cold.json()["error"]["code"]) == (503, "source_unavailable")
    assert (held.status_code, held.text) == (200, "known")
    assert held.headers["cache-status"].endswith("detail=STALE")


def test_who_comes_during_a_load_of_a_document_too_many_gets_what_is_there_by_then(
    front: FaultyServer,
    make_api: Callable[[], httpx.Client],
    s3: ObjectStore,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_MAX", "1")
    for name in ("first", "second"):
        s3.put(f"{tenant}/{name}.txt", "old")
    instance = make_api()
    assert instance.get("/v1/documents/first.txt").text == "old"
    front.delay_s = 0.5
    with ThreadPoolExecutor() as pool:
        early = pool.submit(instance.get, "/v1/documents/second.txt")
        while gets(front, f"{tenant}/second.txt") == 0:
            time.sleep(0.01)
        time.sleep(0.1)  # Its answer is under way.
        s3.put(f"{tenant}/second.txt", "new")
        late = instance.get("/v1/documents/second.txt")

    assert early.result().text in ("old", "new")
    assert (late.text, late.headers["cache-status"]) == ("new", "Warmthread; fwd=miss; detail=source")


def test_a_document_too_many_for_the_store_is_answered_and_not_kept(
    front: FaultyServer,
    make_api: Callable[[], httpx.Client],
    s3: ObjectStore,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
    run: Any,
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_MAX", "1")
    for name in ("first", "second"):
        s3.put(f"{tenant}/{name}.txt", name)
    instance = make_api()
    texts = [instance.get(f"/v1/documents/{name}.txt").text for name in ("first", "second", "second")]

    assert texts == ["first", "second", "second"]
    assert run("HKEYS", keys.document_marks_key(tenant)) == ["first.txt"]
    assert gets(front, f"{tenant}/second.txt") == 2


def test_a_copy_that_is_due_stays_the_answer_while_the_source_is_away(
    instance: httpx.Client, front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/held.txt", "held")
    instance.get("/v1/documents/held.txt")
    age(run, tenant, "held.txt", 58)
    front.fault = Fault.ERROR_500
    asked = gets(front, f"{tenant}/held.txt")
    texts = [instance.get("/v1/documents/held.txt").text]
    until_s = time.monotonic() + 5
    while gets(front, f"{tenant}/held.txt") == asked:  # Behind the answer.
        assert time.monotonic() < until_s
    texts.append(instance.get("/v1/documents/held.txt").text)

    assert texts == ["held", "held"]


def test_a_large_document_whose_rest_does_not_come_ends_before_its_length(
    instance: httpx.Client, front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    s3.put(f"{tenant}/large.txt", LARGE)
    assert instance.get("/v1/documents/large.txt").text == LARGE
    front.fault = Fault.ERROR_500
    with pytest.raises(httpx.RemoteProtocolError):
        instance.get("/v1/documents/large.txt")
    front.fault = Fault.NONE

    assert instance.get("/v1/documents/large.txt").text == LARGE


def test_a_large_document_that_is_another_one_by_now_is_not_mixed_with_it(
    instance: httpx.Client, front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    s3.put(f"{tenant}/large.txt", LARGE)
    assert instance.get("/v1/documents/large.txt").text == LARGE
    s3.put(f"{tenant}/large.txt", LARGE.upper())

    with pytest.raises(httpx.RemoteProtocolError):
        instance.get("/v1/documents/large.txt")


@pytest.mark.usefixtures("fresh_crons")
def test_warming_at_the_same_time_is_done_once(
    front: FaultyServer, make_api: Callable[[], httpx.Client], s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/a.txt", "a")
    run("ZADD", keys.HOT_KEY, 1, f"{tenant}/a.txt")
    front.delay_s = 0.3
    instance = make_api()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: instance.get("/api/cron/warm", headers=CRON).json()["outcome"], range(2)))

    assert sorted(answers) == ["busy", "done"]
