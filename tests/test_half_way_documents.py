"""
The scripts of documents and of the deployment end half-way: refused each of their writes in turn, then called again.

What a reader takes for a document is whole and under its own entity tag at any time; afterwards there is one effect.
"""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.cache.tiered import ABSENT, UNKNOWN, Grant, Mark
from shared.documents.document import Document
from shared.documents.heat import Heat
from shared.documents.shelf import Shelf, write_mark
from shared.environment import read_settings
from shared.errors import StoreUnavailable
from shared.items.document_paths import Place
from shared.request.after_response import Later
from shared.store import keys
from shared.store.lease import taken
from shared.store.upstash import Store
from tests.bearers import CHANGES_SECRET
from tests.half_way import failures

OLD, NEW = (Document(f'"{word}"', f"text {word}", "", 8, 8, {"o200k_base": 2}) for word in ("old", "new"))
OLD_AT, NEW_AT = 1_700_000_000, 1_700_000_100
LEASE_S = 2


class Stores(NamedTuple):
    """The same store as it is, and behind the server that refuses writes."""

    true: Store
    faulty: Store


@pytest.fixture
async def stores(upstash: LocalUpstash, server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stores]:
    true = Store(read_settings())
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
    faulty = Store(read_settings())
    yield Stores(true, faulty)
    await true.close()
    await faulty.close()


@pytest.fixture
def shelves(stores: Stores) -> tuple[Shelf, Shelf]:
    return Shelf(stores.true, read_settings()), Shelf(stores.faulty, read_settings())


async def put(shelf: Shelf, place: Place) -> Mark:
    """Keep the old document at *place*, with a count; return its mark."""
    grant = await shelf.begin(place, None)
    assert isinstance(grant, Grant)
    assert await shelf.store(place, grant, OLD, OLD_AT)
    await shelf.keep_count(place, OLD, "o200k_base")
    return Mark(grant.fence, OLD_AT, OLD.etag)


async def shown(shelf: Shelf, place: Place) -> tuple[str, int, dict[str, int]] | None:
    """Return what a reader takes for the document, and when it was asked for; None where it has to load it."""
    mark, found = await shelf.read(place, UNKNOWN)
    if found is None or mark is None or mark.etag == UNKNOWN:
        return None
    assert found.etag == mark.etag
    return found.text, mark.checked_at_unix_s, found.counts


IS_OLD = (OLD.text, OLD_AT, OLD.counts)
AFTER = {
    "value": (NEW.text, NEW_AT, {}),
    "same": (OLD.text, NEW_AT, OLD.counts),
    "absent": None,
    "none": IS_OLD,
}


async def finish(shelf: Shelf, place: Place, grant: Grant, mode: str) -> bool:
    if mode == "none":
        await shelf.release(place, grant)
        return True
    if mode == "same":
        return await shelf.renew(place, grant, OLD, NEW_AT)
    return await shelf.store(place, grant, NEW if mode == "value" else None, NEW_AT)


@pytest.mark.parametrize("mode", AFTER)
async def test_what_the_source_answered_is_kept_whole_or_not_at_all(
    mode: str, shelves: tuple[Shelf, Shelf], server: FaultyServer, tenant: str, run: Any
) -> None:
    true, faulty = shelves
    refused = 0
    for nth in failures(server, "document_store"):
        place = Place(tenant, f"{nth}.txt")
        # The one that puts the old document is no part of this.
        nth_write, server.nth_write = server.nth_write, None
        grant = await true.begin(place, await put(true, place))
        server.nth_write = nth_write
        assert isinstance(grant, Grant)
        try:
            assert await finish(faulty, place, grant, mode)
        except StoreUnavailable:
            refused += 1
            assert await shown(true, place) in (IS_OLD, None, AFTER[mode])
            assert 0 < run("PTTL", keys.document_lease_key(*place)) <= read_settings().document_lease_s * 1_000
            stored = run("HGETALL", keys.document_key(*place))
            assert "etag" not in stored or run("TTL", keys.document_key(*place)) > 0
            assert await finish(true, place, grant, mode)

        assert await shown(true, place) == AFTER[mode]
        mark, _ = await true.read(place, UNKNOWN)
        assert mark is not None
        assert mode != "absent" or mark.etag == ABSENT
        assert run("EXISTS", keys.document_lease_key(*place)) == 0
        assert isinstance(await true.begin(place, mark), Grant)
    assert refused == {"value": 6, "same": 3, "absent": 3, "none": 1}[mode]


