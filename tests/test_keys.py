"""scripts/keys: what it makes, replaces, sets and shows."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from scripts.local.tenants import WrongValue, read_limits
from scripts.local.upstash import LocalUpstash
from shared.request.caller import read_key
from tests.keys_script import run_keys as keys

pytestmark = pytest.mark.unmeasured

LIMITS = ["--rate", "600", "--burst", "100", "--tokens-day", "100000", "--tokens-month", "2000000"]
LIMITS += ["--usd-day", "5", "--usd-month", "100"]


@pytest.fixture
def tenant(upstash: LocalUpstash) -> str:
    return f"t{uuid4().hex[:20]}"


@pytest.fixture
def status(service_url: str) -> Any:
    """Return the status that a request with a key gets."""
    return lambda key: (
        httpx.get(f"{service_url}/v1/conversations", headers={"authorization": f"Bearer {key}"}).status_code
    )


def test_a_key_is_made_with_limits_and_listed_without_its_secret(tenant: str, status: Any) -> None:
    made = json.loads(keys("create", tenant, *LIMITS, "--price", "gpt-4o=2.5,10", "--json"))
    shown = keys("list", tenant, "--json")

    assert made.keys() == {"tenant", "key"}
    assert status(made["key"]) == 200
    assert made["key"] not in shown
    assert json.loads(shown) == {
        "tenant": tenant,
        "keys": [read_key(made["key"]).key_hash],
        "roles": {read_key(made["key"]).key_hash: "full"},
        "ends_at": {},
        "labels": {},
        "last_used": {},
        "rate": 600,
        "burst": 100,
        "tokens-day": 100_000,
        "tokens-month": 2_000_000,
        "usd-day": 5.0,
        "usd-month": 100.0,
        "bytes": None,
        "per_user": None,
        "per_agent": None,
        "bytes_used": 0,
        "prices": {"gpt-4o": [2.5, 10.0]},
    }


def test_a_limit_is_changed_and_taken_away_alone(tenant: str) -> None:
    keys("create", tenant, *LIMITS)
    keys("set", tenant, "--tokens-day", "5", "--usd-day", "none", "--rate", "none")
    shown = json.loads(keys("list", tenant, "--json"))

    assert (shown["tokens-day"], shown["usd-day"], shown["rate"], shown["usd-month"]) == (5, None, None, 100.0)


def test_limits_of_each_user_and_agent_are_set_and_taken_away_alone(tenant: str) -> None:
    keys("create", tenant, *LIMITS, "--per-user", "rate=60", "--per-user", "tokens-day=500", "--per-agent", "usd-day=2")
    made = json.loads(keys("list", tenant, "--json"))
    keys("set", tenant, "--per-user", "tokens-day=none", "--per-user", "usd-month=1.5", "--per-agent", "usd-day=none")
    shown = json.loads(keys("list", tenant, "--json"))

    assert (made["per_user"], made["per_agent"]) == ({"rate": 60, "burst": 10, "tokens-day": 500}, {"usd-day": 2.0})
    assert (shown["per_user"], shown["per_agent"]) == ({"rate": 60, "burst": 10, "usd-month": 1.5}, None)
    assert (shown["tokens-day"], shown["rate"]) == (made["tokens-day"], made["rate"]) == (100_000, 600)


def test_a_rotated_key_overlaps_with_its_successor_and_then_ends(
    tenant: str, status: Any, upstash: LocalUpstash
) -> None:
    old = keys("create", tenant)
    new = keys("rotate", old, "--overlap", "100")
    during = [status(old), status(new)]
    upstash.clock_shift_s = 200
    after = [status(old), status(new)]
    upstash.clock_shift_s = 0

    assert (during, after) == ([200, 200], [401, 200])
    assert list(json.loads(keys("list", tenant, "--json"))["ends_at"]) == [read_key(old).key_hash]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "0"],
        ["--rate", "fast"],
        ["--burst", "5"],
        ["--tokens-day", "-1"],
        ["--usd-day", "0.0000001"],
        ["--usd-month", "NaN"],
        ["--price", "gpt-4o"],
        ["--price", "gpt-4o=1"],
        ["--price", "bad name=1,2"],
        ["--per-user", "rate"],
        ["--per-user", "rate=fast"],
        ["--per-user", "burst=5"],
        ["--per-user", "bytes=5MB"],
        ["--per-agent", "usd-day=0.0000001"],
        ["--per-agent", "=5"],
    ],
)
def test_a_wrong_limit_is_refused_and_nothing_is_made(tenant: str, arguments: list[str]) -> None:
    keys("create", tenant, *arguments, status=2)

    assert "there is no tenant" in keys("list", tenant, "--json", status=1)


def test_money_is_kept_to_the_millionth() -> None:
    assert read_limits({"usd_day": "0.000001"}) == {"limit:usd-day": "1"}
    with pytest.raises(WrongValue):
        read_limits({"usd_day": "1e-7"})


def test_a_tenant_is_new_only_where_that_is_asked_for(tenant: str) -> None:
    refused = keys("set", tenant, "--tokens-day", "5", status=1)
    assert refused == f"there is no tenant {tenant}: scripts/keys create {tenant} makes it; --new sets it all the same"
    assert keys("list", tenant, status=1) == f"there is no tenant {tenant}: scripts/keys create {tenant} makes it"

    keys("set", tenant, "--tokens-day", "5", "--new")
    assert json.loads(keys("list", tenant, "--json"))["tokens-day"] == 5
    keys("revoke", keys("create", tenant))
    keys("set", tenant, "--tokens-day", "none")
    assert json.loads(keys("list", tenant, "--json"))["keys"] == []


def test_a_wrong_setting_that_keys_do_not_need_does_not_stop_them(tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRON_SECRET", "abc")
    assert keys("create", tenant).startswith("wt_")

    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "redis://x")
    refused = keys("list", tenant, status=1)
    assert "UPSTASH_REDIS_REST_URL must be an address that begins with https:// or http://" in refused
    assert "\n" not in refused
