"""A store that holds what a release left in it, and instances of today before it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from scripts.proving.past import Past
from scripts.storing.making import DOCUMENTS
from tests.bearers import CHANGES_SECRET, CRON_SECRET, METRICS_SECRET
from tests.instances import client_of, running_instance
from tests.stored import Stored, read_stored, versions


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalUpstash]:
    """A store of these tests' own, with the documents that fixtures mention beside it."""
    folder = tmp_path_factory.mktemp("documents")
    for path, text in DOCUMENTS.items():
        file = folder / (path if path.startswith("shared/") else f"fixture/{path}")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    with LocalUpstash() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("UPSTASH_REDIS_REST_URL", store.url),
            ("UPSTASH_REDIS_REST_TOKEN", store.token),
            ("WARMTHREAD_DOCUMENTS_URL", str(folder)),
            ("WARMTHREAD_METRICS_FLUSH_S", "0"),
            ("WARMTHREAD_LOG_LEVEL", "off"),
            ("WARMTHREAD_CHANGES_SECRET", CHANGES_SECRET),
            ("WARMTHREAD_METRICS_SECRET", METRICS_SECRET),
            ("CRON_SECRET", CRON_SECRET),
        ):
            patch.setenv(name, value)
        for name in ("KV_REST_API_URL", "KV_REST_API_TOKEN", "REDIS_URL"):
            patch.delenv(name, raising=False)
        yield store


@pytest.fixture(scope="module")
def url(own_store: LocalUpstash) -> Iterator[str]:
    with running_instance() as url:
        yield url


@pytest.fixture
def run(own_store: LocalUpstash) -> Iterator[Callable[..., Any]]:
    past = Past(own_store.url, own_store.token)
    yield past.run
    past.close()


@pytest.fixture(params=versions())
def stored(request: pytest.FixtureRequest, own_store: LocalUpstash, run: Callable[..., Any]) -> Stored:
    """A fixture, which the store holds and nothing else."""
    found = read_stored(request.param)
    own_store.clock_shift_s = found.about["written_at_unix_s"] + 1 - time.time()
    found.put(run)
    return found


@pytest.fixture
def api(url: str, stored: Stored) -> Iterator[httpx.Client]:
    with client_of(url, stored.about["key"]) as client:
        yield client
