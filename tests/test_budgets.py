"""Budgets over HTTP: reserve, settle, release, expire; what a refusal says; what retries and latecomers change."""

from datetime import date as date_type
from datetime import timedelta
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.request.caller import read_key
from shared.store.keys import tenant_key
from tests.budget_calls import reserve, settle, tokens
from tests.instances import running_instance

DAY_S = 86_400
LIFE_S = 600
PRICES = {"price": ["gpt-4o=2.5,10"]}
CALL = {"model": "gpt-4o", "input_tokens": 1_000, "max_output_tokens": 100}


def test_a_reservation_is_settled_with_what_was_used(api: httpx.Client, budget: Any) -> None:
    budget(tokens_day="1000", tokens_month="5000")
    reserved = reserve(api, 600).json()
    during = tokens(api)
    settled = settle(api, reserved, 450).json()

    assert (reserved["object"], reserved["tokens"], reserved["usd"]) == ("reservation", 600, 0)
    assert during == (0, 600, 0)
    assert (settled["status"], settled["tokens"], settled["overrun"]) == ("settled", 450, {"tokens": 0, "usd": 0})
    assert tokens(api) == tokens(api, "month") == (450, 0, 0)
    usage = api.get("/v1/usage").json()
    assert (usage["day"]["tokens"]["limit"], usage["month"]["tokens"]["limit"]) == (1000, 5000)


def test_a_refusal_names_the_window_and_when_it_resets_and_is_not_retried(api: httpx.Client, budget: Any) -> None:
    budget(tokens_day="5000", tokens_month="1000")
    assert reserve(api, 700).status_code == 200
    refused = reserve(api, 301)
    problem = refused.json()

    assert refused.status_code == 429
    assert refused.headers["x-should-retry"] == "false"
    assert 0 < int(refused.headers["retry-after"]) <= 31 * DAY_S
    assert problem["type"].endswith("#quota-exceeded")
    assert (problem["violated-policies"], problem["error"]["type"]) == (["tokens-month"], "insufficient_quota")
    assert [problem[name] for name in ("limit", "settled", "reserved", "asked")] == [1000, 0, 700, 301]
    assert tokens(api) == (0, 700, 0)
    assert reserve(api, 300).status_code == 200


def test_a_model_is_priced_and_shown_by_itself(api: httpx.Client, budget: Any) -> None:
    budget(usd_day="0.004", **PRICES)
    reserved = api.post("/v1/reservations", json=CALL).json()
    refused = api.post("/v1/reservations", json=CALL)
    used = {"model": "gpt-4o", "input_tokens": 1_000, "output_tokens": 50}
    settled = api.post(f"/v1/reservations/{reserved['id']}/settle", json=used).json()
    usage = api.get("/v1/usage").json()

    assert (reserved["tokens"], reserved["usd"]) == (1_100, 0.0035)
    assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["usd-day"])
    assert settled["usd"] == usage["day"]["usd"]["settled"] == 0.003
    assert usage["models"] == {"gpt-4o": {"input_tokens": 1_000, "output_tokens": 50, "usd": 0.003, "settlements": 1}}


def test_money_without_a_price_is_refused_where_it_is_limited(api: httpx.Client, budget: Any) -> None:
    assert reserve(api, 10).status_code == 200
    budget(usd_day="1")

    assert api.post("/v1/reservations", json={**CALL, "model": "unknown"}).status_code == 400
    assert api.post("/v1/reservations", json={"tokens": 10, "usd": 0.5}).json()["usd"] == 0.5


def test_the_same_settlement_again_changes_nothing_and_another_one_is_refused(api: httpx.Client) -> None:
    reserved = reserve(api, 100).json()
    first, again, other = settle(api, reserved, 80), settle(api, reserved, 80), settle(api, reserved, 90)

    assert first.json() == again.json()
    assert (other.status_code, other.json()["settled_tokens"]) == (409, 80)
    assert tokens(api) == (80, 0, 0)


def test_use_above_the_reservation_is_overrun_and_blocks_what_comes_next(api: httpx.Client, budget: Any) -> None:
    budget(tokens_day="1000")
    settled = settle(api, reserve(api, 500).json(), 1_200).json()

    assert settled["overrun"]["tokens"] == 700
    assert tokens(api) == (1_200, 0, 700)
    assert reserve(api, 1).status_code == 429


def test_a_released_reservation_is_free_again_and_only_once(api: httpx.Client) -> None:
    path = f"/v1/reservations/{reserve(api, 100).json()['id']}"
    answers = [api.delete(path).json()["status"] for _ in range(2)]

    assert answers == ["released", "released"]
    assert tokens(api) == (0, 0, 0)


def test_a_late_release_does_not_undo_a_settlement(api: httpx.Client) -> None:
    reserved = reserve(api, 100).json()
    settle(api, reserved, 100)
    answer = api.delete(f"/v1/reservations/{reserved['id']}")

    assert (answer.status_code, answer.json()["status"]) == (200, "settled")
    assert tokens(api) == (100, 0, 0)


def test_a_reservation_ends_by_itself(api: httpx.Client, budget: Any, clock: LocalUpstash) -> None:
    budget(tokens_day="1000000", tokens_month="1000")
    reserve(api, 1_000)
    assert reserve(api, 1).status_code == 429
    clock.clock_shift_s = LIFE_S + 1

    assert tokens(api, "month") == (0, 0, 0)
    assert reserve(api, 1_000).status_code == 200


