"""Every call of the API that tells of its cost, and the commands that Upstash bills for it."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.exports import pages_of, renamed, send

Call = Callable[[httpx.Client, str], httpx.Response]
Prepare = Callable[[httpx.Client, str], tuple[Any, Callable[[Any], httpx.Response]]]


def items(count: int) -> dict[str, Any]:
    return {"items": [{"role": "user", "content": f"message {n}"} for n in range(count)]}


RESERVING, DOCUMENT_HELD = 17, 5
DOCUMENT_LISTED, DOCUMENT_DELETED = 2, 12
DOCUMENT_WRITTEN, DOCUMENT_MADE, DOCUMENT_KEYED = 15, 16, 2
"""What there is written anew, what there is not, and what an Idempotency-Key adds."""

OTHERS = {
    "reserving": RESERVING,
    "document_held": DOCUMENT_HELD,
    "document_listed": DOCUMENT_LISTED,
    "document_written": DOCUMENT_WRITTEN,
    "document_made": DOCUMENT_MADE,
    "document_keyed": DOCUMENT_KEYED,
    "document_deleted": DOCUMENT_DELETED,
}
"""What is billed for calls that are more than one request, or need what a test makes."""

OWNERS = {"user": "anna", "agent": "support"}
TURN = {**items(2), "context": {"budget": 500}}
SUMMARY = {"through": "msg_1", "text": "They said hi."}

CALLS: dict[str, tuple[int, Call]] = {
    "create": (9, lambda api, _: api.post("/v1/conversations", json=items(10))),
    "create_as": (10, lambda api, _: api.post("/v1/conversations", json={**items(10), "id": "conv_mine"})),
    "create_owned": (11, lambda api, _: api.post("/v1/conversations", json={**items(10), **OWNERS})),
    "update_owners": (10, lambda api, id_: api.post(f"/v1/conversations/{id_}", json=OWNERS)),
    "list": (4, lambda api, _: api.get("/v1/conversations")),
    "list_filtered": (4, lambda api, _: api.get("/v1/conversations", params={"metadata[a]": "b"})),
    "retrieve": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}")),
    "update": (8, lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"metadata": {"a": "b"}})),
    "update_shorter": (9, lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"expires_after_s": 60})),
    "export": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/export")),
    "append": (6, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=items(10))),
    "append_context": (7, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=TURN)),
    "page": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/items", params={"limit": 20})),
    "item": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/items/msg_1")),
    "delete_item": (7, lambda api, id_: api.delete(f"/v1/conversations/{id_}/items/msg_1")),
    "context": (4, lambda api, id_: api.get(f"/v1/conversations/{id_}/context", params={"budget": 500})),
    "count": (2, lambda api, _: api.post("/v1/tokens/count", json={"model": "gpt-4o", "input": "x"})),
    "usage": (6, lambda api, _: api.get("/v1/usage")),
    "reserve": (10, lambda api, _: api.post("/v1/reservations", json={"tokens": 1})),
    "delete": (9, lambda api, id_: api.delete(f"/v1/conversations/{id_}")),
    "fork": (13, lambda api, id_: api.post(f"/v1/conversations/{id_}/fork")),
    "fork_after": (14, lambda api, id_: api.post(f"/v1/conversations/{id_}/fork", json={"after": "msg_1"})),
    "summary": (7, lambda api, id_: api.post(f"/v1/conversations/{id_}/summary", json=SUMMARY)),
    "compact": (3, lambda api, id_: api.post(f"/v1/conversations/{id_}/compact")),
}
"""Call -> the commands that Upstash bills for it, the EVAL itself and those inside the script."""

RESERVED = {"usage": {"input_tokens": 1, "output_tokens": 1}}


def reserved(api: httpx.Client) -> str:
    return str(api.post("/v1/reservations", json={"tokens": 9}).json()["id"])


def owned(api: httpx.Client) -> str:
    return str(api.post("/v1/conversations", json={**items(10), **OWNERS}).json()["id"])


def again(path: str) -> Prepare:
    """A read of what the instance holds and nothing was written to since."""

    def prepare(api: httpx.Client, conversation: str) -> tuple[str, Callable[[str], httpx.Response]]:
        url = f"/v1/conversations/{conversation}{path}"
        assert api.get(url).status_code == 200
        return url, api.get

    return prepare


def summarised(api: httpx.Client, id_: str) -> str:
    path = f"/v1/conversations/{id_}/summary"
    assert api.post(path, json=SUMMARY).status_code == 200
    return path


PREPARED: dict[str, tuple[int, Prepare]] = {
    "retrieve_again": (3, again("")),
    "page_again": (3, again("/items?limit=20")),
    "item_again": (3, again("/items/msg_1")),
    "list_after": (
        5,
        lambda api, id_: (
            api.post("/v1/conversations").json()["id"],
            lambda last: api.get("/v1/conversations", params={"after": last}),
        ),
    ),
    "list_user": (
        5,
        lambda api, _: (owned(api), lambda _: api.get("/v1/conversations", params={"user": "anna"})),
    ),
    "list_user_and_agent": (
        7,
        lambda api, _: (owned(api), lambda _: api.get("/v1/conversations", params=OWNERS)),
    ),
    "update_given_away": (
        10,
        lambda api, _: (owned(api), lambda id_: api.post(f"/v1/conversations/{id_}", json={"user": "berta"})),
    ),
    "update_of_an_owner": (
        8,
        lambda api, _: (owned(api), lambda id_: api.post(f"/v1/conversations/{id_}", json={"metadata": {"a": "b"}})),
    ),
    "append_owned": (
        6,
        lambda api, _: (owned(api), lambda id_: api.post(f"/v1/conversations/{id_}/items", json=items(10))),
    ),
    "fork_owned": (15, lambda api, _: (owned(api), lambda id_: api.post(f"/v1/conversations/{id_}/fork"))),
    "delete_owned": (11, lambda api, _: (owned(api), lambda id_: api.delete(f"/v1/conversations/{id_}"))),
    "append_settling": (
        13,
        lambda api, id_: (
            reserved(api),
            lambda name: api.post(
                f"/v1/conversations/{id_}/items", json={**items(10), **RESERVED, "reservation": name}
            ),
        ),
    ),
    "context_again": (3, again("/context?budget=500")),
    "append_context_again": (
        6,
        lambda api, id_: (
            api.post(f"/v1/conversations/{id_}/items", json=TURN),
            lambda _: api.post(f"/v1/conversations/{id_}/items", json=TURN),
        ),
    ),
    "append_context_settling": (
        14,
        lambda api, id_: (
            reserved(api),
            lambda name: api.post(f"/v1/conversations/{id_}/items", json={**TURN, **RESERVED, "reservation": name}),
        ),
    ),
    "import": (14, lambda api, id_: (renamed(pages_of(api, id_)[0], "conv_copy"), lambda page: send(api, page))),
    "settle": (
        9,
        lambda api, _: (reserved(api), lambda name: api.post(f"/v1/reservations/{name}/settle", json={"tokens": 1})),
    ),
    "release": (9, lambda api, _: (reserved(api), lambda name: api.delete(f"/v1/reservations/{name}"))),
    "summary_again": (8, lambda api, id_: (summarised(api, id_), lambda url: api.post(url, json=SUMMARY))),
    "summary_read": (4, lambda api, id_: (summarised(api, id_), api.get)),
    "summary_deleted": (7, lambda api, id_: (summarised(api, id_), api.delete)),
    "delete_item_summarised": (
        8,
        lambda api, id_: (
            summarised(api, id_),
            lambda _: api.delete(f"/v1/conversations/{id_}/items/msg_1"),
        ),
    ),
    "compact_sparse": (
        11,
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
    "create_keyed": (11, lambda api, _: api.post("/v1/conversations", json=items(10), headers=KEYED)),
    "update_keyed": (10, lambda api, id_: api.post(f"/v1/conversations/{id_}", json={"metadata": {}}, headers=KEYED)),
    "append_keyed": (8, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=items(10), headers=KEYED)),
    "append_context_keyed": (9, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=TURN, headers=KEYED)),
    "append_held": (6, lambda api, id_: api.post(f"/v1/conversations/{id_}/items", json=items(10), headers=HELD)),
    "reserve_keyed": (13, lambda api, _: api.post("/v1/reservations", json={"tokens": 1}, headers=KEYED)),
    "delete_item_keyed": (9, lambda api, id_: api.delete(f"/v1/conversations/{id_}/items/msg_1", headers=KEYED)),
    "delete_keyed": (11, lambda api, id_: api.delete(f"/v1/conversations/{id_}", headers=KEYED)),
    "delete_held": (9, lambda api, id_: api.delete(f"/v1/conversations/{id_}", headers=HELD)),
}
"""The same with an Idempotency-Key, or with If-Match."""
