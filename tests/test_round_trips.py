"""One request to the store per call, on a cold instance too, and no more commands than are paid for knowingly."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scripts.local.upstash import LocalUpstash
from tests.api_calls import (
    CALLS,
    CONDITIONAL,
    DOCUMENT_DELETED,
    DOCUMENT_HELD,
    DOCUMENT_KEYED,
    DOCUMENT_LISTED,
    DOCUMENT_MADE,
    DOCUMENT_WRITTEN,
    PREPARED,
    RESERVING,
    items,
)
from tests.instances import client_of


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    body = {"items": [{"role": "user", "content": "hi", "id": "msg_1"}, *items(30)["items"]]}
    return str(api.post("/v1/conversations", json=body).json()["id"])


@pytest.mark.parametrize("name", [*CALLS, *CONDITIONAL])
def test_a_call_is_one_request_to_the_store(
    api: httpx.Client, upstash: LocalUpstash, conversation: str, billed_commands: Callable[[], int], name: str
) -> None:
    commands, call = (CALLS | CONDITIONAL)[name]
    before = billed_commands()
    upstash.reset()
    answer = call(api, conversation)
    requests = upstash.requests

    assert answer.status_code == 200, answer.text
    assert requests == 1
    assert billed_commands() - before == commands


@pytest.mark.parametrize("name", PREPARED)
def test_a_call_on_what_is_there_is_one_request_to_the_store(
    api: httpx.Client, upstash: LocalUpstash, conversation: str, billed_commands: Callable[[], int], name: str
) -> None:
    commands, prepare = PREPARED[name]
    given, call = prepare(api, conversation)
    before = billed_commands()
    upstash.reset()
    answer = call(given)
    requests = upstash.requests

    assert answer.status_code == 200, answer.text
    assert (requests, billed_commands() - before) == (1, commands)


def test_a_context_that_reserves_gives_back_in_a_second_request(
    api: httpx.Client, upstash: LocalUpstash, conversation: str, billed_commands: Callable[[], int]
) -> None:
    path = f"/v1/conversations/{conversation}/context"
    assert api.get(path, params={"budget": 500}).status_code == 200
    before = billed_commands()
    upstash.reset()
    assert api.post(path, json={"budget": 500, "reserve": True}).status_code == 200
    within = upstash.requests  # The second one may have come already.
    give_up_at_s = time.monotonic() + 10
    while billed_commands() - before < RESERVING:  # After the response.
        assert time.monotonic() < give_up_at_s

    assert within in (1, 2)
    assert billed_commands() - before == RESERVING


def test_a_document_that_the_instance_has_is_one_request(
    api: httpx.Client,
    upstash: LocalUpstash,
    billed_commands: Callable[[], int],
    documents_folder: Path,
    tenant: str,
) -> None:
    (documents_folder / tenant).mkdir()
    (documents_folder / tenant / "a.md").write_text("hello")
    costs = []
    for _ in range(8):
        before = billed_commands()
        upstash.reset()
        assert api.get("/v1/documents/a.md").status_code == 200
        costs.append((upstash.requests, billed_commands() - before))

    # Some of them also have what the first one left to do after its answer.
    assert min(costs) == (1, DOCUMENT_HELD)


def test_a_document_is_written_and_deleted_in_two_requests_and_listed_in_one(
    api: httpx.Client, upstash: LocalUpstash, billed_commands: Callable[[], int]
) -> None:
    path, keyed = "/v1/documents/a.md", {"idempotency-key": "a"}
    assert api.get("/v1/documents").status_code == 200
    costs = []
    calls: list[Callable[[], httpx.Response]] = [
        lambda: api.put(path, content="new"),
        lambda: api.put(path, content="newer"),
        lambda: api.put(path, content="newest", headers=keyed),
        lambda: api.get("/v1/documents"),
        lambda: api.delete(path),
    ]
    for call in calls:
        before = billed_commands()
        upstash.reset()
        assert call().status_code == 200
        costs.append((upstash.requests, billed_commands() - before))

    assert costs == [
        (2, DOCUMENT_MADE),
        (2, DOCUMENT_WRITTEN),
        (2, DOCUMENT_WRITTEN + DOCUMENT_KEYED),
        (1, DOCUMENT_LISTED),
        (2, DOCUMENT_DELETED),
    ]


def test_a_request_that_comes_again_costs_less_than_the_first_time(
    api: httpx.Client, upstash: LocalUpstash, conversation: str, billed_commands: Callable[[], int]
) -> None:
    _, append = CONDITIONAL["append_keyed"]
    append(api, conversation)
    before = billed_commands()
    upstash.reset()
    answer = append(api, conversation)

    assert answer.headers["idempotency-replayed"] == "true"
    assert (upstash.requests, billed_commands() - before) == (1, 4)


def test_a_cold_instance_needs_no_more_than_a_warm_one(
    make_service: Callable[[], str], upstash: LocalUpstash, conversation: str, key: str
) -> None:
    with client_of(make_service(), key) as cold:
        upstash.reset()
        answer = cold.get(f"/v1/conversations/{conversation}/context", params={"budget": 500})

        assert (answer.status_code, upstash.requests) == (200, 1)


def test_a_large_conversation_costs_a_request_per_four_megabytes(api: httpx.Client, upstash: LocalUpstash) -> None:
    conversation = api.post("/v1/conversations").json()["id"]
    for _ in range(3):
        body = {"items": [{"role": "user", "content": "x" * 1_000_000} for _ in range(3)]}
        assert api.post(f"/v1/conversations/{conversation}/items", json=body).status_code == 200
    requests = {}
    for budget, kept in ((500_000, 3), (10_000_000, 9)):
        upstash.reset()
        context = api.get(f"/v1/conversations/{conversation}/context", params={"budget": budget}).json()
        assert context["kept"]["items"] == kept
        requests[budget] = upstash.requests

    assert requests == {500_000: 2, 10_000_000: 3}
