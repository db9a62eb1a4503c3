"""An invocation answers before the platform would cut it off, and no call of the store outlives it."""

import socket
import time
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from vercel_runtime import deadline as runtime

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.environment import read_settings
from shared.errors import StoreUnavailable
from shared.request.deadline import COLD_START_S_MAX, Deadlines
from shared.request.invocation import CURRENT, Invocation
from shared.request.permits import Permits
from shared.store.upstash import Store

DURATION_S = 2
CUT_MARGIN_S = 0.25
MESSAGE = {"items": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def service(behind: Callable[..., httpx.Client]) -> httpx.Client:
    """An instance whose store may take longer than its invocations."""
    client = behind(store_timeout_s=20, max_duration_s=DURATION_S)
    client.get("/v1/usage")  # The first one has less time.
    for _ in range(2):
        client.get("/v1/conversations")  # So does the first of each function; the second has its key confirmed.
    client.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "x"})
    return client


@pytest.mark.parametrize(("method", "is_open"), [("GET", False), ("POST", True)])
def test_a_silent_store_is_given_up_before_the_platform_cuts(
    service: httpx.Client, server: FaultyServer, method: str, is_open: bool
) -> None:
    server.fault = Fault.SILENT
    began_at_s = time.monotonic()
    answer = service.request(method, "/v1/conversations", json=MESSAGE if method == "POST" else None)

    assert time.monotonic() - began_at_s < DURATION_S - CUT_MARGIN_S
    assert (answer.status_code, answer.json()["outcome_unknown"]) == (503, is_open)
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_command_beside_a_script_is_not_awaited_for_longer(upstash: LocalUpstash) -> None:
    store, invocation = Store(read_settings()), Invocation(Permits(), cut_at_s=time.monotonic())
    token = CURRENT.set(invocation)
    upstash.reset()
    try:
        with pytest.raises(StoreUnavailable):
            await store.command("GET", "any")
    finally:
        CURRENT.reset(token)
        await store.close()

    assert upstash.requests == 0


def test_a_body_that_does_not_come_is_given_up_too(service: httpx.Client, key: str) -> None:
    host, port = service.base_url.host, service.base_url.port
    head = f"POST /v1/conversations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: 500\r\n\r\n"
    began_at_s = time.monotonic()
    with socket.create_connection((host, port or 80), timeout=20) as connection:
        connection.sendall(head.encode() + b'{"items"')
        answer = connection.recv(4_096)

    assert time.monotonic() - began_at_s < DURATION_S - CUT_MARGIN_S
    assert answer.startswith(b"HTTP/1.1 503")


def test_the_platforms_own_deadline_wins() -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=7)

    def cut() -> float:
        runtime.set_deadline(deadline.isoformat())  # As the launcher does when an invocation begins.
        return Deadlines(30).cut_at_s()

    assert 6 < copy_context().run(cut) - time.monotonic() <= 7


def test_a_cold_start_takes_of_the_first_invocations_time_only() -> None:
    now_s = time.monotonic()
    deadlines = Deadlines(30, started_at_s=now_s - 3)
    left_s = [round(deadlines.cut_at_s() - now_s) for _ in range(2)]

    assert left_s == [27, 30]
    assert round(Deadlines(30, started_at_s=now_s - 900).cut_at_s() - now_s) == 30 - COLD_START_S_MAX
