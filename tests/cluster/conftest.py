"""A real cluster, one for all tests of this folder, and instances of the service that have it as their store."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from scripts.local.mint import mint_in
from scripts.local.valkey_cluster import Server, ValkeyCluster, running_cluster
from shared.request.caller import make_key
from shared.request.roles import ADMIN
from shared.store.keys import tenant_key
from shared.store.resp.slots import slot_of
from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET
from tests.instances import client_of, running_instance


@pytest.fixture(scope="session")
def cluster() -> Iterator[ValkeyCluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def in_order(cluster: ValkeyCluster) -> Iterator[ValkeyCluster]:
    """The cluster, as it was made: what a test killed is there again."""
    yield cluster
    for server in cluster.servers:
        if server.process is None:
            cluster.start(server)
    cluster.wait_until_in_order()


@pytest.fixture
def start(cluster: ValkeyCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Start an instance over the cluster, with settings, and return its address."""
    monkeypatch.setenv("WARMTHREAD_STORE_URL", cluster.url)
    monkeypatch.setenv("WARMTHREAD_DOCUMENTS_URL", str(tmp_path))
    monkeypatch.setenv("WARMTHREAD_CHANGES_SECRET", CHANGES_SECRET)
    monkeypatch.setenv("CRON_SECRET", CRON_SECRET)
    monkeypatch.setenv("WARMTHREAD_METRICS_SECRET", METRICS_SECRET)
    monkeypatch.setenv("WARMTHREAD_LOG_LEVEL", "error")
    with contextlib.ExitStack() as stack:

        def start_one(**settings: object) -> str:
            for name, value in settings.items():
                monkeypatch.setenv(f"WARMTHREAD_{name.upper()}", str(value))
            return stack.enter_context(running_instance())

        yield start_one


@pytest.fixture
def key_at(cluster: ValkeyCluster) -> Callable[[Server], str]:
    """Make a fresh tenant that lives on a primary, and return a key of it."""

    def make(server: Server) -> str:
        while True:
            tenant = f"t{uuid4().hex[:20]}"
            if cluster.primary_of(slot_of(tenant_key(tenant))) is server:
                key = make_key(tenant)
                mint_in({"WARMTHREAD_STORE_URL": cluster.url}, key, role=ADMIN)
                return key

    return make


@pytest.fixture
def call(start: Callable[..., str]) -> Iterator[Callable[..., httpx.Client]]:
    """Start an instance with settings, and return a client of it that calls with a key."""
    with contextlib.ExitStack() as stack:

        def make(key: str, url: str = "", **settings: object) -> httpx.Client:
            return stack.enter_context(client_of(url or start(**settings), key))

        yield make
