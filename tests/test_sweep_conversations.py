"""The sweep compacts what was left sparse and forgets what expired; nobody sees anything of it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given

from scripts.faults.server import Fault, FaultyServer
from shared.conversations.sweep import PAGE_CONVERSATIONS
from shared.store import keys
from tests.lives import SETTINGS, Append, Delete, Life, Told, Update, begin, live, lives, seen
from tests.sparse import PAD, PADDING
from tests.swept import age_unswept, sweep

pytestmark = pytest.mark.usefixtures("fresh_crons")


@pytest.fixture
def others(make_api: Callable[[], httpx.Client]) -> list[httpx.Client]:
    """Two more instances, called as the test's tenant."""
    return [make_api() for _ in range(2)]


@pytest.fixture
def neglect(run: Callable[..., Any], key_of: Callable[[str], str]) -> Callable[[Told], None]:
    """Leave a conversation sparse."""
    return lambda told: run("EVAL", PAD, 1, key_of(told.id), PADDING)


@pytest.fixture
def settle(run: Callable[..., Any], tenant: str) -> Callable[[], None]:
    """Let all that the tenant wrote be two minutes old, and no sweep have looked at it."""
    return lambda: age_unswept(run, tenant)


@SETTINGS
@given(lives)
def test_a_swept_conversation_looks_as_before(
    api: httpx.Client,
    others: list[httpx.Client],
    neglect: Callable[[Told], None],
    settle: Callable[[], None],
    life: Life,
) -> None:
    told = begin(api)
    live(api, told, life)
    before = seen(api, told)
    neglect(told)
    assert seen(others[0], told) == before
    settle()
    swept = sweep(others[1])

    assert (swept["outcome"], swept["compacted"], swept["failed"]) == ("done", 1, 0)
    assert swept["entries"] >= PADDING
    assert [seen(client, told) for client in (api, *others)] == [before] * 3
    live(others[0], told, [Append(("u", "c", "o", "s", "a")), Delete(2), Update("c")])
    assert seen(api, told) == seen(others[1], told)


def test_a_sweep_leaves_alone_what_is_dense_recent_or_was_looked_at(
    api: httpx.Client,
    other_api: httpx.Client,
    neglect: Callable[[Told], None],
    settle: Callable[[], None],
    stored: Callable[[str], str],
    run: Any,
) -> None:
    dense, recent, strangers = begin(api), begin(api), begin(other_api)
    live(api, dense, [Append(("u",) * 60), *[Delete(0)] * 10])
    live(other_api, strangers, [Append(("u",) * 60), *[Delete(0)] * 10])
    [name] = run("KEYS", f"*{strangers.id}")
    before = (stored(dense.id), run("HGETALL", name))
    settle()
    neglect(recent)
    live(api, recent, [Append(("u",))])
    first = sweep(api)
    assert (first["tenants"], first["looked_at"], first["compacted"]) == (2, 1, 0)
    assert (stored(dense.id), run("HGETALL", name)) == before
    neglect(dense)

    assert sweep(api)["compacted"] == 0
    settle()
    assert sweep(api)["compacted"] == 2
    assert sweep(api)["compacted"] == 0
    assert run("HGETALL", name) == before[1]


def shown_at(api: httpx.Client, path: str) -> Any:
    """Return what is answered, but for how much space it takes: that is what compaction changes."""
    return {name: value for name, value in api.get(path).json().items() if name != "bytes"}


def test_readers_during_a_sweep_see_what_they_saw_before(
    api: httpx.Client, others: list[httpx.Client], neglect: Callable[[Told], None], settle: Callable[[], None]
) -> None:
    told = [begin(api) for _ in range(12)]
    for each in told:
        live(api, each, [Append(("u", "c", "o", "a", "u") * 4), Delete(3), Delete(7)])
        neglect(each)
    settle()
    paths = [
        f"/v1/conversations/{each.id}{what}" for each in told for what in ("", "/items?limit=7", "/context?budget=90")
    ]
    before = [shown_at(api, path) for path in paths]
    is_over = threading.Event()

    def read(client: httpx.Client) -> list[list[Any]]:
        rounds: list[list[Any]] = []
        while not is_over.is_set() or not rounds:
            rounds.append([shown_at(client, path) for path in paths])
        return rounds

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read, client) for client in (api, others[0])]
        swept = sweep(others[1])
        is_over.set()
        rounds = [each for reader in readers for each in reader.result()]

    assert swept["compacted"] == 12
    assert all(each == before for each in rounds)


