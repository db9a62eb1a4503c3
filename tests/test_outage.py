"""The service with its store away: 503 with the time to wait, nothing acknowledged, back by itself."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from shared.store.breaker import COOL_DOWN_FIRST_S, COOL_DOWN_MAX_S

pytestmark = pytest.mark.timing

TIMEOUT_S = 0.2
RECOVERY_S_MAX = 10.0
MESSAGE = {"role": "user", "content": "hello"}
ITEMS = {"items": [MESSAGE]}

CALLS: dict[str, tuple[str, str, Any]] = {
    "health": ("GET", "/api/health", None),
    "count": ("POST", "/v1/tokens/count", {"model": "gpt-4o", "input": "x"}),
    "create": ("POST", "/v1/conversations", ITEMS),
    "list": ("GET", "/v1/conversations", None),
    "retrieve": ("GET", "/v1/conversations/conv_1", None),
    "update": ("POST", "/v1/conversations/conv_1", {"metadata": {"a": "b"}}),
    "delete": ("DELETE", "/v1/conversations/conv_1", None),
    "page": ("GET", "/v1/conversations/conv_1/items", None),
    "append": ("POST", "/v1/conversations/conv_1/items", ITEMS),
    "item": ("GET", "/v1/conversations/conv_1/items/msg_1", None),
    "delete_item": ("DELETE", "/v1/conversations/conv_1/items/msg_1", None),
    "context": ("GET", "/v1/conversations/conv_1/context?budget=500", None),
    "usage": ("GET", "/v1/usage", None),
    "reserve": ("POST", "/v1/reservations", {"tokens": 1}),
}

WRITES = {"create", "update", "delete", "append", "delete_item", "health", "reserve"}
"""What the client cannot know to be a read counts as a write, the bare PING of the health check too."""


@pytest.fixture
def service(behind: Callable[..., httpx.Client]) -> httpx.Client:
    """An instance with the faulty server as its store, called as the test's tenant."""
    return behind(store_timeout_s=TIMEOUT_S)


@pytest.fixture
def call(service: httpx.Client) -> Callable[[str], httpx.Response]:
    def send(name: str) -> httpx.Response:
        method, path, body = CALLS[name]
        return service.request(method, path, json=body)

    return send


def assert_unavailable(answer: httpx.Response, *, outcome_unknown: bool) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert 1 <= int(answer.headers["retry-after"]) <= COOL_DOWN_MAX_S
    problem = answer.json()
    assert problem["type"] == "urn:warmthread:problem:store-unavailable"
    assert problem["outcome_unknown"] is outcome_unknown
    assert problem["error"]["type"] == "server_error"


def open_breaker(server: FaultyServer, call: Callable[[str], httpx.Response], name: str) -> None:
    """Fail until requests are kept back."""
    server.fault = Fault.ERROR_500
    while True:
        before = server.requests
        assert call(name).status_code == 503
        if server.requests == before:
            return


def test_every_route_answers_503_when_connections_are_refused(
    server: FaultyServer, call: Callable[[str], httpx.Response]
) -> None:
    server.leave()

    for name in CALLS:
        assert_unavailable(call(name), outcome_unknown=False)


def test_only_a_write_whose_answer_was_lost_is_of_unknown_outcome(
    server: FaultyServer, call: Callable[[str], httpx.Response]
) -> None:
    for name in CALLS:
        server.fault = Fault.CLOSE
        assert_unavailable(call(name), outcome_unknown=name in WRITES)
        server.fault = Fault.NONE
        assert call("list").status_code == 200  # So that the breaker stays closed.


def test_no_append_is_acknowledged(server: FaultyServer, service: httpx.Client) -> None:
    conversation = service.post("/v1/conversations").json()["id"]
    path = f"/v1/conversations/{conversation}/items"
    for fault in (Fault.SILENT, Fault.TRUNCATE, Fault.NOT_JSON, Fault.ERROR_500, Fault.REFUSE_400):
        server.fault = fault
        assert_unavailable(service.post(path, json=ITEMS), outcome_unknown=fault is not Fault.REFUSE_400)
        server.fault = Fault.NONE
        assert service.get(path).status_code == 200  # So that the breaker stays closed.


def test_a_stalled_store_costs_its_timeout_and_no_more(
    server: FaultyServer, call: Callable[[str], httpx.Response]
) -> None:
    assert call("create").status_code == 200  # The first count loads an encoding.
    server.fault = Fault.SILENT
    began_at_s = time.monotonic()

    assert_unavailable(call("append"), outcome_unknown=True)
    assert time.monotonic() - began_at_s < TIMEOUT_S + 0.5


def test_once_the_breaker_is_open_answers_ask_no_store(
    server: FaultyServer, call: Callable[[str], httpx.Response]
) -> None:
    began_at_s = time.monotonic()
    open_breaker(server, call, "page")
    before = server.requests
    for _ in range(20):
        assert_unavailable(call("append"), outcome_unknown=False)
    trials = server.requests - before

    # None, but on a machine so busy that a cool-down went by meanwhile.
    assert trials <= (time.monotonic() - began_at_s) // (COOL_DOWN_FIRST_S / 2)


def test_an_instance_recovers_by_itself(server: FaultyServer, call: Callable[[str], httpx.Response]) -> None:
    open_breaker(server, call, "create")
    server.leave()
    assert call("create").status_code == 503
    server.fault = Fault.NONE
    server.come_back()
    returned_at_s = time.monotonic()
    while (answer := call("create")).status_code == 503:
        assert time.monotonic() - returned_at_s < RECOVERY_S_MAX
        time.sleep(0.02)

    assert answer.status_code == 200
    assert [call(name).status_code for name in ("create", "list")] == [200, 200]
