"""
A script that ends half-way leaves nothing half-done: it is refused each of its writes in turn, then called again.

After the refusal the tenant sees what it saw before, or what it would have seen; after the second call, with its
Idempotency-Key or as a client's retry, there is one effect, whole, and the indexes are in step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.faults.server import FaultyServer
from tests.half_way import check_indexes, failures, tenant_seen
from tests.instances import client_of

RETRY = {"x-stainless-retry-count": "1"}

Call = Callable[[httpx.Client, str, dict[str, str]], httpx.Response]


class Operation(NamedTuple):
    """A *call* on a conversation, the *script* that it runs, and the statuses that its repetition may have."""

    script: str
    call: Call
    again: tuple[int, ...] = (200,)
    deleted: int = 0
    """How many of the conversation's items were deleted before."""


def _message(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def _post(path: str, **body: Any) -> Call:
    return lambda api, conversation, headers: api.post(
        f"/v1/conversations{path.replace('ID', conversation)}", json=body, headers=headers
    )


def _delete(path: str) -> Call:
    return lambda api, conversation, headers: api.delete(
        f"/v1/conversations{path.replace('ID', conversation)}", headers=headers
    )


OPERATIONS = {
    "create": Operation("append", _post("", items=[_message("a"), _message("b", id="mine")], metadata={"k": "v"})),
    "create for ever": Operation("append", _post("", items=[_message("a")], expires_after_s=0)),
    "create empty": Operation("append", _post("")),
    "append": Operation(
        "append", _post("/ID/items", items=[_message("a"), _message("b"), {**_message("c"), "role": "system"}])
    ),
    "update": Operation("update", _post("/ID", metadata={"k": "new"})),
    "delete item": Operation("delete_item", _delete("/ID/items/item_1"), again=(200, 404)),
    "summary": Operation("summary", _post("/ID/summary", through="item_1", text="so far")),
    "fork": Operation("fork", _post("/ID/fork")),
    "fork after": Operation("fork", _post("/ID/fork", after="item_2", metadata={"k": "fork"}), deleted=1),
    "delete": Operation("delete", _delete("/ID"), again=(200, 404)),
    "compact": Operation("compact", _post("/ID/compact"), deleted=3),
}


def begin(api: httpx.Client, deleted: int) -> str:
    """Make a conversation with items of all kinds, a summary and what compaction takes out; return its id."""
    items = [{**_message(f"item {at}", id=f"item_{at}"), **({"role": "system"} if at == 4 else {})} for at in range(6)]
    body = {"items": items, "metadata": {"k": "old"}, "expires_after_s": 5_000}
    conversation = str(api.post("/v1/conversations", json=body).json()["id"])
    path = f"/v1/conversations/{conversation}"
    for at in range(deleted):
        assert api.delete(f"{path}/items/item_{3 + at}").status_code == 200
    if deleted:
        assert api.post(f"{path}/summary", json={"through": "item_0", "text": "the first"}).status_code == 200
        assert api.post(path, json={"metadata": {"k": "newer"}}).status_code == 200
    return conversation


@pytest.mark.parametrize("keyed", [True, False], ids=["key", "no key"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_write_of_a_change_can_be_refused(
    name: str,
    keyed: bool,
    behind: Callable[..., httpx.Client],
    server: FaultyServer,
    service_url: str,
    mint: Callable[[], str],
    tenant_of: Callable[[str], str],
    run: Callable[..., Any],
) -> None:
    operation, instance = OPERATIONS[name], behind()

    def headers(nth: int) -> dict[str, str]:
        return {"idempotency-key": f"attempt-{nth}"} if keyed else {}

    for nth in failures(server, operation.script):
        key = mint()
        with client_of(service_url, key) as api, client_of(str(instance.base_url), key) as faulty:
            conversation = begin(api, operation.deleted)
            before = tenant_seen(api)
            first = operation.call(faulty, conversation, headers(nth))
            between = tenant_seen(api)
            again = operation.call(faulty, conversation, headers(nth) if keyed else RETRY)
            after = tenant_seen(api)
        with client_of(service_url, mint()) as api:
            operation.call(api, begin(api, operation.deleted), {})
            expected = tenant_seen(api)

        assert first.status_code in (200, 503), first.text
        if first.status_code == 503:
            assert first.json()["outcome_unknown"] is True
            assert again.status_code in operation.again, again.text
            assert between in (before, expected)
            assert after == expected
            check_indexes(run, tenant_of(key))
