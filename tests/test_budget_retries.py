"""What comes twice is done once: grants by their Idempotency-Key, settlements by their numbers, contexts by both."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.budgets.amounts import priced
from shared.budgets.reservations import UNRECORDED, make_id
from shared.request.caller import read_key
from shared.store.keys import reservations_key, tenant_key
from tests.budget_calls import reserve, settle, tokens, wait_until

LIFE_S = 600
SAME = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
ITEMS = {"items": [{"role": "user", "content": "Which gate does the flight leave from?"}]}
ANSWER = {"items": [{"role": "assistant", "content": "Gate 12."}]}
FOR_CALL = {"model": "gpt-4o", "budget": 1_000, "reserve_output": 200, "format": "chat", "reserve": True}
USED = {"usage": {"input_tokens": 20, "output_tokens": 5}}


@pytest.fixture
def path(api: httpx.Client) -> str:
    return f"/v1/conversations/{api.post('/v1/conversations', json=ITEMS).json()['id']}"


def usd(api: httpx.Client, name: str) -> Any:
    return api.get("/v1/usage").json()["day"]["usd"][name]


def settled_by_append(api: httpx.Client, path: str, reservation: str, **headers: str) -> httpx.Response:
    return api.post(f"{path}/items", json={**ANSWER, **USED, "reservation": reservation}, headers=headers)


def expire(api: httpx.Client, made: Any, clock: LocalUpstash) -> None:
    clock.clock_shift_s = LIFE_S + 1


def give_back(api: httpx.Client, made: Any, clock: LocalUpstash) -> None:
    expire(api, made, clock)
    reserve(api, 1)


ENDS: dict[str, Callable[[httpx.Client, Any, LocalUpstash], object]] = {
    "settled": lambda api, made, _: settle(api, made, 10),
    "released": lambda api, made, _: api.delete(f"/v1/reservations/{made['id']}"),
    "expired": expire,
    "expired, and given back": give_back,
}


@pytest.mark.parametrize("end", ENDS)
def test_a_grant_whose_life_is_over_is_not_granted_again(api: httpx.Client, clock: LocalUpstash, end: str) -> None:
    made = reserve(api, 100, **SAME).json()
    ENDS[end](api, made, clock)
    before = tokens(api)
    refused = reserve(api, 100, **SAME)
    problem = refused.json()

    assert (refused.status_code, problem["type"]) == (409, "urn:warmthread:problem:reservation-ended")
    assert (problem["reservation"], problem["param"]) == (made["id"], "Idempotency-Key")
    assert refused.headers["x-should-retry"] == "false"
    assert tokens(api) == before


def test_a_replayed_grant_says_so(api: httpx.Client) -> None:
    first, again = reserve(api, 100, **SAME), reserve(api, 100, **SAME)

    assert first.json() == again.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


def test_a_context_with_a_key_reserves_once_and_is_that_of_the_log_as_it_is(api: httpx.Client, path: str) -> None:
    first = api.post(f"{path}/context", json=FOR_CALL, headers=SAME).json()
    wait_until(lambda: tokens(api) == (0, first["tokens"] + 200, 0))
    api.post(f"{path}/items", json=ITEMS)
    again = api.post(f"{path}/context", json=FOR_CALL, headers=SAME)

    assert again.json()["reservation"] == first["reservation"]
    assert len(again.json()["messages"]) == len(first["messages"]) + 1
    assert again.headers["idempotency-replayed"] == "true"
    assert tokens(api) == (0, first["tokens"] + 200, 0)


def test_a_context_with_a_key_is_of_one_body(api: httpx.Client, path: str) -> None:
    first = api.post(f"{path}/context", json=FOR_CALL, headers=SAME).json()
    other = api.post(f"{path}/context", json={**FOR_CALL, "budget": 900}, headers=SAME)

    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    wait_until(lambda: tokens(api) == (0, first["tokens"] + 200, 0))


def test_a_context_whose_reservation_is_over_is_refused(api: httpx.Client, path: str) -> None:
    first = api.post(f"{path}/context", json=FOR_CALL, headers=SAME).json()
    settled_by_append(api, path, first["reservation"]["id"])
    refused = api.post(f"{path}/context", json=FOR_CALL, headers=SAME)

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "reservation_ended")
    assert tokens(api) == (25, 0, 0)


def test_a_context_that_was_refused_leaves_no_trace_of_its_key(api: httpx.Client, path: str) -> None:
    small = {**FOR_CALL, "budget": 5}
    refused = [api.post(f"{path}/context", json=small, headers=SAME).status_code for _ in range(2)]

    assert refused == [422, 422]
    assert api.post(f"{path}/context", json=FOR_CALL, headers=SAME).status_code == 200


def test_a_settlement_with_other_money_is_refused(api: httpx.Client) -> None:
    made = api.post("/v1/reservations", json={"tokens": 100, "usd": 1}).json()
    path = f"/v1/reservations/{made['id']}/settle"
    first, again, without, other = (
        api.post(path, json={"tokens": 100} | money) for money in ({"usd": 0.5}, {"usd": 0.5}, {}, {"usd": 0.7})
    )

    assert first.json() == again.json() == without.json()
    assert (other.status_code, other.json()["settled_usd"]) == (409, 0.5)
    assert other.headers["x-should-retry"] == "false"
    assert usd(api, "settled") == 0.5


def test_a_settlement_of_another_model_is_refused_and_another_price_changes_nothing(
    api: httpx.Client, budget: Any
) -> None:
    budget(price=["gpt-4o=2.5,10", "gpt-4o-mini=0.15,0.6"])
    asked = {"model": "gpt-4o", "input_tokens": 1_000, "max_output_tokens": 100}
    path = f"/v1/reservations/{api.post('/v1/reservations', json=asked).json()['id']}/settle"
    used = {"input_tokens": 1_000, "output_tokens": 50}
    first = api.post(path, json=used)
    budget(price=["gpt-4o=5,20"])
    again, named, other = (
        api.post(path, json=used | said) for said in ({}, {"model": "gpt-4o"}, {"model": "gpt-4o-mini"})
    )

    assert first.json() == again.json() == named.json()
    assert other.status_code == 409


def test_an_append_with_another_settlement_is_refused_and_appends_nothing(api: httpx.Client, path: str) -> None:
    made = reserve(api, 100).json()
    settle(api, made, 90)
    refused = settled_by_append(api, path, made["id"])

    assert (refused.status_code, refused.json()["settled_tokens"]) == (409, 90)
    assert len(api.get(f"{path}/items").json()["data"]) == 1
    assert tokens(api) == (90, 0, 0)


def test_an_append_with_the_settlement_that_stands_is_done(api: httpx.Client, path: str) -> None:
    made = reserve(api, 100).json()
    api.post(f"/v1/reservations/{made['id']}/settle", json={"input_tokens": 20, "output_tokens": 5})

    assert settled_by_append(api, path, made["id"]).status_code == 200
    assert len(api.get(f"{path}/items").json()["data"]) == 2
    assert tokens(api) == (25, 0, 0)


def test_an_append_that_settles_comes_twice_and_is_done_once(api: httpx.Client, path: str) -> None:
    made = reserve(api, 100).json()
    first, again = (settled_by_append(api, path, made["id"], **SAME) for _ in range(2))

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert tokens(api) == (25, 0, 0)


def test_an_append_settles_what_was_granted_while_the_store_was_away(api: httpx.Client, path: str) -> None:
    unrecorded = make_id(UNRECORDED)

    assert [settled_by_append(api, path, unrecorded, **SAME).status_code for _ in range(2)] == [200, 200]
    assert tokens(api) == (25, 0, 25)
    assert settle(api, {"id": unrecorded}, 30).status_code == 409


def test_without_its_model_such_a_one_cannot_be_priced(api: httpx.Client, path: str, budget: Any) -> None:
    budget(usd_day="1", price=["gpt-4o=2.5,10"])
    unrecorded = make_id(UNRECORDED)
    refused = settled_by_append(api, path, unrecorded)
    used = {"model": "gpt-4o", "input_tokens": 20, "output_tokens": 5}
    settled = api.post(f"/v1/reservations/{unrecorded}/settle", json=used)

    assert (refused.status_code, refused.json()["param"]) == (400, "reservation")
    assert settled.status_code == 200
    assert settled_by_append(api, path, unrecorded).status_code == 200
    assert len(api.get(f"{path}/items").json()["data"]) == 2
    assert usd(api, "settled") == settled.json()["usd"] == 0.0001


def test_answers_are_what_usage_shows(api: httpx.Client, path: str, budget: Any) -> None:
    budget(usd_day="1", price=["gpt-4o=2.123457,9.876543"])

    def shown(name: str) -> dict[str, Any]:
        day = api.get("/v1/usage").json()["day"]
        return {unit: day[unit][name] for unit in ("tokens", "usd")}

    def amount(answer: Any) -> dict[str, Any]:
        return {unit: answer[unit] for unit in ("tokens", "usd")}

    made = api.post(f"{path}/context", json=FOR_CALL).json()["reservation"]
    wait_until(lambda: shown("reserved") == amount(made))
    settled = api.post(f"/v1/reservations/{made['id']}/settle", json={"input_tokens": 777, "output_tokens": 333}).json()
    assert shown("settled") == amount(settled)
    assert shown("overrun") == settled["overrun"]
    assert amount(api.delete(f"/v1/reservations/{made['id']}").json()) == amount(settled)
    asked = {"model": "gpt-4o", "input_tokens": 1_001, "max_output_tokens": 99}
    other = api.post("/v1/reservations", json=asked).json()
    assert shown("reserved") == amount(other)
    released = api.delete(f"/v1/reservations/{other['id']}").json()
    assert shown("reserved") == amount(released) == {"tokens": 0, "usd": 0}


@pytest.mark.parametrize("price", ["2500000 10000000", "1 1", "0 0", "999999 333333", "75000000 600000000000"])
def test_the_service_and_the_store_price_alike(api: httpx.Client, run: Any, key: str, price: str) -> None:
    run("HSET", tenant_key(read_key(key).tenant), "price:m", price)
    for amounts in ((0, 0), (1, 0), (0, 1), (1_000, 7), (128_000, 16_384)):
        asked = {"model": "m", "input_tokens": amounts[0], "max_output_tokens": amounts[1]}
        answer = api.post("/v1/reservations", json=asked).json()
        assert round(answer["usd"] * 1_000_000) == priced(price, *amounts)


def test_many_run_out_together(api: httpx.Client, run: Any, key: str, clock: LocalUpstash) -> None:
    """More than a script gives back in one step; all of it is given back in one request."""
    first = reserve(api, 1).json()
    name, live = tenant_key(read_key(key).tenant), reservations_key(read_key(key).tenant)
    value = run("HGET", name, f"r:{first['id']}").split()
    for start in range(0, 2_500, 500):
        ids = [f"rsv_7ccc0_r{number:032x}" for number in range(start, start + 500)]
        run("HSET", name, *[part for each in ids for part in (f"r:{each}", " ".join(value))])
        run("ZADD", live, *[part for each in ids for part in (value[5], each)])
    for window in value[3:5]:
        run("HSET", name, f"w:{window}", "0 2501 0 0 0 0")
    assert tokens(api) == (0, 2_501, 0)
    clock.clock_shift_s = LIFE_S + 1

    assert tokens(api, "month") == (0, 0, 0)
    assert reserve(api, 5).status_code == 200
    assert tokens(api, "month") == (0, 5, 0)
    assert run("ZCARD", live) == 1
    assert sum(field.startswith("r:") for field in run("HKEYS", name)) == 1


def test_a_lost_answer_of_the_store_reserves_once_with_a_context(
    server: FaultyServer, behind: Callable[..., httpx.Client]
) -> None:
    client = behind()
    path = f"/v1/conversations/{client.post('/v1/conversations', json=ITEMS).json()['id']}"
    server.faults.append(Fault.CLOSE)
    made = client.post(f"{path}/context", json=FOR_CALL).json()["reservation"]

    wait_until(lambda: tokens(client) == (0, made["tokens"], 0))
