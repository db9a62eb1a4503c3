"""What every store gives back: results in the shapes that stores have, refusals as errors that tell the outcome."""

import asyncio
import time
from typing import Any

import pytest

from scripts.faults.server import Fault
from shared.errors import StoreUnavailable
from shared.store.upstash import Store
from tests.contract.stores import Wire

TEXTS = ["", "grüße ☃ 🜚", 'quotes " and \\ and\r\n\t\x00\x7f', "x" * 300_000, "[1]", "null", "0"]


async def test_results_are_text_numbers_lists_and_none(store: Store, key: str) -> None:
    results = [
        await store.command("GET", key),
        await store.command("INCR", key),
        await store.command("SET", key, 1.5),
        await store.command("GET", key),
        await store.command("MGET", key, f"{key} of nobody"),
        await store.command("DEL", key),
        await store.command("HSET", key, "field", 7, "other", "text"),
        await store.command("HGETALL", key),
        await store.command("EVAL", "return {1, 'a', {2, {}}, false}", 0),
    ]

    assert results == [
        None,
        1,
        "OK",
        "1.5",
        ["1.5", None],
        1,
        2,
        ["field", "7", "other", "text"],
        [1, "a", [2, []], None],
    ]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_text_comes_back_as_it_was_sent(store: Store, key: str, text: str) -> None:
    await store.command("SET", key, text)

    assert await store.command("GET", key) == text
    assert await store.command("STRLEN", key) == len(text.encode())


async def test_a_script_takes_names_and_arguments_and_replies_with_a_list(store: Store, key: str) -> None:
    taken = await store.eval("lease", [key], ["take", 0, 30_000, ""])
    kept = await store.eval("lease", [key], ["keep", 1, 30_000, "half ☃"])
    busy = await store.eval("lease", [key], ["take", 0, 30_000, ""])

    assert (taken, kept) == (["ok", "1", ""], ["ok", "1", "half ☃"])
    assert busy[0] == "busy"
    assert 0 < int(busy[1]) <= 30_000


async def test_a_script_that_the_store_refuses_is_an_error_and_the_next_one_runs(store: Store, key: str) -> None:
    await store.command("SET", key, "no hash")
    with pytest.raises(StoreUnavailable) as refused:
        await store.eval("lease", [key], ["take", 0, 30_000, ""])
    kept = await store.command("GET", key)
    await store.command("DEL", key)

    assert "WRONGTYPE" in str(refused.value.__cause__)
    assert kept == "no hash"
    assert await store.eval("lease", [key], ["take", 0, 30_000, ""]) == ["ok", "1", ""]


async def test_a_script_that_may_be_sent_twice_is_and_another_is_not(
    store: Store, wire: Wire, key: str, lost: Fault
) -> None:
    await store.eval("lease", [key], ["take", 0, 30_000, ""])
    wire.faults.append(lost)
    kept = await store.eval("lease", [key], ["keep", 1, 30_000, "half"], is_idempotent=True)
    wire.faults.append(lost)
    before = wire.requests
    with pytest.raises(StoreUnavailable) as error:
        await store.eval("lease", [key], ["leave", 1, 30_000, "all"])

    assert kept == ["ok", "1", "half"]
    assert error.value.extensions == {"outcome_unknown": True}
    assert wire.requests - before == 1
    assert await store.command("HGET", key, "progress") == "all"


async def test_a_script_ends_with_its_callers_deadline(store: Store, wire: Wire, key: str) -> None:
    wire.delay_s = 1.0
    began_at_s = time.monotonic()
    with pytest.raises(StoreUnavailable) as error:
        await store.eval("lease", [key], ["take", 0, 30_000, ""], deadline_at_s=began_at_s + 0.05)

    assert time.monotonic() - began_at_s < 0.5
    assert error.value.extensions == {"outcome_unknown": True}


async def test_of_what_was_called_together_only_the_idempotent_is_sent_again(
    store: Store, wire: Wire, key: str, lost: Fault
) -> None:
    wire.faults.append(lost)
    calls = [
        store.command("APPEND", key, "a"),
        store.command("STRLEN", key, is_idempotent=True),
        store.command("APPEND", key, "b"),
        store.command("GET", key, is_idempotent=True),
    ]
    results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)

    assert results[1::2] == [2, "ab"]
    assert [error.extensions for error in results[::2]] == [{"outcome_unknown": True}] * 2


async def test_refusals_of_what_was_called_together_are_each_their_own(store: Store, key: str) -> None:
    await store.command("SET", key, "text")
    calls = [store.command("LPUSH", key, "x"), store.command("GET", key), store.command("NO-SUCH-COMMAND")]
    results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)

    assert results[1] == "text"
    assert [error.extensions for error in results[::2]] == [{"outcome_unknown": False}] * 2
