"""Budgets of each user and of each agent: granted under all limits, counted for all, shown by each."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from shared.store.keys import reservation_records_key, reservations_key, tenant_key
from tests.budget_calls import reserve_for, settle, tokens, tokens_of

LIFE_S = 600
DAY_S = 86_400


def test_a_reservation_counts_for_the_tenant_its_user_and_its_agent(api: httpx.Client) -> None:
    made = reserve_for(api, 100, user="alice", agent="bot").json()
    during = [tokens(api), tokens_of(api, user="alice"), tokens_of(api, agent="bot"), tokens_of(api, user="bob")]
    settled = settle(api, made, 130).json()

    assert during == [(0, 100, 0)] * 3 + [(0, 0, 0)]
    assert settled["overrun"]["tokens"] == 30
    assert [tokens(api), tokens_of(api, user="alice"), tokens_of(api, agent="bot")] == [(130, 0, 30)] * 3
    assert tokens_of(api, user="bot") == tokens_of(api, agent="alice") == (0, 0, 0)


def test_limits_hold_for_each_user_alone(api: httpx.Client, budget: Any) -> None:
    budget(per_user=["tokens-day=1000"], tokens_day="2500")
    assert reserve_for(api, 1_000, user="alice").status_code == 200
    refused = reserve_for(api, 1, user="alice")
    others = [reserve_for(api, 1_000, user="bob"), reserve_for(api, 500), reserve_for(api, 1, user="carol")]

    assert refused.status_code == 429
    assert refused.headers["x-should-retry"] == "false"
    problem = refused.json()
    assert problem["violated-policies"] == ["user-tokens-day"]
    assert "of each user" in problem["detail"]
    assert [problem[name] for name in ("window", "unit", "limit", "reserved")] == ["day", "tokens", 1_000, 1_000]
    assert [each.status_code for each in others] == [200, 200, 429]
    assert others[2].json()["violated-policies"] == ["tokens-day"]


def test_limits_of_agents_hold_beside_those_of_users(api: httpx.Client, budget: Any) -> None:
    budget(per_user=["tokens-month=1000"], per_agent=["tokens-month=1500"])
    granted = [reserve_for(api, 800, user=user, agent="bot") for user in ("alice", "bob")]
    fitting = reserve_for(api, 700, user="bob", agent="bot")

    assert [each.status_code for each in granted] == [200, 429]
    assert granted[1].json()["violated-policies"] == ["agent-tokens-month"]
    assert fitting.status_code == 200
    assert tokens_of(api, "month", agent="bot") == (0, 1_500, 0)


def test_money_of_each_user_is_limited_by_the_tenants_prices(api: httpx.Client, budget: Any) -> None:
    budget(per_user=["usd-month=0.004"], price=["gpt-4o=2.5,10"])
    call = {"model": "gpt-4o", "input_tokens": 1_000, "max_output_tokens": 100}
    answers = [api.post("/v1/reservations", json={**call, "user": user}) for user in ("alice", "alice", "bob")]
    unpriced = api.post("/v1/reservations", json={**call, "model": "unknown", "user": "carol"})
    settled = api.post(
        f"/v1/reservations/{answers[0].json()['id']}/settle", json={"input_tokens": 900, "output_tokens": 10}
    )
    shown = api.get("/v1/usage", params={"user": "alice"}).json()

    assert [each.status_code for each in answers] == [200, 429, 200]
    assert answers[1].json()["violated-policies"] == ["user-usd-month"]
    assert unpriced.status_code == 400
    assert api.post("/v1/reservations", json={**call, "model": "unknown"}).status_code == 200
    assert settled.status_code == 200
    usd = shown["month"]["usd"]
    assert (shown["user"], usd["limit"], usd["settled"]) == ("alice", 0.004, 0.00235)
    assert shown["models"] == {"gpt-4o": {"input_tokens": 900, "output_tokens": 10, "usd": 0.00235, "settlements": 1}}


def test_what_is_released_or_runs_out_is_free_again_for_the_user(
    api: httpx.Client, budget: Any, clock: LocalUpstash
) -> None:
    budget(per_user=["tokens-day=1000000", "tokens-month=1000"])
    made = reserve_for(api, 1_000, user="alice").json()
    assert [api.delete(f"/v1/reservations/{made['id']}").json()["status"] for _ in range(2)] == ["released"] * 2
    assert tokens_of(api, "month", user="alice") == (0, 0, 0)
    assert reserve_for(api, 1_000, user="alice").status_code == 200
    clock.clock_shift_s = LIFE_S + 1

    assert tokens_of(api, "month", user="alice") == (0, 0, 0)
    assert reserve_for(api, 1_000, user="alice").status_code == 200
    assert tokens_of(api, "month", user="alice") == (0, 1_000, 0)


def test_a_settlement_after_the_end_counts_once_for_the_user(api: httpx.Client, clock: LocalUpstash) -> None:
    late = reserve_for(api, 600, user="alice").json()
    clock.clock_shift_s = LIFE_S + 1
    reserve_for(api, 900, user="alice")
    answers = [settle(api, late, 600).json()["overrun"]["tokens"] for _ in range(2)]

    assert answers == [600, 600]
    assert tokens_of(api, "month", user="alice") == tokens(api, "month") == (600, 900, 600)


def test_an_idempotency_key_reserves_once_for_the_user(api: httpx.Client) -> None:
    same = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first, again = (reserve_for(api, 100, user="alice", **same) for _ in range(2))
    other = reserve_for(api, 100, user="bob", **same)

    assert first.json() == again.json()
    assert other.status_code == 422
    assert (tokens_of(api, user="alice"), tokens_of(api, user="bob")) == ((0, 100, 0), (0, 0, 0))


def test_an_instance_that_did_not_reserve_settles_and_releases_for_the_user(
    api: httpx.Client, make_api: Callable[[], httpx.Client]
) -> None:
    first, second = (reserve_for(api, 100, user="alice", agent=agent).json() for agent in ("bot", "other"))
    cold = make_api()
    assert settle(cold, first, 70).status_code == 200
    assert cold.delete(f"/v1/reservations/{second['id']}").status_code == 200

    assert tokens(api) == tokens_of(api, user="alice") == tokens_of(api, agent="bot") == (70, 0, 0)
    assert tokens_of(api, agent="other") == (0, 0, 0)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"user": ""}, "user"),
        ({"user": "x" * 129}, "user"),
        ({"user": 5}, "user"),
        ({"user": "a\nb"}, "user"),
        ({"agent": ["bot"]}, "agent"),
        ({"agent": "\u007f"}, "agent"),
    ],
)
def test_a_wrong_name_is_refused_and_nothing_is_reserved(api: httpx.Client, body: Any, param: str) -> None:
    answer = api.post("/v1/reservations", json={"tokens": 1, **body})

    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert tokens(api) == (0, 0, 0)


@pytest.mark.parametrize(
    ("query", "param"),
    [({"user": ""}, "user"), ({"agent": "a\tb"}, "agent"), ({"user": "a", "agent": "b"}, "agent"), ({"of": "a"}, "of")],
)
def test_usage_of_a_wrong_name_is_refused(api: httpx.Client, query: dict[str, str], param: str) -> None:
    answer = api.get("/v1/usage", params=query)

    assert (answer.status_code, answer.json()["param"]) == (400, param)


def test_any_name_of_characters_will_do(api: httpx.Client) -> None:
    names = ["a b", "r:x u=ff a=ff", "ü" * 128, "{t}", "\u2028", "live 1 2"]
    for name in names:
        settle(api, reserve_for(api, 10, user=name, agent=name).json(), 7)

    assert [tokens_of(api, user=name) for name in names] == [(7, 0, 0)] * len(names)
    assert [tokens_of(api, agent=name) for name in names] == [(7, 0, 0)] * len(names)


def test_what_an_older_release_wrote_down_of_a_reservation_is_made_up_for_or_runs_out(
    api: httpx.Client, run: Any, tenant: str, budget: Any, clock: LocalUpstash
) -> None:
    """It leaves out whose a reservation is where it changes it, and knows of no books but the tenant's."""
    budget(per_user=["tokens-month=1000"])
    name = tenant_key(tenant)
    lowered, settled, live = (reserve_for(api, 300, user="alice", agent="bot").json()["id"] for _ in range(3))
    for each in (lowered, settled):
        value = run("HGET", name, f"r:{each}")
        assert re.search(r" - u=[0-9a-f]{32} a=[0-9a-f]{32}$", value)
        run("HSET", name, f"r:{each}", value.partition(" u=")[0])
    # Of one it gave back a part, and this release settles it; another it settled, and took its field out.
    assert settle(api, {"id": lowered}, 120).status_code == 200
    old = run("HGET", name, f"r:{settled}").replace("live", "settled", 1) + " 150 0 0 0 0"
    run("HSET", reservation_records_key(tenant, settled.split("_")[1]), settled, old)
    run("HDEL", name, f"r:{settled}")
    run("ZREM", reservations_key(tenant), settled)

    assert tokens_of(api, "month", user="alice") == tokens_of(api, "month", agent="bot") == (120, 600, 0)
    assert settle(api, {"id": settled}, 150).status_code == 200
    assert reserve_for(api, 281, user="alice").status_code == 429
    assert reserve_for(api, 280, user="alice").status_code == 200
    clock.clock_shift_s = LIFE_S + 1
    assert tokens_of(api, "month", user="alice") == tokens_of(api, "month", agent="bot") == (120, 0, 0)
    assert reserve_for(api, 880, user="alice").status_code == 200
    assert api.delete(f"/v1/reservations/{live}").json()["status"] == "expired"
    assert tokens_of(api, "month", user="alice") == (120, 880, 0)
