"""
What is done besides a request, or behind it, may end half-way as well: reading on, repairing, sweeping, spreading.
Refused each of its writes in turn and then done again, it loses nothing and leaves everything in step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.faults.server import FaultyServer
from shared.store import keys
from shared.store.script import scripts
from tests.bearers import CRON
from tests.half_way import ELSEWHERE, check_indexes, failures, tenant_seen, wait_for_refusal, wait_until
from tests.half_way_operations import OPERATIONS, begin
from tests.sparse import PAD, PADDING
from tests.swept import age_unswept

pytestmark = pytest.mark.usefixtures("fresh_crons")

AGE_US = 3_600_000_000
GONE = "conv_" + "0" * 48
METADATA = {"k": "newer"}


class World(NamedTuple):
    """A tenant and one of its conversations, past the service."""

    run: Callable[..., Any]
    tenant: str
    conversation: str

    @property
    def name(self) -> str:
        return keys.conversation_key(self.tenant, self.conversation)

    def field(self, name: str) -> str:
        return str(self.run("HGET", self.name, name))

    def age(self) -> None:
        """Let all that was written be an hour old, and no sweep have looked at it."""
        age_unswept(self.run, self.tenant, range(4), AGE_US)

    def sweep(self, through: httpx.Client) -> None:
        answer = through.get("/api/cron/sweep", headers=CRON)
        assert answer.status_code in (200, 503), answer.text
        # Whoever ended half-way left its lease behind.
        self.run("DEL", keys.cron_key("compact"), keys.cron_key("sweep"))


class Job(NamedTuple):
    """The *script* that it runs, what to *prepare*, what to *do* through an instance, and whether it is done then."""

    script: str
    prepare: Callable[[World], None]
    do: Callable[[World, httpx.Client], None]
    is_done: Callable[[World], bool]


def _nothing(world: World) -> None:
    """It is due as it is."""


def _unused(world: World) -> None:
    """Let the conversation have been used last a while ago, so that a read starts its life anew."""
    used = int(world.field("t")) - 4_000
    world.run("HSET", world.name, "t", used)
    world.run("EXPIRE", world.name, 100)
    rows = keys.rows_key(world.tenant, 0)
    created, expiry, _, size, metadata = world.run("HGET", rows, world.conversation).split(" ", 4)
    world.run("HSET", rows, world.conversation, f"{created} {expiry} {used} {size} {metadata}")


def _read(world: World, through: httpx.Client) -> None:
    assert through.get(f"/v1/conversations/{world.conversation}/items").status_code == 200


def _count(world: World, through: httpx.Client) -> None:
    params = {"budget": "1000", "model": "gpt-4"}
    assert through.get(f"/v1/conversations/{world.conversation}/context", params=params).status_code == 200


def _was_counted(world: World) -> bool:
    return any(name.startswith("q:") for name in world.run("HKEYS", world.name))


def _half_updated(world: World) -> None:
    world.run("HSET", keys.rows_key(world.tenant, 0), world.conversation, '?@1000000 5000 1 1 5 0 berta{"k":"half"}')
    world.run("ZADD", keys.members_key(world.tenant, "user", "berta"), 1_000_000, world.conversation)


def _half_updated_unseen(world: World) -> None:
    _half_updated(world)
    world.age()


def _half_deleted(world: World) -> None:
    world.run("HSET", keys.rows_key(world.tenant, 0), GONE, "?@0 0 0 0 5 0 berta{}")
    world.run("ZADD", keys.members_key(world.tenant, "user", "berta"), 1_000_000, GONE)
    world.run("HSET", keys.conversation_key(world.tenant, GONE), "c", "1")
    world.run("ZADD", keys.activity_key(world.tenant, 0), 1_000_000, GONE)


def _list(world: World, through: httpx.Client) -> None:
    shown = through.get("/v1/conversations")
    assert [each["metadata"] for each in shown.json()["data"]] == [METADATA]


def _list_berta(_: World, through: httpx.Client) -> None:
    shown = through.get("/v1/conversations", params={"user": "berta"})
    assert shown.json()["data"] == []


def _expired(world: World) -> None:
    _half_deleted(world)
    world.run("HSET", keys.rows_key(world.tenant, 0), GONE, "@1000000 60 1 0 5 0 berta{}")
    world.age()
    world.run("ZADD", keys.activity_key(world.tenant, 0), 1_000_000, GONE)


def _sparse(world: World) -> None:
    world.run("EVAL", PAD, 1, world.name, PADDING)
    world.age()


def _lacks_terms(world: World) -> None:
    world.run("HDEL", world.name, "ti", "to")
    world.age()


def _is_indexed(world: World) -> bool:
    facts = str(world.run("HGET", world.name, "ti") or "").split(" ")
    return len(facts) == 10 and facts[7] == "1"


def _sweep_all(world: World, through: httpx.Client) -> None:
    """Sweep, also what a pass before looked at: one that could not be compacted waits until it is written again."""
    world.age()
    world.sweep(through)


def _spreading(world: World) -> None:
    world.run("HSET", keys.tenant_key(world.tenant), "shards", "2 1")
    world.age()


def _is_spread(world: World) -> bool:
    return bool(world.run("HGET", keys.tenant_key(world.tenant), "shards") == "2")


def _is_gone(world: World) -> bool:
    return not world.run("EXISTS", keys.conversation_key(world.tenant, GONE))


JOBS = {
    "touch": Job("touch", _unused, _read, lambda world: world.run("TTL", world.name) > 4_000),
    "keep counts": Job("keep_counts", _nothing, _count, _was_counted),
    "repair": Job("repair", _half_updated, _list, lambda world: True),
    "repair what is gone": Job("repair", _half_deleted, _list, _is_gone),
    "repair by a user": Job("repair", _half_updated, _list_berta, lambda world: True),
    "repair what is gone by a user": Job("repair", _half_deleted, _list_berta, _is_gone),
    "repair in a sweep": Job("repair", _half_updated_unseen, _sweep_all, lambda world: True),
    "look": Job("sweep_look", _expired, World.sweep, _is_gone),
    "compact": Job(
        "sweep_compact", _sparse, _sweep_all, lambda world: int(world.run("HGET", world.name, "o") or 0) > PADDING
    ),
    "index": Job("index_older", _lacks_terms, _sweep_all, _is_indexed),
    "spread": Job("sweep_spread", _spreading, World.sweep, _is_spread),
}


@pytest.mark.parametrize("name", JOBS)
def test_each_write_of_a_job_can_be_refused(
    name: str, tenant_behind: Callable[[], Any], server: FaultyServer, run: Callable[..., Any]
) -> None:
    job = JOBS[name]
    for _ in failures(server, job.script, asks_first=job.script == "repair"):
        run("DEL", keys.TENANTS_KEY)
        with tenant_behind() as (tenant, api, faulty):
            conversation = begin(api, 0)
            for at in range(8 if name == "spread" else 0):
                assert api.post("/v1/conversations", json={"metadata": {"at": str(at)}}).is_success
            assert api.post(f"/v1/conversations/{conversation}", json={"metadata": METADATA}).is_success
            before = tenant_seen(api)
            world = World(run, tenant, conversation)
            job.prepare(world)
            job.do(world, faulty)
            wait_for_refusal(server)
            if job.script != "repair":  # Who looks at the list repairs.
                assert tenant_seen(api) == before
            # Another instance, for what the first one holds it does not keep twice.
            job.do(world, api)
            wait_until(lambda world=world: job.is_done(world))  # type: ignore[misc]

            assert tenant_seen(api) == before
            check_indexes(run, world.tenant)


def test_every_script_that_writes_is_made_to_end_half_way() -> None:
    writing = {name for name in scripts.names() if not scripts.is_read(name)}
    here = {operation.script for operation in OPERATIONS.values()} | {job.script for job in JOBS.values()}
    elsewhere = {name for names in ELSEWHERE.values() for name in names}

    assert not here & elsewhere
    assert writing == here | elsewhere
