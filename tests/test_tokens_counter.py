"""Counting leaves the event loop, takes turns and can be given up."""

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint

from shared.errors import TextNotCountable
from shared.process.pool import Pool
from shared.tokens.count import count_texts
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings, load_encoding

LARGE = "hello world, " * 300_000
SMALL = "a little more than is counted at once " * 100


def counter_of(threads: int) -> Counter:
    pool = Pool(threads)
    return Counter(Encodings(pool), pool)


async def test_counts_come_in_the_order_of_the_texts() -> None:
    texts = ["", "hello world", "x" * 5_000, LARGE[:100_000], "\n", SMALL]

    counts = await counter_of(4).count("cl100k_base", texts)

    assert counts == count_texts(load_encoding("cl100k_base"), texts)


async def test_nothing_to_count_loads_nothing() -> None:
    encodings = Encodings(Pool(4))

    assert await Counter(encodings, Pool(4)).count("o200k_base", []) == []
    assert await Counter(encodings, Pool(4)).count("o200k_base", ["", ""]) == [0, 0]
    assert not encodings.is_loaded("o200k_base")


async def test_a_large_text_does_not_keep_a_small_one_waiting() -> None:
    counter = counter_of(1)
    await counter.load("cl100k_base")
    finished = []

    async def count(name: str, text: str) -> None:
        await counter.count("cl100k_base", [text])
        finished.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count, "large", LARGE)
        await checkpoint()
        tasks.start_soon(count, "small", SMALL)

    assert finished == ["small", "large"]


async def test_a_cancelled_count_leaves_the_counter_usable() -> None:
    counter = counter_of(1)
    await counter.load("cl100k_base")
    finished = []

    async def count(scope: CancelScope) -> None:
        with scope:
            finished.append(await counter.count("cl100k_base", [LARGE]))

    async with anyio.create_task_group() as tasks:
        scope = CancelScope()
        tasks.start_soon(count, scope)
        await counter.count("cl100k_base", [SMALL])
        scope.cancel()

    assert finished == []
    assert len(await counter.count("cl100k_base", [SMALL])) == 1


async def test_a_refusal_in_a_thread_reaches_the_caller() -> None:
    with pytest.raises(TextNotCountable, match=r"U\+D800"):
        await counter_of(1).count("cl100k_base", [SMALL, "\ud800"])