async def test_a_lease_is_taken_with_its_fence_or_left_to_others(
    shelves: tuple[Shelf, Shelf], server: FaultyServer, tenant: str, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_MAX", "3")
    true, faulty = shelves
    for at in range(3):
        run("HSET", keys.document_marks_key(tenant), f"absent-{at}", write_mark(Mark(1, OLD_AT, ABSENT)))
    limited = Shelf(faulty._store, read_settings())
    refused = 0
    for nth in failures(server, "document_begin"):
        place = Place(tenant, f"{nth}.txt")
        try:
            taken_now = await limited.begin(place, None)
        except StoreUnavailable:
            refused += 1
            assert run("EXISTS", keys.document_lease_key(*place)) == 0
            mark, _ = await true.read(place, UNKNOWN)
            assert mark is None
            taken_now = await true.begin(place, None)
        assert isinstance(taken_now, Grant)
        assert await true.store(place, taken_now, NEW, NEW_AT)
        assert run("SISMEMBER", keys.SCOPES_KEY, tenant) == 1
    assert refused >= 2


async def test_what_is_outdated_is_outdated_after_the_second_notice_at_the_latest(
    shelves: tuple[Shelf, Shelf], server: FaultyServer, tenant: str
) -> None:
    true, faulty = shelves
    for nth in failures(server, "document_notice"):
        paths = [f"{nth}-{at}.txt" for at in range(2)]
        for path in paths:
            await put(true, Place(tenant, path))
        try:
            kept = await faulty.notice(tenant, paths)
        except StoreUnavailable:
            assert [await shown(true, Place(tenant, path)) for path in paths] == [IS_OLD] * 2
            kept = await true.notice(tenant, paths)
        assert kept == 2
        assert [await shown(true, Place(tenant, path)) for path in paths] == [None] * 2


async def test_a_count_is_kept_or_made_again(shelves: tuple[Shelf, Shelf], server: FaultyServer, tenant: str) -> None:
    true, faulty = shelves
    counted = Document(OLD.etag, OLD.text, "", 8, 8, {"cl100k_base": 3})
    for nth in failures(server, "document_count"):
        place = Place(tenant, f"{nth}.txt")
        nth_write, server.nth_write = server.nth_write, None
        await put(true, place)
        server.nth_write = nth_write
        try:
            await faulty.keep_count(place, counted, "cl100k_base")
        except StoreUnavailable:
            assert await shown(true, place) == IS_OLD
            await true.keep_count(place, counted, "cl100k_base")
        assert await shown(true, place) == (OLD.text, OLD_AT, OLD.counts | counted.counts)


async def test_each_verdict_of_a_sweep_is_carried_out_or_found_again(
    stores: Stores, shelves: tuple[Shelf, Shelf], server: FaultyServer, tenant: str, run: Any
) -> None:
    marks = keys.document_marks_key(tenant)
    for nth in failures(server, "document_sweep"):
        changed, gone = Place(tenant, f"{nth}-changed"), Place(tenant, f"{nth}-gone")
        arguments: list[str | int] = [time.time_ns() // 1_000_000]
        for place, verdict in ((changed, "changed"), (gone, "gone")):
            arguments += [place.path, write_mark(await put(shelves[0], place)), verdict]
        try:
            await stores.faulty.eval("document_sweep", [marks], arguments)
        except StoreUnavailable:
            assert run("HEXISTS", marks, gone.path) == 1
            await stores.true.eval("document_sweep", [marks], arguments)
        mark, _ = await shelves[0].read(changed, UNKNOWN)
        assert mark is not None
        assert mark.etag == UNKNOWN
        assert run("HEXISTS", marks, gone.path) == 0


async def test_uses_are_counted_whole_or_not_at_all(
    stores: Stores, server: FaultyServer, tenant: str, fresh_crons: None
) -> None:
    later = Later()
    for nth in failures(server, "heat"):
        place = Place(tenant, f"{nth}.txt")
        heats = [Heat(store) for store in (stores.faulty, stores.true)]
        for heat in heats:
            heat.note(place, later)
        try:
            await heats[0].flush()
        except StoreUnavailable:
            assert place not in await heats[1].hottest(100)
            await heats[1].flush()
        assert place in await heats[1].hottest(100)


async def test_a_job_is_taken_kept_and_left_with_one_write(
    stores: Stores, server: FaultyServer, run: Any, tenant: str
) -> None:
    name = keys.cron_key(f"test-{tenant}")
    # A job goes on without a note where the store has no room for one.
    server.reason = "ERR the script was refused a write"
    for _ in failures(server, "lease"):
        try:
            async with taken(stores.faulty, name, LEASE_S):
                pass
        except StoreUnavailable:
            assert run("EXISTS", name) == 0
    async with taken(stores.true, name, LEASE_S) as lease:
        assert lease is not None
        for nth in failures(server, "lease"):
            lease._store = stores.faulty
            try:
                assert await lease.keep(f"at {nth}")
            except StoreUnavailable:
                assert run("HGET", name, "progress") == ""
                lease._store = stores.true
                assert await lease.keep(f"at {nth}")
            assert run("HGET", name, "progress") == f"at {nth}"
        lease._store = stores.true


async def test_what_an_instance_counted_is_added_once_or_not_at_all(
    stores: Stores, server: FaultyServer, run: Any, tenant: str
) -> None:
    refused = 0
    for nth in failures(server, "metrics"):
        name = keys.metrics_key(f"{tenant}-{nth}")
        arguments: list[str | int] = [f"{tenant}-{nth}", int(time.time()), 1_000, 60, 100, 100, 1, 1]
        arguments += ["requests", 7, "resident_max", 9, "cron_duration sweep", int(time.time()), 5]
        try:
            await stores.faulty.eval("metrics", [name, keys.METRICS_KEY], arguments)
        except StoreUnavailable:
            refused += 1
            assert run("HMGET", name, "requests", "resident_max") == [None, None]
            await stores.true.eval("metrics", [name, keys.METRICS_KEY], arguments)
        assert run("HGET", name, "requests") == "7"
        assert run("TTL", name) > 0
        assert run("TTL", keys.METRICS_KEY) > 0
        assert run("ZSCORE", keys.METRICS_KEY, f"{tenant}-{nth}") is not None
    assert refused == 6


@pytest.mark.parametrize("script", ["document_begin", "document_store"])
def test_no_reader_sees_a_text_under_another_tag(
    script: str,
    behind: Callable[..., httpx.Client],
    api: httpx.Client,
    server: FaultyServer,
    documents_folder: Path,
    tenant: str,
) -> None:
    (documents_folder / tenant).mkdir()
    faulty = behind(document_lease_s=1)
    secret = {"authorization": f"Bearer {CHANGES_SECRET}"}
    for nth in failures(server, script):
        file = documents_folder / tenant / f"{nth}.txt"
        file.write_text("first")
        first = faulty.get(f"/v1/documents/{nth}.txt")
        between = api.get(f"/v1/documents/{nth}.txt")
        file.write_text("the second")
        notice = {"changes": [{"path": f"{tenant}/{nth}.txt"}]}
        assert api.post("/v1/changes", json=notice, headers=secret).status_code == 200
        seen = [client.get(f"/v1/documents/{nth}.txt") for client in (faulty, api)]

        assert [first.text, between.text] == ["first"] * 2
        assert first.headers["etag"] == between.headers["etag"]
        assert [each.text for each in seen] == ["the second"] * 2
        assert len({each.headers["etag"] for each in seen} - {first.headers["etag"]}) == 1
