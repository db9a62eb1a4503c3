"""Fixtures: the service as the development server runs it, over a local store; a fresh tenant for each test."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from scripts.local.mint import mint
from scripts.local.upstash import LocalUpstash
from tests.instances import running_instance
from tests.roots import trust_one_root

trust_one_root()


class Counts:
    """How many requests a client has sent."""

    def __init__(self) -> None:
        self.requests = 0

    def count(self, _request: httpx.Request) -> None:
        self.requests += 1

    async def acount(self, _request: httpx.Request) -> None:
        self.requests += 1


class Service(NamedTuple):
    """The service at *url*, a *key* of the test's own tenant, and its *store*, which counts its `requests`."""

    url: str
    key: str
    store: LocalUpstash

    def with_role(self, role: str) -> "Service":
        """Return the same with a key of the same tenant that may do what *role* may."""
        key = f"{self.key[: self.key.rindex('_')]}_{uuid4().hex}"
        mint(self.store.url, self.store.token, key, role=role)
        return self._replace(key=key)


@pytest.fixture(scope="session")
def store() -> Iterator[LocalUpstash]:
    with LocalUpstash() as server, pytest.MonkeyPatch.context() as patch:
        for name in ("KV_REST_API_URL", "KV_REST_API_TOKEN", "REDIS_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("UPSTASH_REDIS_REST_URL", server.url)
        patch.setenv("UPSTASH_REDIS_REST_TOKEN", server.token)
        # A flush behind an answer would spoil what tests count of requests.
        patch.setenv("WARMTHREAD_METRICS_FLUSH_S", "0")
        yield server


@pytest.fixture(scope="session")
def service_url(store: LocalUpstash) -> Iterator[str]:
    with running_instance() as url:
        yield url


@pytest.fixture
def service(store: LocalUpstash, service_url: str) -> Service:
    key = f"wt_t{uuid4().hex[:20]}_{uuid4().hex}"
    mint(store.url, store.token, key)
    return Service(service_url, key, store)


@pytest.fixture
def counts() -> Counts:
    """What the clients of `http` and `ahttp` have sent."""
    return Counts()


@pytest.fixture
def http(counts: Counts) -> Iterator[httpx.Client]:
    with httpx.Client(event_hooks={"request": [counts.count]}) as client:
        yield client


@pytest.fixture
async def ahttp(counts: Counts) -> Any:
    async with httpx.AsyncClient(event_hooks={"request": [counts.acount]}) as client:
        yield client


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
