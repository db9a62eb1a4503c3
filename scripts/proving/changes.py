"""
A cluster of Valkey as the store of a proof, and what changes in it under load: the primary of a tenant dies and its
replica takes over, the tenant's slot moves to another primary.

Instances have a replica acknowledge each write, without which some of what they acknowledged may be lost
(docs/scaling.md).
"""

import contextlib
from collections import Counter
from collections.abc import Iterator

from scripts.local.valkey_cluster import ValkeyCluster
from shared.store.keys import tenant_key
from shared.store.resp.slots import slot_of

HTTP, CLUSTER = STORES = ("http", "cluster")
HELP = "what the instances have for a store: one that speaks Upstash's HTTP, or a Valkey cluster that changes (http)"

KILLED, BY_KEYS, AS_A_WHOLE = "primaries killed", "keys moved one by one", "slots moved as a whole"


def settings_of(cluster: ValkeyCluster) -> dict[str, str]:
    """Return the variables of an instance that has *cluster* for its store."""
    return {"WARMTHREAD_STORE_URL": cluster.url, "WARMTHREAD_REPLICAS_ACKNOWLEDGE": "1"}


class Changes:
    """Changes what *tenant* lives on. *happened*: how often what did."""

    def __init__(self, cluster: ValkeyCluster, tenant: str) -> None:
        self.happened: Counter[str] = Counter()
        self._cluster = cluster
        self._slot = slot_of(tenant_key(tenant))

    @contextlib.contextmanager
    def primary_dead(self) -> Iterator[None]:
        """Kill the primary; at the end of the block, wait for its heir, and start it again as that one's replica."""
        dead = self._cluster.primary_of(self._slot)
        self._cluster.kill(dead)
        self.happened[KILLED] += 1
        try:
            yield
            self._cluster.wait_for_failover(self._slot, dead)
        finally:
            self._cluster.start(dead)
            self._cluster.wait_until_in_order()

    def kill_primary(self) -> None:
        """Let the primary die; return when everything is in order again."""
        with self.primary_dead():
            pass

    def move_by_keys(self, pause_s: float = 0.02) -> None:
        """Move the slot key by key, with pauses in which some of its keys are here and some there."""
        self.happened[BY_KEYS] += self._cluster.move_by_keys(
            self._slot, self._cluster.other_primary(self._slot), pause_s=pause_s
        )

    def move_as_a_whole(self) -> None:
        self._cluster.move_slots(self._slot, self._cluster.other_primary(self._slot))
        self.happened[AS_A_WHOLE] += 1

    @contextlib.contextmanager
    def primary_silent(self) -> Iterator[None]:
        """Let the primary say nothing in the block, which is over before others take it for dead."""
        with self._cluster.stopped(self._cluster.primary_of(self._slot)):
            yield

    @contextlib.contextmanager
    def replica_silent(self) -> Iterator[None]:
        """The same of its replica, so that nothing is acknowledged."""
        with self._cluster.stopped(self._cluster.replicas_of(self._cluster.primary_of(self._slot))[0]):
            yield
