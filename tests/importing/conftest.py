"""Fixtures of imports: another store, which is empty, and imports of it into the service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from tests.imports import Importing, Store, other_store


@pytest.fixture(scope="module")
def shared_store(upstash: LocalUpstash) -> Iterator[Store]:
    with other_store(upstash.redis_url) as store:
        yield store


@pytest.fixture
def store(shared_store: Store) -> Iterator[Store]:
    """A Valkey with the JSON module, to be filled and imported from."""
    yield shared_store
    shared_store.clear()


@pytest.fixture(scope="module")
def wire(service_url: str) -> Iterator[FaultyServer]:
    """The way from imports to the service."""
    with FaultyServer(service_url) as server:
        yield server


@pytest.fixture
def importing(
    service_url: str, key: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Importing:
    """Imports from *store*, straight into the service."""
    return Importing(service_url, key, store.url, tmp_path, capsys)


@pytest.fixture
def through(
    wire: FaultyServer, key: str, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Importing:
    """The same, over *wire*, with the same map."""
    return Importing(wire.url, key, store.url, tmp_path, capsys)
