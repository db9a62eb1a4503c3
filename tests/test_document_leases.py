"""Leases and fences between instances in processes of their own, killed or stopped in the middle of a load."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.object_store import ObjectStore
from scripts.proving.fleet import Instance, running_instances
from shared.documents.shelf import read_mark
from shared.store import keys
from tests.documents import INSTANCES, REQUESTS, gets

pytestmark = pytest.mark.timing

LEASE_S = 2

NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""With limits a thread of this client closes the connection that another was just given: beyond 20 it looks idle."""


class Fleet(NamedTuple):
    """The instances, what is in front of their store, and what their callers say."""

    instances: list[Instance]
    store: FaultyServer
    http: httpx.Client

    def get(self, number: int, path: str) -> httpx.Response:
        return self.http.get(f"{self.instances[number].url}/v1/documents/{path}")


@pytest.fixture
def fleet(front: FaultyServer, server: FaultyServer, s3: ObjectStore, tenant: str, key: str) -> Iterator[Fleet]:
    """Processes to which the key is known."""
    settings = {"UPSTASH_REDIS_REST_URL": server.url, "WARMTHREAD_DOCUMENT_LEASE_S": str(LEASE_S)}
    with (
        running_instances(INSTANCES, dict(os.environ) | settings) as instances,
        httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=20, limits=NO_LIMITS) as http,
    ):
        fleet = Fleet(instances, server, http)
        s3.put(f"{tenant}/known.txt", "known")
        for each in instances:
            assert fleet.get(each.number, "known.txt").text == "known"
        yield fleet


def stampede(fleet: Fleet, path: str) -> set[str]:
    with ThreadPoolExecutor(REQUESTS) as pool:
        return {each.text for each in pool.map(lambda at: fleet.get(at % INSTANCES, path), range(REQUESTS))}


def test_a_hundred_callers_at_four_processes_are_one_request_to_the_source_and_four_without_a_store(
    fleet: Fleet, front: FaultyServer, s3: ObjectStore, tenant: str
) -> None:
    for name in ("cold", "colder"):
        s3.put(f"{tenant}/{name}.txt", name)
    front.delay_s = 0.5
    assert stampede(fleet, "cold.txt") == {"cold"}
    assert gets(front, f"{tenant}/cold.txt") == 1
    fleet.store.leave()

    front.delay_s = 1.5  # The last of them has to come before the first has its answer.
    assert stampede(fleet, "colder.txt") == {"colder"}
    assert gets(front, f"{tenant}/colder.txt") <= INSTANCES


def test_when_the_process_that_holds_the_lease_is_killed_another_takes_over(
    fleet: Fleet, front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/cold.txt", "cold")
    front.arrived.clear()
    front.faults.append(Fault.SILENT)
    with ThreadPoolExecutor(1) as pool:
        died = pool.submit(fleet.get, 0, "cold.txt")
        assert front.arrived.wait(10)
        fleet.instances[0].kill()
        assert isinstance(died.exception(), httpx.TransportError)
    assert run("PTTL", keys.document_lease_key(tenant, "cold.txt")) > 0

    assert [fleet.get(number, "cold.txt").text for number in range(1, INSTANCES)] == ["cold"] * 3
    assert gets(front, f"{tenant}/cold.txt") == 2


def test_a_process_that_was_stopped_while_it_held_the_lease_writes_nothing_when_it_goes_on(
    fleet: Fleet, front: FaultyServer, s3: ObjectStore, tenant: str, run: Any
) -> None:
    s3.put(f"{tenant}/cold.txt", "old")
    front.arrived.clear()
    # The answer is made at once, and under way for so long.
    front.delay_s = 0.5
    slow = fleet.instances[0]
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(fleet.get, 0, "cold.txt")
        assert front.arrived.wait(10)
        slow.suspend()
        front.delay_s = 0
        s3.put(f"{tenant}/cold.txt", "new")
        taken_over = fleet.get(1, "cold.txt").text
        before = run("HGET", keys.document_marks_key(tenant), "cold.txt")
        slow.resume()
        late.result()
    after = run("HGET", keys.document_marks_key(tenant), "cold.txt")

    assert taken_over == "new"
    assert read_mark(before) == read_mark(after)
    assert run("HGET", keys.document_key(tenant, "cold.txt"), "text") == "new"
    assert [fleet.get(number, "cold.txt").text for number in range(INSTANCES)] == ["new"] * INSTANCES
