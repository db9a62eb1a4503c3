"""
A tenant's list of conversations may be spread over any number of records: nobody sees it, and none grows without bound.
"""

import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.conversations.sweep import Pass, read_pass
from shared.store import keys
from shared.store.indexes import SHARDS_MAX, Layout, shard_of
from tests.bearers import CRON
from tests.instances import client_of
from tests.lives import SETTINGS
from tests.swept import age

pytestmark = pytest.mark.usefixtures("fresh_crons")

ACTIONS = st.sampled_from(["create", "create", "create", "append", "update", "delete", "fork", "spread", "sweep"])
AGE_US = 120_000_000
"""What a sweep looks at is older than a minute."""


class Model:
    """What the tenant's list has to be: ids with their metadata, newest activity last."""

    def __init__(self, run: Callable[..., Any], tenant: str) -> None:
        self._run, self._tenant = run, tenant
        self.listed: dict[str, dict[str, str]] = {}
        self.deleted: list[str] = []

    def pick(self, number: int) -> str:
        return list(self.listed)[number % len(self.listed)]

    def use(self, conversation: str, metadata: dict[str, str] | None = None) -> None:
        known = self.listed.pop(conversation, {})
        self.listed[conversation] = known if metadata is None else metadata

    def begin_to_spread(self) -> None:
        """As a sweep does that is then cut off."""
        name = keys.tenant_key(self._tenant)
        layout = self._run("HGET", name, "shards") or "1"
        if " " not in layout and int(layout) < 8:
            self._run("HSET", name, "shards", f"{2 * int(layout)} {layout}")

    def age(self) -> None:
        age(self._run, self._tenant, range(8), AGE_US)
        # A conversation that was deleted keeps its place as well.
        for name in self._run("KEYS", keys.left_key(self._tenant, "*")):
            seed, made, at = self._run("GET", name).split()
            self._run("SET", name, f"{seed} {made} {int(at) - AGE_US}")


def _act(model: Model, api: httpx.Client, action: str, number: int) -> None:
    if action == "spread":
        model.begin_to_spread()
    elif action == "sweep":
        model.age()
        assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["outcome"] == "done"
    elif action == "create" or not model.listed:
        metadata = {"k": str(number % 3)}
        body = {"metadata": metadata, "items": [{"role": "user", "content": "x"}]}
        model.use(api.post("/v1/conversations", json=body).json()["id"], metadata)
    else:
        conversation = model.pick(number)
        path = f"/v1/conversations/{conversation}"
        if action == "append":
            assert api.post(path + "/items", json={"items": [{"role": "user", "content": "y"}]}).status_code == 200
            model.use(conversation)
        elif action == "update":
            assert api.post(path, json={"metadata": {"k": str(number % 3)}}).status_code == 200
            model.use(conversation, {"k": str(number % 3)})
        elif action == "fork":
            model.use(api.post(path + "/fork", json={}).json()["id"], model.listed[conversation])
        else:
            assert api.delete(path).status_code == 200
            del model.listed[conversation]
            model.deleted.append(conversation)


def _listed(api: httpx.Client, limit: int, **filters: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    params: dict[str, Any] = {"limit": limit, **filters}
    while True:
        page = api.get("/v1/conversations", params=params).json()
        found += [(each["id"], each["metadata"]) for each in page["data"]]
        if not page["has_more"]:
            return found
        params["after"] = page["last_id"]


@SETTINGS
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 50), st.integers(0, 2)), min_size=4, max_size=25), st.integers(1, 5))
def test_the_list_is_the_same_however_it_is_spread(
    service_url: str,
    make_twice: list[str],
    mint: Callable[[], str],
    tenant_of: Callable[[str], str],
    run: Callable[..., Any],
    actions: list[tuple[str, int, int]],
    limit: int,
) -> None:
    key = mint()
    model = Model(run, tenant_of(key))
    clients = [client_of(url, key) for url in (service_url, *make_twice)]
    for action, number, instance in actions:
        _act(model, clients[instance], action, number)
    expected = list(model.listed.items())[::-1]
    for api in clients:
        assert _listed(api, limit) == expected
        for value in ("0", "1"):
            filtered = [each for each in expected if each[1] == {"k": value}]
            assert _listed(api, limit, **{"metadata[k]": value}) == filtered
        for each in model.deleted[-2:]:
            assert api.get("/v1/conversations", params={"after": each}).status_code == 200
        api.close()


@pytest.fixture
def make_twice(make_service: Callable[[], str]) -> list[str]:
    return [make_service(), make_service()]


