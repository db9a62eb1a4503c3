"""
The implementations of the store port, each behind a wire that misbehaves on command.

A row of STORES is all that another one needs: how it is opened, and which of the faults stand for what in its protocol.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import httpx
import pytest
import valkey

from scripts.faults.resp_wire import FaultyWire
from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.config import Settings
from shared.setting import Secret
from shared.store.upstash import Store

LIVE_URL, LIVE_TOKEN = "WARMTHREAD_LIVE_STORE_URL", "WARMTHREAD_LIVE_STORE_TOKEN"
"""A database that may be written to: a few names of the tests' own, which are deleted again."""

MARGIN_S = 0.15
"""What a busy machine may add to a timeout."""


type Wire = FaultyServer | FaultyWire


class Rig(NamedTuple):
    """
    One store.

    *wire*: the way to it, with its faults. *open*: make a client of it, with settings; *clock* is its breaker's and its
    deadlines'. *run*: a command past the wire.
    """

    wire: Wire
    open: Callable[..., Store]
    run: Callable[..., Any]


class StoreKind(NamedTuple):
    """
    One implementation.

    *timeout_s*: what its way takes at most. *lost*: the faults by which an answer is lost at once, so that there is
    time for a retry. *stalled*: those by which it does not end. *refused*: those by which the store says no.
    """

    start: Callable[[pytest.FixtureRequest], AbstractContextManager[Rig]]
    timeout_s: float
    lost: tuple[Fault, ...]
    stalled: tuple[Fault, ...]
    refused: tuple[Fault, ...]


@contextmanager
def http(url: str, token: str) -> Iterator[Rig]:
    """Yield the store at *url*, which speaks Upstash's REST protocol."""
    headers = {"authorization": f"Bearer {token}"}
    with FaultyServer(url) as wire, httpx.Client(base_url=url, headers=headers) as client:

        def open_store(clock: Callable[[], float] = time.monotonic, **settings: Any) -> Store:
            return Store(Settings(store_url=wire.url, store_token=Secret(token), **settings), clock)

        def run(*parts: object) -> Any:
            return client.post("/", json=list(parts)).raise_for_status().json()["result"]

        yield Rig(wire, open_store, run)


def local(request: pytest.FixtureRequest) -> AbstractContextManager[Rig]:
    upstash: LocalUpstash = request.getfixturevalue("upstash")
    return http(upstash.url, upstash.token)


def live(request: pytest.FixtureRequest) -> AbstractContextManager[Rig]:
    if not (os.environ.get(LIVE_URL) and os.environ.get(LIVE_TOKEN)):
        pytest.skip(f"needs a real database: set {LIVE_URL} and {LIVE_TOKEN}")
    return http(os.environ[LIVE_URL].rstrip("/"), os.environ[LIVE_TOKEN])


@contextmanager
def resp(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Yield the Valkey of the local server, spoken to in its own protocol."""
    upstash: LocalUpstash = request.getfixturevalue("upstash")
    client: Any = valkey.Valkey.from_url(upstash.redis_url, decode_responses=True)
    with FaultyWire(upstash.redis_url) as wire, client:

        def open_store(clock: Callable[[], float] = time.monotonic, **settings: Any) -> Store:
            return Store(Settings(store_url=wire.url, store_token=Secret(""), **settings), clock)

        yield Rig(wire, open_store, client.execute_command)


LOST = (Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_HTTP, Fault.NOT_JSON, Fault.ERROR_500)
STALLED, REFUSED = (Fault.SILENT, Fault.DRIP), (Fault.REFUSE_400, Fault.REFUSE_401)

LOST_RESP, REFUSED_RESP = (Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_RESP), (Fault.REFUSE_NOAUTH, Fault.REFUSE_NOPERM)

STORES = [
    pytest.param(StoreKind(local, 0.2, LOST, STALLED, REFUSED), id="http"),
    pytest.param(StoreKind(resp, 0.2, LOST_RESP, STALLED, REFUSED_RESP), id="resp"),
    pytest.param(StoreKind(live, 2.0, LOST, STALLED, REFUSED), id="live", marks=pytest.mark.live),
]
