"""Everything that the service does, on a real cluster: no script has keys of two slots."""

from collections.abc import Callable, Iterator
from hashlib import sha1
from pathlib import Path

import httpx
import pytest

from scripts.local import deleting
from scripts.local.keys import main as keys_script
from scripts.local.valkey_cluster import Server, ValkeyCluster
from scripts.storing.making import DOCUMENTS, Making
from shared.erasing import erasure
from shared.request.caller import read_key
from shared.store import keys
from shared.store.keys import tenant_key
from shared.store.script import scripts
from tests.bearers import CRON, METRICS_SECRET, NOTICE
from tests.erasing import erase
from tests.sparse import PAD, PADDING

LIMITS = ("limit:tokens-day", 10_000_000, "limit:usd-month", 10**12, "price:gpt-4o", "2500000 10000000")


class OnCluster(Making):
    """Makes it where no script is made to end half-way."""

    def __init__(self, api: httpx.Client) -> None:
        super().__init__(api, None, CRON)  # type: ignore[arg-type]  # the front of the store, which only that needs.

    def _half_way(self) -> None:
        pass

    def read(self, path: str) -> None:
        self._answer("GET", path)

    def more(self) -> None:
        """Call what leaves no trace that a fixture would hold."""
        talk = f"/v1/conversations/{self.conversations['talk']}"
        self._answer("GET", "/v1/conversations?limit=5&metadata[topic]=capitals")
        self._answer("GET", "/v1/usage")
        self._answer("GET", "/v1/usage?user=anna")
        self._answer("GET", "/v1/conversations?user=anna")
        self._answer("GET", f"{talk}/items/mine")
        self._answer("GET", f"{talk}/context?budget=500&model=gpt-4")
        wanted = {"model": "gpt-4o", "budget": 500, "reserve_output": 10, "reserve": True}
        for context in ({}, {"context": {"budget": 500}}):
            made = self._answer("POST", f"{talk}/context", wanted).json()["reservation"]["id"]
            said = {"items": [{"role": "assistant", "content": "Yes."}], "reservation": made}
            self._answer("POST", f"{talk}/items", {**said, "usage": {"input_tokens": 9, "output_tokens": 1}, **context})
        self._answer("POST", f"{talk}/items", {"items": [{"role": "user", "content": "?"}], "context": {"budget": 500}})
        self._answer("POST", "/v1/changes", {"changes": [{"path": "shared/terms.txt"}]}, NOTICE)
        self._answer("GET", "/api/metrics", None, {"authorization": f"Bearer {METRICS_SECRET}"})
        self._answer("GET", "/api/health")


def ran(cluster: ValkeyCluster) -> set[str]:
    """Return the names of the scripts that a server of the cluster has run."""
    sources = {
        sha1(scripts.source(name, takes_permits=takes, locks_keys=False).encode()).hexdigest(): name
        for name in scripts.names()
        for takes in ((False, True) if scripts.asks_for_key(name) else (False,))
    }
    found: set[str] = set()
    for server in cluster.primaries():
        there = server.call("SCRIPT", "EXISTS", *sources)
        found |= {name for name, is_there in zip(sources.values(), there, strict=True) if is_there}
    return found


@pytest.fixture
def full(cluster: ValkeyCluster) -> Iterator[Callable[..., None]]:
    """Let no server have memory left, until the test's end."""
    servers = cluster.primaries()

    def limit(memory_bytes: int = 1) -> None:
        for server in servers:
            server.call("CONFIG", "SET", "maxmemory", memory_bytes)

    yield limit
    limit(0)


def test_every_script_runs_on_a_cluster(
    cluster: ValkeyCluster,
    key_at: Callable[[Server], str],
    call: Callable[..., httpx.Client],
    full: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Erasures wait for what other instances may still do; there are none here.
    for module in (erasure, deleting):
        monkeypatch.setattr(module, "HELD_S", 0.5)
        monkeypatch.setattr(module, "DOCUMENTS_HELD_S", 1.0)
    key = key_at(cluster.primaries()[0])
    tenant = read_key(key).tenant
    cluster.run("HSET", tenant_key(tenant), *LIMITS)
    for path, text in DOCUMENTS.items():
        file = tmp_path / (path if path.startswith("shared/") else f"{tenant}/{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    api = call(key, metrics_flush_s=3_600, replicas_acknowledge=1)
    making = OnCluster(api)
    making.all()
    making.more()
    behind_the_service(cluster, tenant, making)
    (tmp_path / tenant / "manual.txt").write_text("Press it three times.")
    age(cluster, tenant)
    # As a release leaves it that knew nothing of recall.
    cluster.run("HDEL", keys.conversation_key(tenant, making.conversations["talk"]), "ti", "to")
    sweep(api)
    cluster.run("HSET", tenant_key(tenant), "shards", "2 1")
    age(cluster, tenant)
    sweep(api)
    cluster.run("DEL", keys.conversation_key(tenant, making.conversations["fork"]))
    age(cluster, tenant)
    erase(api, "frida")
    full()
    sweep(api, 200, 503)
    gone = api.delete(f"/v1/conversations/{making.conversations['talk']}")

    assert gone.status_code == 200, gone.text
    full(0)
    monkeypatch.setenv("WARMTHREAD_STORE_URL", cluster.url)
    assert keys_script(["delete", tenant, "--yes"]) == 0
    assert set(scripts.names()) - ran(cluster) == set()


def behind_the_service(cluster: ValkeyCluster, tenant: str, making: OnCluster) -> None:
    """Let there be what is to be repaired, renewed, compacted and forgotten."""
    rows = keys.rows_key(tenant, 0)
    cluster.run("HSET", rows, making.conversations["empty"], '?1 0 1 1 {"k":"half"}')
    expiring = making.conversations["expiring"]
    name = keys.conversation_key(tenant, expiring)
    used = int(cluster.run("HGET", name, "t")) - 200_000_000
    created, expiry, _, size, metadata = cluster.run("HGET", rows, expiring).split(" ", 4)
    cluster.run("HSET", name, "t", used)
    cluster.run("HSET", rows, expiring, f"{created} {expiry} {used} {size} {metadata}")
    making.read(f"/v1/conversations/{expiring}/items")
    making.read("/v1/conversations?limit=100")
    cluster.run("EVAL", PAD, 1, keys.conversation_key(tenant, making.conversations["deleted"]), PADDING)
    for each in ("no summary", "empty"):
        cluster.run("DEL", keys.conversation_key(tenant, making.conversations[each]))


def age(cluster: ValkeyCluster, tenant: str) -> None:
    """Let all that was written be an hour old, and no sweep have looked at it."""
    for shard in range(2):
        name = keys.activity_key(tenant, shard)
        scored = cluster.run("ZRANGE", name, 0, -1, "WITHSCORES")
        for each, at_us in zip(scored[::2], scored[1::2], strict=True):
            cluster.run("ZADD", name, int(at_us) - 3_600_000_000, each)
    cluster.run("HSET", keys.TENANTS_KEY, tenant, "")
    for job in ("compact", "sweep"):
        cluster.run("DEL", keys.cron_key(job))


def sweep(api: httpx.Client, *statuses: int) -> None:
    answer = api.get("/api/cron/sweep", headers=CRON)
    print(answer.text)
    assert answer.status_code in (statuses or (200,)), answer.text
