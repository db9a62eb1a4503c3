"""One request to the store per call, on a cold instance too, and no more commands than are paid for knowingly."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from scripts.local.upstash import LocalUpstash

Call = Callable[[httpx.Client, str], httpx.Response]


def items(count: int) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": f"message {n}"} for n in range(count)]}


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
    "delete": (5, lambda api, id_: api.delete(f"/v1/conversations/{id_}")),
}
"""Call -> the commands that Upstash bills for it, the EVAL itself and those inside the script."""


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    body = {"items": [{"role": "user", "content": "hi", "id": "msg_1"}, *items(30)["items"]]}
    return str(api.post("/v1/conversations", json=body).json()["id"])


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_one_request_to_the_store(
    api: httpx.Client, upstash: LocalUpstash, conversation: str, billed_commands: Callable[[], int], name: str
) -> None:
    commands, call = CALLS[name]
    before = billed_commands()
    upstash.reset()
    answer = call(api, conversation)
    requests = upstash.requests

    assert answer.status_code == 200, answer.text
    assert requests == 1
    assert billed_commands() - before == commands


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
    upstash.reset()
    context = api.get(f"/v1/conversations/{conversation}/context", params={"budget": 500_000}).json()

    assert context["kept"]["items"] == 3
    assert upstash.requests == 3
