"""
What a tenant's conversations take is counted with each write, bounded, and added up by the sweep.
"""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store import keys
from tests.conversations import WRITES, begin, check_bytes, everything, sweep
from tests.keys_script import run_keys
from tests.lives import SETTINGS

pytestmark = pytest.mark.usefixtures("fresh_crons")

PORTION_BYTES = 16_384
GROWING = ("create", "append", "update", "summary", "fork")


@pytest.fixture
def counted(run: Callable[..., Any], tenant: str) -> Callable[[], int]:
    """Return what is counted of the tenant's bytes."""
    return lambda: int(run("HGET", keys.tenant_key(tenant), "bytes") or 0)


@pytest.fixture
def taken(run: Callable[..., Any], tenant: str) -> Callable[[], int]:
    """Return what its conversations take."""
    return lambda: sum(int(run("HGET", name, "b")) for name in run("KEYS", keys.conversation_key(tenant, "*")))


def assert_refused(answer: httpx.Response, limit_bytes: int) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (429, "urn:warmthread:problem:storage-exceeded"), answer.text
    assert (problem["error"]["code"], problem["limit_bytes"]) == ("tenant_bytes_exceeded", limit_bytes)
    assert answer.headers["x-should-retry"] == "false"
    assert "nothing was stored" in problem["detail"]


def test_what_would_take_more_is_refused_until_something_leaves(
    api: httpx.Client, run: Any, tenant: str, counted: Callable[[], int], budget: Callable[..., None]
) -> None:
    path, other = begin(api), begin(api)
    large = {"items": [{"role": "user", "content": "x" * 100_000}]}
    assert api.post(f"{other}/items", json=large).status_code == 200
    limit = counted()
    budget(bytes=str(limit))
    before = everything(run, tenant)

    for name in GROWING:
        assert_refused(WRITES[name](api, path), limit)
    assert everything(run, tenant) == before
    assert api.get(f"{path}/context", params={"budget": 100}).status_code == 200
    assert api.delete(other).status_code == 200
    assert [WRITES[name](api, path).status_code for name in GROWING] == [200] * len(GROWING)


def test_what_expired_makes_room_with_the_next_sweep(
    api: httpx.Client, run: Any, tenant: str, counted: Callable[[], int], budget: Callable[..., None]
) -> None:
    large = {"items": [{"role": "user", "content": "x" * 200_000}], "expires_after_s": 60}
    conversation = api.post("/v1/conversations", json=large).json()["id"]
    limit = counted()
    budget(bytes=str(limit))
    run("DEL", keys.conversation_key(tenant, conversation))
    run("HSET", keys.rows_key(tenant, 0), conversation, "1 60 1 200000 {}")
    run("ZADD", keys.activity_key(tenant, 0), 1_000_000, conversation)
    assert_refused(WRITES["create"](api, ""), limit)
    sweep(api)

    assert counted() == 0
    assert WRITES["create"](api, "").status_code == 200


def test_the_default_holds_where_a_tenant_has_no_limit_of_its_own(
    behind: Callable[..., httpx.Client], budget: Callable[..., None]
) -> None:
    api = behind(tenant_bytes_max=50_000)
    large = {"items": [{"role": "user", "content": "x" * 60_000}]}
    assert_refused(api.post("/v1/conversations", json=large), 50_000)
    assert api.post("/v1/conversations", json={}).status_code == 200
    budget(bytes="1MB")
    assert api.post("/v1/conversations", json=large).status_code == 200


def test_a_fork_is_charged(api: httpx.Client, counted: Callable[[], int], budget: Callable[..., None]) -> None:
    path = begin(api)
    assert api.post(f"{path}/items", json={"items": [{"role": "user", "content": "x" * 300_000}]}).status_code == 200
    one = counted()
    budget(bytes=str(2 * one + PORTION_BYTES))
    fork = api.post(f"{path}/fork", json={})
    assert fork.status_code == 200
    assert abs(counted() - 2 * one) <= 2 * PORTION_BYTES
    before = counted()
    assert_refused(api.post(f"{path}/fork", json={}), 2 * one + PORTION_BYTES)
    assert counted() == before
    assert api.delete(f"/v1/conversations/{fork.json()['id']}").status_code == 200
    assert counted() == one