def test_a_settlement_after_the_end_counts_in_full_once_as_overrun(
    api: httpx.Client, budget: Any, clock: LocalUpstash
) -> None:
    budget(tokens_month="1000")
    late = reserve(api, 600).json()
    clock.clock_shift_s = LIFE_S + 1
    reserve(api, 900)
    answers = [settle(api, late, 600).json()["overrun"]["tokens"] for _ in range(2)]

    assert answers == [600, 600]
    assert tokens(api, "month") == (600, 900, 600)
    assert reserve(api, 1).status_code == 429


def test_a_settlement_counts_in_the_window_where_it_was_reserved(
    api: httpx.Client, budget: Any, clock: LocalUpstash
) -> None:
    budget(tokens_day="1000")
    shown = api.get("/v1/usage").json()["day"]
    midnight_s = shown["resets_at"]
    with httpx.Client(base_url=api.base_url, headers=api.headers) as client:
        now_s = client.post("/v1/reservations", json={"tokens": 0}).json()["expires_at"] - LIFE_S
        clock.clock_shift_s = midnight_s - now_s - 100
        before = reserve(client, 1_000).json()
        clock.clock_shift_s = midnight_s - now_s + 100
        after = reserve(client, 1_000)
        settle(client, before, 1_000)

    assert after.status_code == 200
    assert tokens(api) == (0, 1_000, 0)
    assert api.get("/v1/usage").json()["day"]["window"] != shown["window"]


def test_months_end_with_their_calendar(api: httpx.Client, clock: LocalUpstash) -> None:
    seen = {}
    now_s = reserve(api, 0).json()["expires_at"] - LIFE_S
    for day in range(0, 800, 13):
        clock.clock_shift_s = day * DAY_S
        seen[now_s // DAY_S + day] = api.get("/v1/usage").json()

    for days, usage in seen.items():
        date = date_type.fromordinal(719_163 + days)
        assert usage["day"]["window"] == f"{date:%Y%m%d}"
        assert usage["month"]["window"] == f"{date:%Y%m}"
        assert usage["day"]["resets_at"] == (days + 1) * DAY_S
        following = (date.replace(day=28) + timedelta(days=4)).replace(day=1)
        assert usage["month"]["resets_at"] == (following.toordinal() - 719_163) * DAY_S


def test_old_windows_go_away(api: httpx.Client, run: Any, key: str, clock: LocalUpstash) -> None:
    for day in range(0, 160, 2):
        clock.clock_shift_s = day * DAY_S
        assert reserve(api, 1).status_code == 200
    names = run("HKEYS", tenant_key(read_key(key).tenant))

    assert len([name for name in names if name.startswith("w:")]) <= 71


def test_an_idempotency_key_reserves_once(api: httpx.Client) -> None:
    same = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first, again, other = reserve(api, 100, **same), reserve(api, 100, **same), reserve(api, 200, **same)

    assert first.json() == again.json()
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert tokens(api) == (0, 100, 0)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input_tokens"),
        ({"tokens": -1}, "tokens"),
        ({"tokens": 1, "input_tokens": 1}, "tokens"),
        ({"tokens": True}, "tokens"),
        ({"input_tokens": 1}, "max_output_tokens"),
        ({"tokens": 1, "usd": -1}, "usd"),
        ({"tokens": 1, "usd": "1"}, "usd"),
        ({"tokens": 1, "model": "a b"}, "model"),
        ({"tokens": 1, "ttl": 5}, "ttl"),
    ],
)
def test_a_wrong_reservation_names_its_field(api: httpx.Client, body: dict[str, Any], param: str) -> None:
    answer = api.post("/v1/reservations", json=body)

    assert (answer.status_code, answer.json()["param"]) == (400, param)


@pytest.mark.parametrize("name", ["rsv_1", "rsv_7ccc0_r" + "0" * 32, "x" * 100, "..%2f"])
def test_an_unknown_reservation_is_not_found(api: httpx.Client, name: str) -> None:
    assert api.post(f"/v1/reservations/{name}/settle", json={"tokens": 1}).status_code == 404
    assert api.delete(f"/v1/reservations/{name}").status_code == 404


def test_another_tenants_reservation_does_not_exist(api: httpx.Client, other_api: httpx.Client) -> None:
    reserved = reserve(api, 100).json()

    assert settle(other_api, reserved, 100).status_code == 404
    assert tokens(api) == (0, 100, 0)


@pytest.mark.parametrize("setting", ["closed", "open"])
def test_with_the_store_away_spending_is_refused_unless_the_setting_says_otherwise(
    upstash: LocalUpstash, key: str, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    with FaultyServer(upstash.url) as server:
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
        monkeypatch.setenv("WARMTHREAD_STORE_TIMEOUT_S", "2")
        monkeypatch.setenv("WARMTHREAD_BUDGET_OUTAGE", setting)
        with running_instance() as url, httpx.Client(base_url=url, timeout=30) as client:
            client.headers["authorization"] = f"Bearer {key}"
            assert client.get("/v1/usage").status_code == 200
            server.fault = Fault.REFUSE_400
            answer = reserve(client, 100)
            server.fault = Fault.NONE
            if setting == "closed":
                assert answer.status_code == 503
                assert tokens(client) == (0, 0, 0)
            else:
                assert answer.json()["recorded"] is False
                assert [settle(client, answer.json(), 70).status_code for _ in range(2)] == [200, 200]
                assert tokens(client) == (70, 0, 70)