def test_sweeps_at_the_same_time_do_no_harm_even_when_neither_has_the_lease(
    api: httpx.Client,
    others: list[httpx.Client],
    neglect: Callable[[Told], None],
    settle: Callable[[], None],
    run: Any,
    key_of: Callable[[str], str],
) -> None:
    told = [begin(api) for _ in range(20)]
    for each in told:
        live(api, each, [Append(("u", "a"))])
        neglect(each)
    before = [seen(api, each) for each in told]
    settle()
    is_over = threading.Event()

    def take_the_lease_away() -> None:
        while not is_over.is_set():
            run("HDEL", keys.cron_key("compact"), "until")

    def sweep_in_spite_of_it(client: httpx.Client) -> dict[str, Any]:
        while (swept := sweep(client))["outcome"] == "busy":
            pass
        return swept

    thief = threading.Thread(target=take_the_lease_away)
    thief.start()
    with ThreadPoolExecutor(2) as pool:
        sweeps = list(pool.map(sweep_in_spite_of_it, others))
    is_over.set()
    thief.join()
    rest = sweep(others[0])

    assert {each["outcome"] for each in sweeps} <= {"done", "lost"}
    assert sum(each["compacted"] for each in [*sweeps, rest]) == 20
    assert {run("HGET", key_of(each.id), "o") for each in told} == {str(PADDING)}
    assert [seen(api, each) for each in told] == before
    with ThreadPoolExecutor(2) as pool:
        assert {each["outcome"] for each in pool.map(sweep, others)} <= {"done", "busy"}


def test_a_sweep_that_runs_out_of_time_is_continued_and_forgets_what_expired(
    api: httpx.Client,
    server: FaultyServer,
    behind: Callable[..., httpx.Client],
    neglect: Callable[[Told], None],
    settle: Callable[[], None],
    run: Any,
    tenant: str,
) -> None:
    told = begin(api)
    neglect(told)
    expired = [f"conv_{number}" for number in range(2 * PAGE_CONVERSATIONS + 200)]
    # Many of one instant, which no page may divide.
    written_us = 1_000_000_000
    run(
        "ZADD",
        keys.activity_key(tenant, 0),
        *(part for at, name in enumerate(expired) for part in (written_us + at // 9, name)),
    )
    run("HSET", keys.rows_key(tenant, 0), *(part for name in expired for part in (name, "1 60 1 0 {}")))
    settle()
    slow = behind(cron_s=1)
    server.delay_s = 0.12
    swept = [sweep(slow)]
    while swept[-1]["outcome"] == "unfinished" and len(swept) < 20:
        swept.append(sweep(slow))

    assert len(swept) > 2
    assert swept[-1]["outcome"] == "done"
    assert sum(each["forgotten"] for each in swept) == len(expired)
    assert sum(each["compacted"] for each in swept) == 1
    assert run("ZRANGE", keys.activity_key(tenant, 0), 0, -1) == [told.id] == run("HKEYS", keys.rows_key(tenant, 0))


def test_what_expires_later_is_forgotten_later_and_what_lives_is_listed(
    api: httpx.Client, settle: Callable[[], None], run: Any, tenant: str, key_of: Callable[[str], str]
) -> None:
    told = [
        Told(api.post("/v1/conversations", json={"expires_after_s": 60}).json()["id"], [], [], []) for _ in range(3)
    ]
    for_ever = Told(api.post("/v1/conversations", json={"expires_after_s": 0}).json()["id"], [], [], [])
    settle()
    assert sweep(api)["forgotten"] == 0
    # The first two are over by their rows; of these one was read just now, and its row not yet written.
    for each in told[:2]:
        run("HSET", keys.rows_key(tenant, 0), each.id, "1 60 1 0 {}")
    run("DEL", key_of(told[0].id))
    swept = sweep(api)

    assert (swept["looked_at"], swept["forgotten"], swept["compacted"]) == (4, 1, 0)
    assert run("ZSCORE", keys.activity_key(tenant, 0), told[0].id) is None
    assert run("HGET", keys.rows_key(tenant, 0), told[0].id) is None
    assert {told[1].id, told[2].id, for_ever.id} <= set(run("HKEYS", keys.rows_key(tenant, 0)))
    assert for_ever.id in str(api.get("/v1/conversations").json())


def test_one_conversation_that_cannot_be_compacted_is_not_the_end_of_the_sweep(
    api: httpx.Client,
    server: FaultyServer,
    behind: Callable[..., httpx.Client],
    neglect: Callable[[Told], None],
    settle: Callable[[], None],
) -> None:
    for _ in range(2):
        neglect(begin(api))
    settle()
    service = behind()
    # Leases, scopes, tenants, layout, what was built, a page and a look at it; then one compaction, sent twice.
    server.faults.extend([*[Fault.NONE] * 10, Fault.ERROR_500, Fault.ERROR_500])
    first, second = sweep(service), sweep(service)

    assert (first["outcome"], first["failed"], first["compacted"]) == ("done", 1, 1)
    assert second["outcome"] == "done"


def test_a_tenant_that_writes_all_the_time_does_not_keep_the_sweep(
    api: httpx.Client, server: FaultyServer, behind: Callable[..., httpx.Client]
) -> None:
    told, service, has_ended = begin(api), behind(), threading.Event()
    server.delay_s = 0.02

    def requests_of_a_sweep() -> int:
        before = server.requests
        sweep(service)
        return server.requests - before

    def write() -> None:
        for _ in range(200):
            if has_ended.is_set():
                return
            append = {"items": [{"role": "user", "content": "again"}]}
            api.post(f"/v1/conversations/{told.id}/items", json=append).raise_for_status()

    quiet = requests_of_a_sweep()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        busy = requests_of_a_sweep()
        has_ended.set()
        writing.result()

    assert busy <= quiet + 3  # The first sweep may have found less to note.