def test_a_deleted_conversation_is_a_place_to_go_on_from(api: httpx.Client) -> None:
    made = [api.post("/v1/conversations", json={}).json()["id"] for _ in range(5)]
    seen: list[str] = []
    while True:
        page = api.get("/v1/conversations", params={"limit": 2, **({"after": seen[-1]} if seen else {})}).json()
        for each in page["data"]:
            seen.append(each["id"])
            assert api.delete(f"/v1/conversations/{each['id']}").status_code == 200
        if not page["has_more"]:
            break
    assert seen == made[::-1]
    unknown = api.get("/v1/conversations", params={"after": "conv_" + "0" * 48})
    assert (unknown.status_code, unknown.json()["param"]) == (404, "after")


def test_a_sweep_spreads_what_takes_too_much_until_it_does_not(
    behind: Callable[..., httpx.Client], run: Callable[..., Any], tenant: str
) -> None:
    api = behind(index_shard_bytes_max=4_000)
    model = Model(run, tenant)
    for number in range(100):
        _act(model, api, "create", number)
    layouts = []
    for _ in range(5):
        _act(model, api, "sweep", 0)
        layouts.append(run("HGET", keys.tenant_key(tenant), "shards") or "1")
    assert _listed(api, 100) == list(model.listed.items())[::-1]
    shards = int(layouts[-1])
    assert layouts == ["2", "4", "8", "8", "8"] or layouts == ["2", "4", "4", "4", "4"]
    sizes = [
        sum(len(part) for part in run("HGETALL", keys.rows_key(tenant, shard)))
        + 53 * run("HLEN", keys.rows_key(tenant, shard))
        for shard in range(shards)
    ]
    assert max(sizes) <= 4_000
    assert sum(run("ZCARD", keys.activity_key(tenant, shard)) for shard in range(shards)) == 100
    for shard in range(shards):
        assert all(shard_of(each, shards) == shard for each in run("ZRANGE", keys.activity_key(tenant, shard), 0, -1))


def test_ten_million_conversations_fit() -> None:
    """By arithmetic: rows with metadata of 200 bytes, in shards that are spread at 30 MB and may take 100 MB."""
    id_bytes, row_bytes = 53, len("1790000000 2592000 1790000000 4000 ") + 200
    # A hash of so many fields takes about 100 bytes more for each, the sorted set twice its id and 60.
    hash_bytes, set_bytes = id_bytes + row_bytes + 100, 2 * id_bytes + 60
    shards = 2 ** math.ceil(math.log2(10_000_000 * (row_bytes + 2 * id_bytes) / 30_000_000))
    assert shards <= SHARDS_MAX
    each = 10_000_000 / shards
    assert each * hash_bytes < 100_000_000
    assert each * set_bytes < 100_000_000
    # And of the largest metadata there may be, 10 million as well.
    assert SHARDS_MAX * 100_000_000 / (8_192 + hash_bytes) > 10_000_000


def test_an_instance_that_knows_less_is_told(
    api: httpx.Client, conversation: str, run: Callable[..., Any], tenant: str, upstash: Any
) -> None:
    model = Model(run, tenant)
    model.use(conversation, {})
    model.begin_to_spread()
    upstash.reset()
    assert api.post(f"/v1/conversations/{conversation}", json={"metadata": {}}).status_code == 200
    first = upstash.requests
    upstash.reset()
    assert api.get("/v1/conversations").json()["data"][0]["id"] == conversation
    assert (first, upstash.requests) == (2, 1)


def test_what_a_creation_left_half_way_goes_from_both_places(
    api: httpx.Client, conversation: str, run: Callable[..., Any], tenant: str
) -> None:
    ghosts = [f"conv_{digit * 48}" for digit in "0123"]
    for ghost in ghosts:
        run("ZADD", keys.activity_key(tenant, 0), 1_790_000_000_000_000, ghost)
        run("HSET", keys.rows_key(tenant, 0), ghost, "?1790000000 0 1790000000 0 {}")
    Model(run, tenant).begin_to_spread()
    assert [each["id"] for each in api.get("/v1/conversations").json()["data"]] == [conversation]
    assert run("ZRANGE", keys.activity_key(tenant, 0), 0, -1) == [conversation]
    assert run("HKEYS", keys.rows_key(tenant, 0)) == [conversation]


def test_how_far_a_sweep_is_can_be_read_back() -> None:
    assert read_pass("") == Pass()
    at = Pass("12", "9", "0", 3, 1_000, 20, 30)
    assert read_pass(at.as_text()) == at
    assert str(Layout(4, 2)) == "4 2"
