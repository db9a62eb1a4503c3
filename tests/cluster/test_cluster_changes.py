"""A cluster that changes under load: nothing acknowledged is lost, nothing is there twice, nothing old is shown."""

from collections.abc import Callable

import httpx
import pytest

from scripts.local.valkey_cluster import Server, ValkeyCluster
from shared.request.caller import read_key
from shared.store.keys import tenant_key
from shared.store.resp.slots import slot_of
from tests.cluster.traffic import Agent, found, wait_for, working

pytestmark = pytest.mark.timing

TENANTS_EACH = 1


class Site:
    """Agents of tenants on every primary, each by two instances."""

    def __init__(
        self,
        cluster: ValkeyCluster,
        key_at: Callable[[Server], str],
        call: Callable[..., httpx.Client],
        acknowledge: int,
    ) -> None:
        self.agents: dict[str, Agent] = {}
        urls = ["", ""]
        for server in cluster.primaries():
            for _ in range(TENANTS_EACH):
                key = key_at(server)
                clients = [call(key, url, replicas_acknowledge=acknowledge) for url in urls]
                urls = [str(client.base_url) for client in clients]
                self.agents[read_key(key).tenant] = Agent(*clients)

    @property
    def all(self) -> list[Agent]:
        return list(self.agents.values())

    def slots(self) -> list[int]:
        return [slot_of(tenant_key(tenant)) for tenant in self.agents]


@pytest.fixture
def site(
    in_order: ValkeyCluster, key_at: Callable[[Server], str], call: Callable[..., httpx.Client]
) -> Callable[[int], Site]:
    return lambda acknowledge: Site(in_order, key_at, call, acknowledge)


def test_a_primary_is_killed_and_what_a_replica_acknowledged_is_there(
    in_order: ValkeyCluster, site: Callable[[int], Site]
) -> None:
    at, cluster = site(1), in_order
    slot = at.slots()[0]
    dead = cluster.primary_of(slot)
    others = [
        agent for tenant, agent in at.agents.items() if cluster.primary_of(slot_of(tenant_key(tenant))) is not dead
    ]
    with working(at.all):
        cluster.kill(dead)
        wait_for(others, 5)  # While nobody has the dead one's slots.
        heir = cluster.wait_for_failover(slot, dead)
        # Without a replica nothing is acknowledged there.
        cluster.start(dead)
    came = found(at.all)

    assert heir is not dead
    assert came[1:4] == (0, 0, 0), came


def test_a_write_that_too_few_replicas_have_is_not_acknowledged_until_they_do(
    in_order: ValkeyCluster, key_at: Callable[[Server], str], call: Callable[..., httpx.Client]
) -> None:
    cluster = in_order
    primary = cluster.primaries()[0]
    api = call(key_at(primary), replicas_acknowledge=1, store_timeout_s=0.5)
    path = f"/v1/conversations/{api.post('/v1/conversations', json={}).json()['id']}"
    body, headers = {"items": [{"role": "user", "content": "hello"}]}, {"idempotency-key": "once"}
    [replica] = cluster.replicas_of(primary)
    with cluster.stopped(replica):
        first = api.post(f"{path}/items", json=body, headers=headers)
        # It only finds what the first one wrote, and no replica has that.
        second = api.post(f"{path}/items", json=body, headers=headers)
        read = api.get(f"{path}/items")
    third = api.post(f"{path}/items", json=body, headers=headers)

    assert [(each.status_code, each.json()["outcome_unknown"]) for each in (first, second)] == [(503, True)] * 2
    assert (read.status_code, len(read.json()["data"])) == (200, 1)
    assert (third.status_code, third.headers["idempotency-replayed"]) == (200, "true")


@pytest.mark.parametrize(
    ("by_keys", "acknowledge"),
    [(True, 0), (True, 1), (False, 1)],
    ids=["key by key", "key by key, acknowledged by replicas", "as a whole"],
)
def test_slots_are_moved_under_load(
    in_order: ValkeyCluster, site: Callable[[int], Site], by_keys: bool, acknowledge: int
) -> None:
    at, cluster = site(acknowledge), in_order
    moved = 0
    with working(at.all):
        for slot in at.slots():
            to = cluster.other_primary(slot)
            if by_keys:
                moved += cluster.move_by_keys(slot, to, pause_s=0.05)
            else:
                cluster.move_slots(slot, to)
            wait_for(at.all, 1)
    came = found(at.all)

    assert came[1:4] == (0, 0, 0), came
    assert moved > 0 or not by_keys
    assert not cluster.run("KEYS", "*acknowledged*")
