"""What operators see of keys and tenants: labels, when a key was used last, and what every tenant has."""

import asyncio
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.environment import read_settings
from shared.process.ending import Ending
from shared.request.caller import Caller, make_key, read_key
from shared.request.key_uses import HOUR_S, KeyUses
from shared.store.keys import TENANTS_KEY, activity_key, tenant_key
from shared.store.upstash import Store
from shared.telemetry.last_uses import telling_uses
from shared.telemetry.telemetry import Sources, Telemetry
from tests.half_way import failures, wait_until
from tests.instances import client_of
from tests.keys_script import run_keys as keys

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def tenant(upstash: LocalUpstash) -> str:
    return f"t{uuid4().hex[:20]}"


def described(tenant: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(keys("list", tenant, "--json"))
    return found


def test_a_label_is_shown_changed_kept_by_rotation_and_goes_with_its_key(tenant: str, run: Any) -> None:
    key = keys("create", tenant, "--label", "CI of the site")
    digest = read_key(key).key_hash
    assert keys("list", tenant).splitlines()[0] == f"{digest}  full  CI of the site"
    new = read_key(keys("rotate", key, "--overlap", "100")).key_hash
    keys("label", digest, "old CI", "--tenant", tenant)

    assert described(tenant)["labels"] == {digest: "old CI", new: "CI of the site"}
    line = next(line for line in keys("list", tenant).splitlines() if line.startswith(digest))
    assert line.startswith(f"{digest}  full  old CI  ends 20")
    keys("label", key, "")
    assert described(tenant)["labels"] == {new: "CI of the site"}
    keys("revoke", new, "--tenant", tenant)
    keys("revoke", key)
    assert [name for name in run("HKEYS", tenant_key(tenant)) if name.startswith(("k:", "label:", "used:"))] == []


@pytest.mark.parametrize("label", ["x" * 65, "two\nlines", " padded", "\x1b[31m", "of wt_acme_Abcdefgh12"])
def test_a_wrong_label_is_refused_and_nothing_is_made(tenant: str, label: str) -> None:
    keys("create", tenant, "--label", label, status=2)

    assert "there is no tenant" in keys("list", tenant, status=1)


def test_a_label_needs_a_key(tenant: str) -> None:
    assert keys("label", make_key(tenant), "CI", status=1) == "there is no such key"


def test_a_label_leaves_a_key_as_it_is_for_older_releases(tenant: str, run: Any) -> None:
    key = keys("create", tenant, "--label", "CI")

    assert run("HGET", tenant_key(tenant), f"k:{read_key(key).key_hash}") == "0"


def test_every_tenant_is_listed_with_what_it_has(service_url: str, run: Any) -> None:
    names = sorted(f"t{uuid4().hex[:20]}" for _ in range(130))
    run("HSET", TENANTS_KEY, *[part for name in names for part in (name, "")])
    first = names[0]
    each = ["--per-user", "rate=60", "--per-user", "burst=10", "--per-user", "usd-month=0.5"]
    key = keys("create", first, "--rate", "600", "--burst", "100", "--usd-month", "2.5", "--bytes", "5MB", *each)
    keys("create", first)
    with client_of(service_url, key) as api:
        for _ in range(3):
            body = {"items": [{"role": "user", "content": "text " * 5_000}]}
            assert api.post("/v1/conversations", json=body).status_code == 200
        usage = api.get("/v1/usage").json()["stored"]
    # Live reservations stand beside the keys.
    run("HSET", tenant_key(first), *[part for at in range(3_000) for part in (f"r:{at}", "x")])
    found = [json.loads(line) for line in keys("tenants", "--json").splitlines()]
    by_name = {each["tenant"]: each for each in found}

    assert len(by_name) == len(found)
    assert set(names) <= by_name.keys()
    assert usage["conversations"] == 3
    assert 49_152 <= usage["bytes"] < 100_000
    assert by_name[first] == {
        "tenant": first,
        "keys": 2,
        "roles": {"full": 2},
        "conversations": 3,
        "bytes_used": usage["bytes"],
        "rate": 600,
        "burst": 100,
        **dict.fromkeys(("tokens-day", "tokens-month", "usd-day")),
        "usd-month": 2.5,
        "bytes": 5_000_000,
        "per_user": {"rate": 60, "burst": 10, "usd-month": 0.5},
        "per_agent": None,
    }
    [line] = [line for line in keys("tenants").splitlines() if line.startswith(first)]
    assert line.startswith(
        f"{first}  keys 2 (2 full)  conversations 3  bytes {usage['bytes']}  rate 600, burst 100, usd-month 2.5"
    )
    assert line.endswith("bytes 5000000, per user rate 60, per user burst 10, per user usd-month 0.5")
    assert f"{names[1]}  keys 0  conversations 0  bytes 0  no limits" in keys("tenants").splitlines()


def test_no_command_goes_through_all_names(tenant: str, upstash: LocalUpstash, run: Any) -> None:
    keys("create", tenant)
    before = run("INFO", "commandstats")
    keys("tenants")
    after = run("INFO", "commandstats")

    for name in ("keys", "scan", "hgetall", "smembers"):
        assert _calls(after, name) == _calls(before, name)


def _calls(stats: str, name: str) -> int:
    return sum(
        int(line.partition("calls=")[2].partition(",")[0])
        for line in stats.splitlines()
        if line.startswith(f"cmdstat_{name}:")
    )


def test_usage_counts_the_conversations_of_all_shards(api: httpx.Client, run: Any, key: str) -> None:
    tenant = read_key(key).tenant
    ids = [api.post("/v1/conversations").json()["id"] for _ in range(5)]
    api.delete(f"/v1/conversations/{ids[0]}")
    assert api.get("/v1/usage").json()["stored"] == {
        "bytes": 0,
        "limit_bytes": 10 * 1_073_741_824,
        "conversations": 4,
    }
    # As the sweep spreads them.
    run("HSET", tenant_key(tenant), "shards", "2")
    run("ZADD", activity_key(tenant, 1), 1, "conv_x")
    assert api.get("/v1/usage").json()["stored"]["conversations"] == 5


def test_the_last_use_of_a_key_is_told_with_the_counts_and_once_an_hour(
    deployment: str, make_api: Callable[[], httpx.Client], upstash: LocalUpstash, run: Any, key: str
) -> None:
    caller, name = read_key(key), f"used:{read_key(key).key_hash}"
    api = make_api()
    upstash.reset()
    assert api.get("/v1/usage").status_code == 200
    wait_until(lambda: run("HGET", tenant_key(caller.tenant), name) is not None)
    told = int(run("HGET", tenant_key(caller.tenant), name))

    assert told % HOUR_S == 0
    assert 0 <= time.time() - told < HOUR_S + 60
    assert described(caller.tenant)["last_used"] == {caller.key_hash: told}
    assert f"used {time.strftime('%Y-%m-%d', time.gmtime(told))}" in keys("list", caller.tenant)


async def test_last_uses_make_no_request_of_their_own(
    deployment: str, server: FaultyServer, monkeypatch: pytest.MonkeyPatch, run: Any, mint: Callable[[], str]
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
    settings, uses = read_settings(), KeyUses()
    store = Store(settings)
    callers = [read_key(mint()) for _ in range(3)]
    telemetry = Telemetry(store, settings, Sources(dict, dict), 0, Ending(), beside=partial(telling_uses, store, uses))
    for caller in callers:
        uses.note(caller)
    await telemetry.flush()
    sent = server.requests
    await telemetry.flush()
    await store.close()

    assert (sent, server.requests) == (1, 2)
    for caller in callers:
        assert int(run("HGET", tenant_key(caller.tenant), f"used:{caller.key_hash}")) % HOUR_S == 0


async def test_last_uses_are_written_once_an_hour_whole_or_not_at_all(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, run: Any, mint: Callable[[], str]
) -> None:
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
    store, now_s = Store(read_settings()), 1_700_000_000.0
    caller = read_key(mint())
    name, gone = tenant_key(caller.tenant), Caller(caller.tenant, "0" * 64)

    def used() -> str | None:
        found: str | None = run("HGET", name, f"used:{caller.key_hash}")
        return found

    async def tell() -> None:
        uses = KeyUses(lambda: now_s)
        for each in (caller, gone):
            uses.note(each)
        await asyncio.gather(*telling_uses(store, uses))

    for nth in failures(server, "key_uses"):
        before = used()
        now_s += HOUR_S
        await tell()
        assert used() == (before if nth == 1 else str(int(now_s) // HOUR_S * HOUR_S))
    written = used()
    now_s -= 3 * HOUR_S  # The clock of another instance.
    await tell()
    await store.close()
    assert used() == written
    # One that is no key has no last use.
    assert run("HEXISTS", name, f"used:{gone.key_hash}") == 0


def test_a_key_is_told_of_once_an_hour_and_callers_wait_for_their_turn() -> None:
    now_s = [7_200.0]
    uses = KeyUses(lambda: now_s[0])
    callers = [Caller(f"t{at}", "a" * 64) for at in range(3)]
    for caller in (*callers, *callers):
        uses.note(caller)

    assert uses.take(2) == (7_200, {"t0": ["a" * 64], "t1": ["a" * 64]})
    for caller in callers:
        uses.note(caller)
    assert uses.take(2) == (7_200, {"t2": ["a" * 64]})
    assert uses.take(2) == (7_200, {})
    now_s[0] += HOUR_S
    uses.note(callers[0])
    assert uses.take(2) == (10_800, {"t0": ["a" * 64]})
