"""What one tenant reads costs another nothing: large replies travel alone, and news have a size that is known ahead."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.conversations.conversation import Conversation
from shared.conversations.history import NEWS_BYTES_MAX, History
from shared.conversations.needs import Need
from shared.environment import read_settings
from shared.request.caller import read_key
from shared.request.freshness import Freshness
from shared.store.upstash import Store

Append = Callable[[int], None]


def text(size: int) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": "x" * size}]}


@pytest.fixture
def append(api: httpx.Client, conversation: str) -> Append:
    """Add an item of so many bytes to the conversation, by another instance."""

    def add(size: int) -> None:
        assert api.post(f"/v1/conversations/{conversation}/items", json=text(size)).status_code == 200

    return add


@pytest.fixture
async def histories(upstash: LocalUpstash) -> AsyncIterator[Callable[[], History]]:
    """Make the L1 of an instance of its own."""
    settings = read_settings()
    store = Store(settings)
    yield lambda: History(store, settings)
    await store.close()


async def sizes(history: History, conversation: Conversation) -> list[int]:
    """Return how long each item is that a fresh read finds."""
    reading = await history.read(conversation, Need(), Freshness())
    return [len(item.body) for item in reading.held.snapshot.items]


NEWS = {
    "none": ([], 1),
    "a few that fit": ([100, 200], 1),
    "one that does not": ([NEWS_BYTES_MAX + 1], 2),
    "some that do, some that do not": ([100, NEWS_BYTES_MAX, 100], 2),
    "many": ([NEWS_BYTES_MAX // 3] * 10, 2),
}


@pytest.mark.parametrize("name", NEWS)
async def test_news_that_are_larger_than_expected_take_a_second_request_and_come_whole(
    upstash: LocalUpstash, histories: Any, conversation: str, append: Append, key: str, name: str
) -> None:
    added, requests = NEWS[name]
    held, place = histories(), Conversation(read_key(key), conversation)
    await sizes(held, place)
    for size in added:
        append(size)
    upstash.reset()
    seen = await sizes(held, place)

    assert upstash.requests == requests
    assert seen == await sizes(histories(), place)


async def test_another_history_of_the_same_name_is_read_anew(
    run: Any, key_of: Any, histories: Any, conversation: str, append: Append, key: str
) -> None:
    held, place, name = histories(), Conversation(read_key(key), conversation), key_of(conversation)
    run("COPY", name, f"{name}:before")
    append(2 * NEWS_BYTES_MAX)
    await sizes(held, place)
    run("RENAME", f"{name}:before", name)
    for size in (10, NEWS_BYTES_MAX, 20):
        append(size)

    assert await sizes(held, place) == await sizes(histories(), place)


@pytest.mark.timing
def test_small_reads_do_not_wait_for_large_pages(
    service_url: str, upstash: LocalUpstash, mint: Callable[[], str]
) -> None:
    """Of what is asked for at once, the small answers are there before the large ones, and nothing is refused."""
    large_count, ended = 8, list[str]()

    async def ask(client: httpx.AsyncClient, path: str, name: str) -> int:
        answer = await client.get(path)
        ended.append(name)
        return answer.status_code

    async def run_all() -> list[int]:
        async with _client(service_url, mint()) as large, _client(service_url, mint()) as small:
            ids = [(await each.post("/v1/conversations")).json()["id"] for each in (large, small)]
            for _ in range(4):
                assert (await large.post(f"/v1/conversations/{ids[0]}/items", json=text(1_000_000))).status_code == 200
            upstash.reset()
            pages = [
                ask(large, f"/v1/conversations/{ids[0]}/items?limit={100 - n}", "large") for n in range(large_count)
            ]
            return await asyncio.gather(*pages, ask(small, f"/v1/conversations/{ids[1]}", "small"))

    assert asyncio.run(run_all()) == [200] * (large_count + 1)
    assert upstash.requests == large_count + 1
    assert ended.index("small") < large_count


def _client(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30)