def test_the_count_is_near_and_a_sweep_makes_it_exact(
    api: httpx.Client, counted: Callable[[], int], taken: Callable[[], int], run: Any, tenant: str
) -> None:
    paths = [begin(api) for _ in range(10)]
    for at in range(250):
        items = {"items": [{"role": "user", "content": "lorem " * 2_660} for _ in range(5)]}
        assert api.post(f"{paths[at % 10]}/items", json=items).status_code == 200

    assert taken() > 20_000_000
    assert abs(counted() - taken()) < 0.02 * taken()
    sweep(api)
    check_bytes(run, tenant)
    for path in paths:
        assert api.delete(path).status_code == 200
    assert abs(counted()) <= 10 * PORTION_BYTES
    sweep(api)
    assert counted() == 0


@SETTINGS
@given(st.lists(st.tuples(st.sampled_from([*WRITES, "delete", "large"]), st.integers(0, 9)), max_size=20))
def test_whatever_is_done_the_count_is_off_by_a_portion_a_conversation_at_most(
    service_url: str, mint: Callable[[], str], tenant_of: Callable[[str], str], run: Any, steps: list[tuple[str, int]]
) -> None:
    key = mint()
    tenant, made = tenant_of(key), 1
    with httpx.Client(base_url=service_url, headers={"authorization": f"Bearer {key}"}, timeout=30) as api:
        begin(api)
        for name, number in steps:
            listed = sorted(each["id"] for each in api.get("/v1/conversations").json()["data"])
            if not listed:
                break
            path = f"/v1/conversations/{listed[number % len(listed)]}"
            if name == "delete":
                assert api.delete(path).status_code == 200
            elif name == "large":
                item = {"role": "user", "content": "x" * (number * 5_000)}
                assert api.post(f"{path}/items", json={"items": [item]}).status_code == 200
            else:
                made += name in ("create", "fork")
                assert WRITES[name](api, path).status_code in (200, 404, 422)
        names = run("KEYS", keys.conversation_key(tenant, "*"))
        taken = sum(int(run("HGET", name, "b")) for name in names)
        assert abs(int(run("HGET", keys.tenant_key(tenant), "bytes") or 0) - taken) <= len(names) * PORTION_BYTES
        if names:
            sweep(api)
            check_bytes(run, tenant)


def test_a_compacted_conversation_takes_what_its_row_says(
    api: httpx.Client, run: Any, tenant: str, counted: Callable[[], int], taken: Callable[[], int]
) -> None:
    path = begin(api, metadata={"k": "v" * 500})
    for at in range(40):
        assert api.post(path, json={"metadata": {"k": str(at) + "v" * 500, "l": "w" * 500}}).status_code == 200
    assert api.post(f"{path}/compact", json={}).status_code == 200
    row = run("HGET", keys.rows_key(tenant, 0), path.rpartition("/")[2]).split(" ", 4)

    metadata = len(json.dumps({"k": "39" + "v" * 500, "l": "w" * 500}, separators=(",", ":")))
    assert int(row[3]) == taken() > metadata
    assert abs(counted() - taken()) <= PORTION_BYTES


@pytest.mark.parametrize(("text", "size"), [("7", 7), ("12B", 12), ("500MB", 500_000_000), ("10GB", 10**10)])
def test_the_limit_is_set_and_shown(tenant: str, text: str, size: int) -> None:
    run_keys("set", tenant, "--bytes", text)
    shown = json.loads(run_keys("list", tenant, "--json"))

    assert (shown["bytes"], shown["bytes_used"]) == (size, 0)
    assert run_keys("list", tenant).endswith(f"bytes: 0 used of {size}")


def test_the_limit_is_taken_away_and_a_wrong_one_refused(tenant: str) -> None:
    run_keys("set", tenant, "--bytes", "5KB")
    run_keys("set", tenant, "--bytes", "none")
    assert json.loads(run_keys("list", tenant, "--json"))["bytes"] is None
    for wrong in ("0", "-1", "5 MB", "1.5GB", "11000GB", "GB", "much"):
        assert run_keys("set", tenant, f"--bytes={wrong}", status=2).startswith(
            f"--bytes is {wrong}; it goes from 1 to"
        )
