"""Compaction changes what a conversation costs, and nothing that anybody sees of it."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lives import SETTINGS, Append, Compact, Delete, Life, Told, Update, begin, live, lives, ok, seen


@pytest.fixture
def other(make_api: Callable[[], httpx.Client]) -> httpx.Client:
    """Another instance, called as the test's tenant."""
    return make_api()


def version(api: httpx.Client, told: Told) -> tuple[str, int]:
    generation, number, *_ = api.get(f"/v1/conversations/{told.id}").headers["etag"].strip('"').split(".")
    return generation, int(number)


def wait_until(is_so: Callable[[], bool]) -> bool:
    give_up_at_s = time.monotonic() + 5
    while not is_so():
        if time.monotonic() > give_up_at_s:
            return False
    return True


@SETTINGS
@given(lives, st.lists(st.integers(0, 14), min_size=1, max_size=4), st.booleans())
def test_a_compacted_conversation_looks_like_one_that_is_not(
    api: httpx.Client, other: httpx.Client, life: Life, at: list[int], held: bool
) -> None:
    plain, compacted = begin(api), begin(api)
    live(api, plain, life)
    for start in range(len(life)):
        if start in at:
            if held:
                api.get(f"/v1/conversations/{compacted.id}/context?budget=100000")
            live(other, compacted, [Compact()])
        live(api, compacted, life[start : start + 1])
    live(other, compacted, [Compact()])

    assert seen(api, compacted) == seen(api, plain)
    assert version(api, compacted)[1] == version(api, plain)[1]
    more: Life = [Append(("u", "c", "o", "s", "a")), Delete(2), Update("c")]
    live(other, plain, more)
    live(other, compacted, more)
    assert seen(api, compacted) == seen(api, plain) == seen(other, compacted)


@SETTINGS
@given(lives, st.integers(0, 60))
def test_a_fork_of_a_compacted_conversation_is_one_of_the_other(api: httpx.Client, life: Life, which: int) -> None:
    plain, compacted = begin(api), begin(api)
    for each in (plain, compacted):
        live(api, each, life)
    live(api, compacted, [Compact()])
    body = {"after": plain.ids[which % len(plain.ids)]} if plain.ids else {}
    forks = [
        each._replace(id=ok(api.post(f"/v1/conversations/{each.id}/fork", json=body))["id"])
        for each in (plain, compacted)
    ]
    first, second = (seen(api, fork) for fork in forks)

    # A deleted item behind the cut is unknown to the one, and at the edge of the other.
    for name in first:
        if "after 'item" not in name:
            assert first[name] == second[name]


def test_deleting_most_of_a_conversation_compacts_it(
    api: httpx.Client, run: Callable[..., Any], key_of: Callable[[str], str]
) -> None:
    told = begin(api)
    live(api, told, [Append(("u",) * 100)])
    generation, _ = version(api, told)
    live(api, told, [Delete(0)] * 33)
    assert version(api, told) == (generation, 133)
    live(api, told, [Delete(0)])

    # It happens after the response.
    assert wait_until(lambda: version(api, told)[0] != generation)
    assert version(api, told)[1] == 134
    assert run("HGET", key_of(told.id), "o") == str(134 - 66)
    assert run("HEXISTS", key_of(told.id), "67") == 0


def test_changing_metadata_for_ever_never_fills_a_conversation(
    api: httpx.Client, run: Callable[..., Any], key_of: Callable[[str], str]
) -> None:
    told = begin(api)
    live(api, told, [Append(("u",)), *([Update("a"), Update("b")] * 50)])

    assert version(api, told)[1] == 101
    # For a day the log also says which batches it was given.
    assert sum(not name.startswith("b:") for name in run("HKEYS", key_of(told.id))) < 90


def test_a_conversation_may_be_compacted_any_number_of_times(api: httpx.Client) -> None:
    told = begin(api)
    live(api, told, [Append(("u", "a", "u", "a")), Delete(1)])
    url = f"/v1/conversations/{told.id}"
    first = api.post(url + "/compact")
    second = api.post(url + "/compact")

    assert first.json() == second.json() == api.get(url).json()
    assert first.headers["etag"] == second.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"


def test_a_deleted_conversation_or_strangers_one_is_not_compacted(api: httpx.Client, other_api: httpx.Client) -> None:
    told = begin(api)

    assert other_api.post(f"/v1/conversations/{told.id}/compact").status_code == 404
    assert api.post("/v1/conversations/conv_unknown/compact").status_code == 404


@pytest.mark.parametrize("count", [3_000, 9_000])
def test_a_long_conversation_is_compacted_whole(
    api: httpx.Client, run: Callable[..., Any], key_of: Callable[[str], str], count: int
) -> None:
    """More fields than one call of the store takes, and more bytes than one portion."""
    told = begin(api)
    for _ in range(count // 100):
        live(api, told, [Append(("u",) * 100)])
    name = key_of(told.id)
    # As if two of three had been deleted, one by one.
    run("EVAL", BLANK_TWO_OF_THREE, 1, name)
    api.post(f"/v1/conversations/{told.id}/compact")
    page = api.get(f"/v1/conversations/{told.id}/items", params={"order": "asc", "limit": 100}).json()

    assert [each["id"] for each in page["data"]] == [f"item_{number}" for number in range(0, 300, 3)]
    assert run("HGET", name, "o") == str(count - count // 3)
    assert run("HEXISTS", name, str(count // 3)) == 1
    assert run("HEXISTS", name, str(count // 3 + 1)) == 0


BLANK_TWO_OF_THREE = """
local live = 0
for seq = 1, tonumber(redis.call('HGET', KEYS[1], 'v')) do
  if seq % 3 == 1 then
    live = live + 1
  else
    local entry = redis.call('HGET', KEYS[1], seq)
    local id = string.match(entry, '%[%d+,%d+,%d+,"([^"]*)"')
    redis.call('HSET', KEYS[1], seq, string.match(entry, '^%x+ %d+ ') .. 'x ["' .. id .. '"]\\n')
  end
end
redis.call('HSET', KEYS[1], 'n', live)
"""
