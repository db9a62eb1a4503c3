"""Budgets on a store that refuses writes for memory: what is promised then, and what is not."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from tests.budget_calls import reserve, settle, tokens

LIFE_S = 600


@pytest.fixture
def fill(run: Callable[..., Any]) -> Iterator[Callable[[], None]]:
    """Let the store have no memory left, until the test's end."""
    yield lambda: run("CONFIG", "SET", "maxmemory", "1")
    run("CONFIG", "SET", "maxmemory", "0")


def test_what_changes_the_books_is_refused_and_changes_nothing(
    api: httpx.Client, run: Any, fill: Callable[[], None]
) -> None:
    made, path = reserve(api, 100).json(), f"/v1/conversations/{api.post('/v1/conversations').json()['id']}"
    used = {"reservation": made["id"], "usage": {"input_tokens": 20, "output_tokens": 5}}
    fill()
    answers = [
        reserve(api, 10),
        settle(api, made, 25),
        api.delete(f"/v1/reservations/{made['id']}"),
        api.post(f"{path}/items", json={"items": [{"role": "assistant", "content": "Hi!"}], **used}),
        api.post(f"{path}/context", json={"budget": 500, "reserve": True}),
    ]

    assert [answer.status_code for answer in answers] == [503] * 5
    assert {answer.json()["outcome_unknown"] for answer in answers} == {False}
    assert all("Nothing was stored." in answer.json()["detail"] for answer in answers)
    assert tokens(api) == (0, 100, 0)
    run("CONFIG", "SET", "maxmemory", "0")
    assert settle(api, made, 25).status_code == 200
    assert tokens(api) == (25, 0, 0)


def test_what_nobody_can_release_ends_by_itself(
    api: httpx.Client, fill: Callable[[], None], clock: LocalUpstash
) -> None:
    reserve(api, 100)
    fill()
    clock.clock_shift_s = LIFE_S + 1

    assert tokens(api, "month") == (0, 0, 0)
