"""One request to the store per call, on a cold instance too, and no more commands than are paid for knowingly."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash

Call = Callable[[httpx.Client, str], httpx.Response]
Prepare = Callable[[httpx.Client, str], tuple[Any, Callable[[Any], httpx.Response]]]


def items(count: int) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": f"message {n}"} for n in range(count)]}


RESERVING, DOCUMENT_HELD = 24, 5
SUMMARY = {"through": "msg_1", "text": "They said hi."}

CALLS: dict[str, tuple[int, Call]] = {
    "create": (7, lambda api, _: api.post("/v1/conversations", json=items(10))),
    "list": (4, lambda api, _: api.get("/v1/conversations")),
    "list_filtered": (4, lambda api, _: api.get("/v1/conversations", params={"metadata[a]": "b"})),
    "retrieve": (3, lambda api, id_: api.get(f"/v1/conversations/{id_}")),
    "update": (7, lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"metadata": {"a": "b"}})),
    "append": (6, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=items(10))),
    "page": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/items", params={"limit": 20})),
    "item": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/items/msg_1")),
    "delete_item": (7, lambda api, id_: api.delete(f"/v1/conversations/{id_}/items/msg_1")),
    "context": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/context", params={"budget": 500})),
    "count": (2, lambda api, _: api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "x"})),
    "usage": (6, lambda api, _: api.get("/v1/usage")),
    "reserve": (12, lambda api, _: api.post("/v1/reservations", json={"tokens": 1})),
    "delete": (6, lambda api, id_: api.delete(f"/v1/conversations/{id_}")),
    "fork": (9, lambda api, id_: api.post(f"/v1/conversations/{id_}/fork")),
    "fork_after": (10, lambda api, id_: api.post(f"/v1/conversations/{id_}/fork", json={"after": "msg_1"})),
    "summary": (7, lambda api, id_: api.post(f"/v1/conversations/{id_}/summary", json=SUMMARY)),
    "compact": (3, lambda api, id_: api.post(f"/v1/conversations/{id_}/compact")),
}
"""Call -> the commands that Upstash bills for it, the EVAL itself and those inside the script."""

RESERVED = {"usage": {"input_tokens": 1, "output_tokens": 1}}


def reserved(api: httpx.Client) -> str:
    return str(api.post("/v1/reservations", json={"tokens": 9}).json()["id"])


PREPARED: dict[str, tuple[int, Prepare]] = {
    "list_after": (
        5,
        lambda api, id_: (
            api.post("/v1/conversations").json()["id"],
            lambda last: api.get("/v1/conversations", params={"after": last}),
        ),
    ),
    "append_settling": (
        15,
        lambda api, id_: (
            reserved(api),
            lambda name: api.post(
                f"/v1/conversations/{id_}/items", json={**items(10), **RESERVED, "reservation": name}
            ),
        ),
    ),
    "context_again": (
        3,
        lambda api, id_: (
            api.get(f"/v1/conversations/{id_}/context?budget=500"),
            lambda _: api.get(f"/v1/conversations/{id_}/context?budget=500"),
        ),
    ),
    "settle": (
        11,
        lambda api, _: (reserved(api), lambda name: api.post(f"/v1/reservations/{name}/settle", json={"tokens": 1})),
    ),
    "release": (9, lambda api, _: (reserved(api), lambda name: api.delete(f"/v1/reservations/{name}"))),
    "compact_sparse": (
        7,
        lambda api, id_: (
            api.delete(f"/v1/conversations/{id_}/items/msg_1"),
            lambda _: api.post(f"/v1/conversations/{id_}/compact"),
        ),
    ),
}
"""The same for calls that need something first: what that gives, and the call that takes it."""

KEYED = {"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
HELD = {"if-match": '"31"'}

CONDITIONAL: dict[str, tuple[int, Call]] = {
    "create_keyed": (9, lambda api, _: api.post("/v1/conversations", json=items(10), headers=KEYED)),
    "update_keyed": (9, lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"metadata": {}}, headers=KEYED)),
    "append_keyed": (8, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=items(10), headers=KEYED)),
    "append_held": (6, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=items(10), headers=HELD)),
    "delete_item_keyed": (9, lambda api, id_: api.delete(f"/v1/conversations/{id_}/items/msg_1", headers=KEYED)),
    "delete_keyed": (7, lambda api, id_: api.delete(f"/v1/conversations/{id_}", headers=KEYED)),
    "delete_held": (7, lambda api, id_: api.delete(f"/v1/conversations/{id_}", headers=HELD)),
}
"""The same with an Idempotency-Key, or with If-Match."""


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


def test_a_request_that_comes_again_costs_less_than_the_first_time(
    api: httpx.Client, upstash: LocalUpstash, conversation: str, billed_commands: Callable[[], int]
) -> None:
    _, append = CONDITIONAL["append_keyed"]
    append(api, conversation)
    before = billed_commands()
    upstash.reset()
    answer = append(api, conversation)

    assert answer.headers["idempotency-replayed"] == "true"
    assert (upstash.requests, billed_commands() - before) == (1, 3)


def test_a_cold_instance_needs_no_more_than_a_warm_one(
    make_service: Callable[[], str], upstash: LocalUpstash, conversation: str, key: str
) -> None:
    with httpx.Client(base_url=make_service(), headers={"authorization": f"Bearer {key}"}) as cold:
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
