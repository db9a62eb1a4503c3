"""The races that users of LiteLLM reported (the issue in each name), as promises about our budgets."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from tests.budget_calls import reserve, settle, tokens

DAY_S = 86_400
LIFE_S = 600


def test_litellm_34732_concurrent_requests_cannot_pass_a_budget_together(
    service_url: str, key: str, budget: Any
) -> None:
    budget(tokens_day="1000")

    async def together() -> list[int]:
        async with httpx.AsyncClient(base_url=service_url, headers={"authorization": f"Bearer {key}"}) as client:
            calls = [client.post("/v1/reservations", json={"tokens": 100}) for _ in range(40)]
            return [answer.status_code for answer in await asyncio.gather(*calls)]

    assert sorted(asyncio.run(together())) == [200] * 10 + [429] * 30


def test_litellm_34733_the_next_window_loses_nothing_of_what_comes_while_it_begins(
    api: httpx.Client, clock: LocalUpstash
) -> None:
    before = reserve(api, 100).json()
    clock.clock_shift_s = DAY_S
    settle(api, reserve(api, 10).json(), 10)
    settle(api, before, 100)
    settle(api, reserve(api, 5).json(), 5)
    next_day = tokens(api)
    clock.clock_shift_s = 0

    assert (next_day, tokens(api)) == ((15, 0, 0), (100, 0, 100))


def test_litellm_27639_reservations_do_not_leak(api: httpx.Client, budget: Any, clock: LocalUpstash) -> None:
    budget(tokens_month="1000")
    for round_ in range(5):
        clock.clock_shift_s = round_ * (LIFE_S + 1)
        assert [reserve(api, 250).status_code for _ in range(5)] == [200] * 4 + [429]


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_JSON])
def test_litellm_30460_a_lost_answer_of_the_store_inflates_nothing(
    server: FaultyServer, behind: Callable[..., httpx.Client], fault: Fault
) -> None:
    client = behind()
    server.faults.append(fault)
    reserved = reserve(client, 100).json()
    during = tokens(client)
    server.faults.append(fault)
    settle(client, reserved, 60)

    assert (during, tokens(client)) == ((0, 100, 0), (60, 0, 0))


def test_litellm_28247_33325_6288_every_instance_sees_the_same_spending_at_once(
    make_api: Callable[[], httpx.Client], budget: Any
) -> None:
    budget(tokens_day="300")
    granted = []
    for _ in range(3):
        instance = make_api()
        granted += [reserve(instance, 100).status_code for _ in range(2)]

    assert granted == [200, 200, 200, 429, 429, 429]


def test_litellm_36926_a_refused_request_uses_up_nothing(api: httpx.Client, budget: Any) -> None:
    budget(tokens_day="100")
    refused = [reserve(api, 101).status_code for _ in range(5)]

    assert (refused, reserve(api, 100).status_code) == ([429] * 5, 200)


def test_litellm_26672_the_gate_is_before_the_call(api: httpx.Client, budget: Any) -> None:
    budget(tokens_day="100")
    settle(api, reserve(api, 90).json(), 90)

    assert reserve(api, 20).status_code == 429
