"""L1 counts what it holds in bytes, forgets the least recently used first, and says which tier answered."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.context.formats.unit_form import NO_FORMS, Forms, UnitForm
from shared.conversations.conversation import Conversation
from shared.conversations.entries import read_entry
from shared.conversations.folds import newest_fold
from shared.conversations.held import COUNT_BYTES
from shared.conversations.history import History
from shared.conversations.needs import Need, PageNeed
from shared.conversations.snapshot import ITEM_BYTES, begin, read_header
from shared.environment import read_settings
from shared.errors import NotCached, NotFound
from shared.items.counts import Counts
from shared.request.caller import read_key
from shared.request.freshness import Freshness, Tier
from shared.store.upstash import Store

Make = Callable[..., History]


@pytest.fixture
async def make_history(upstash: LocalUpstash) -> AsyncIterator[Make]:
    stores = []

    def make(**settings: Any) -> History:
        environ = {
            "UPSTASH_REDIS_REST_URL": upstash.url,
            "UPSTASH_REDIS_REST_TOKEN": upstash.token,
            **{f"WARMTHREAD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        stores.append(Store(read_settings(environ)))
        return History(stores[-1], read_settings(environ))

    yield make
    for store in stores:
        await store.close()


def create(api: httpx.Client, count: int, chars: int = 1_000) -> str:
    items = [{"role": "user", "content": "x" * chars} for _ in range(count)]
    return str(api.post("/v1/conversations", json={"items": items}).json()["id"])


async def is_held(history: History, conversation: Conversation) -> bool:
    try:
        await history.read(conversation, Need(), Freshness(is_only_if_cached=True))
    except NotCached:
        return False
    return True


async def test_reads_are_counted_by_the_tier_that_answered(api: httpx.Client, key: str, make_history: Make) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 3))
    for freshness in (Freshness(), Freshness(), Freshness(max_age_s=60), Freshness(max_age_s=60)):
        await history.read(conversation, Need(), freshness)
    counted = history.counted()

    assert counted.answers == {Tier.L0: 2, Tier.L1: 1, Tier.L2: 1, Tier.STALE: 0}
    assert (counted.conversations, counted.evictions) == (1, 0)
    assert 3_000 < counted.size_bytes < 3_000 + 3 * 1_000


async def test_what_a_context_was_made_of_counts_while_it_belongs_to_what_is_held(
    api: httpx.Client, key: str, make_history: Make
) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 3))
    older = await history.read(conversation, Need(), Freshness())
    before_bytes = history.counted().size_bytes
    forms = Forms("chat", {1: UnitForm((b"{}",), [b"[]"], frozenset())}, 1_234)

    older.keep(None, forms)
    assert history.counted().size_bytes == before_bytes + 1_234

    newer = (await history.read(conversation, Need(), Freshness())).held
    assert newer.forms is forms
    older.keep(None, NO_FORMS)
    assert history.counted().size_bytes == before_bytes + 1_234


async def test_the_fold_that_a_context_was_chosen_from_counts_as_well(
    api: httpx.Client, key: str, make_history: Make
) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 3))
    reading = await history.read(conversation, Need(), Freshness())
    before_bytes = history.counted().size_bytes
    fold = newest_fold(reading.held.snapshot, None, "", {}, 10_000)
    assert fold is not None
    reading.keep(fold, NO_FORMS)

    assert history.counted().size_bytes == before_bytes + fold.size_bytes > before_bytes
    assert (await history.read(conversation, Need(), Freshness())).held.fold is fold


async def test_what_is_too_large_for_l1_with_its_fold_alone_is_kept_without(
    api: httpx.Client, key: str, make_history: Make
) -> None:
    conversation = Conversation(read_key(key), create(api, 10))
    size_bytes = (await make_history().read(conversation, Need(), Freshness())).held.size_bytes
    history = make_history(l1_bytes_max=size_bytes + 100)
    reading = await history.read(conversation, Need(), Freshness())
    reading.keep(newest_fold(reading.held.snapshot, None, "", {}, 10_000), NO_FORMS)

    assert history.counted().size_bytes == size_bytes
    assert (await history.read(conversation, Need(), Freshness())).held.fold is None


async def test_a_fold_is_gone_with_the_history_that_it_is_of(
    api: httpx.Client, key: str, make_history: Make, run: Any
) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 10))
    reading = await history.read(conversation, Need(), Freshness())
    reading.keep(newest_fold(reading.held.snapshot, None, "", {}, 10_000), NO_FORMS)
    run("HSET", conversation.names[1], "g", "another")

    assert (await history.read(conversation, Need(), Freshness())).held.fold is None


async def test_l1_never_holds_more_than_its_bytes_and_keeps_what_was_used_last(
    api: httpx.Client, key: str, make_history: Make
) -> None:
    limit = 60_000
    history, caller = make_history(l1_bytes_max=limit), read_key(key)
    first, *others = [create(api, 10) for _ in range(12)]
    for conversation in others:
        await history.read(Conversation(caller, first), Need(), Freshness())
        await history.read(Conversation(caller, conversation), Need(), Freshness())
        assert history.counted().size_bytes <= limit
    counted = history.counted()

    assert counted.evictions == 11 + 1 - counted.conversations > 0
    assert await is_held(history, Conversation(caller, first))
    assert not await is_held(history, Conversation(caller, others[0]))


async def test_what_is_larger_than_l1_is_answered_and_not_kept(api: httpx.Client, key: str, make_history: Make) -> None:
    history, conversation = make_history(l1_bytes_max=5_000), Conversation(read_key(key), create(api, 10))
    reading = await history.read(conversation, Need(), Freshness())

    assert len(reading.held.snapshot.items) == 10
    assert history.counted().conversations == 0


def page_need(history: History, after: str = "", order: str = "desc") -> PageNeed:
    return PageNeed(after, 10, order, 4_000_000, history.whole_bytes_max, history.tail_bytes_max)


async def test_a_page_drives_out_no_more_than_it_shows(api: httpx.Client, key: str, make_history: Make) -> None:
    """A large conversation is held as the newest pages show it, and no more of it than a part of L1."""
    history, conversation = make_history(l1_bytes_max=120_000), Conversation(read_key(key), create(api, 100))
    small = Conversation(read_key(key), create(api, 1))
    await history.read(small, Need(), Freshness())
    shown, after, sizes = 0, "", []
    while shown < 100:
        page, _ = await history.view(conversation, page_need(history, after), Freshness())
        shown, after = shown + len(page.data), str(page.last_id)
        sizes.append(history.counted().size_bytes)

    assert sizes[0] < sizes[1] == sizes[-1] < history.tail_bytes_max + 10 * 1_700
    assert await is_held(history, small)


async def test_what_is_not_held_is_not_brought(
    api: httpx.Client, key: str, make_history: Make, upstash: LocalUpstash
) -> None:
    large = Conversation(read_key(key), create(api, 100, chars=3_000))
    for history in (make_history(), make_history(l1_bytes_max=100_000)):
        await history.view(large, page_need(history, order="asc"), Freshness())
        assert history.counted().conversations == 0
    pressed, small = make_history(), Conversation(read_key(key), create(api, 20))
    pressed.limit_l1(0)
    page, provenance = await pressed.view(small, page_need(pressed), Freshness())

    assert (len(page.data), pressed.whole_bytes_max, pressed.counted().conversations) == (10, 0, 0)
    assert provenance.tier == Tier.L2


def test_an_item_holds_about_what_it_is_charged() -> None:
    """The charge beside its JSON is measured here: neither half nor twice of what the interpreter allocates."""
    count = 2_000
    header = read_header(["g", count, "c", count, 0, 0, 0, "{}", 0, 0, 0, "", "", "", "", "", 0, "", "", ""])
    raw = [
        f'{seq:016x} {seq} u [4,12,0,"msg_{seq:048x}","","",true]\n' + f'{{"id":"msg_{seq:048x}"}}' + "x" * 200
        for seq in range(1, count + 1)
    ]
    gc.collect()
    tracemalloc.start()
    snapshot = begin(header, 1, [], [read_entry(seq, text) for seq, text in enumerate(raw, start=1)])
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert snapshot.size_bytes == sum(ITEM_BYTES + len(item.body) for item in snapshot.items)
    assert 0.6 < held / snapshot.size_bytes < 1.1


def test_a_kept_count_holds_about_what_it_is_charged() -> None:
    tracemalloc.start()
    counts = {seq: Counts(seq, 1_000 + seq, 2_000 + seq) for seq in range(10_000)}
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 0.6 < held / (len(counts) * COUNT_BYTES) < 1.1


async def test_eighty_reads_at_once_of_what_is_not_held_are_one_load(
    api: httpx.Client, key: str, make_history: Make, upstash: LocalUpstash
) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 10))
    upstash.reset()
    readings = await asyncio.gather(*(history.read(conversation, Need(), Freshness()) for _ in range(80)))

    assert (upstash.requests, upstash.commands) == (1, 1)
    assert len({id(reading.held) for reading in readings}) == 1


async def test_a_read_that_comes_during_a_load_waits_for_it_and_asks_only_for_news(
    api: httpx.Client, key: str, make_history: Make, upstash: LocalUpstash
) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 10))
    upstash.reset()
    first = asyncio.create_task(history.read(conversation, Need(), Freshness()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.create_task(history.read(conversation, Need(), Freshness())) for _ in range(79)]

    assert (await first).tier == Tier.L2
    assert {(await each).tier for each in later} == {Tier.L1}
    assert upstash.requests == 2


async def test_a_caller_that_goes_away_takes_no_other_with_it(
    api: httpx.Client, key: str, make_history: Make, upstash: LocalUpstash
) -> None:
    history, conversation = make_history(), Conversation(read_key(key), create(api, 10))
    reads = [asyncio.create_task(history.read(conversation, Need(), Freshness())) for _ in range(3)]
    await asyncio.sleep(0)
    reads[0].cancel()

    assert (await reads[1]).held is (await reads[2]).held
    with pytest.raises(asyncio.CancelledError):
        await reads[0]


async def test_an_error_is_every_callers_and_is_not_remembered(api: httpx.Client, key: str, make_history: Make) -> None:
    history, caller = make_history(), read_key(key)
    results = await asyncio.gather(
        *(history.read(Conversation(caller, "conv_later"), Need(), Freshness()) for _ in range(5)),
        return_exceptions=True,
    )

    assert all(isinstance(result, NotFound) for result in results)
