"""The changes that are made to end half-way, and what they change."""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx

from tests.exports import page

Call = Callable[[httpx.Client, str, dict[str, str]], httpx.Response]


def _message(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


EXPORT = page(
    {"type": "conversation", "id": "conv_copy", "created_at": 7, "metadata": {"k": "v"}, "version": 9, "user": "carla"},
    {"type": "item", "created_at": 7, "tokens_before": 0, "item": _message("one", id="one")},
    {"type": "gone", "id": "two"},
    {"type": "item", "created_at": 8, "tokens_before": 20, "item": {**_message("three", id="three"), "role": "system"}},
    {"type": "summary", "id": "note", "through": "two", "created_at": 9, "text": "so far"},
    {"type": "item", "created_at": 9, "tokens_before": 40, "item": _message("four", id="four")},
)


class Operation(NamedTuple):
    """A *call* on a conversation, the *script* that it runs, and the statuses that its repetition may have."""

    script: str
    call: Call
    again: tuple[int, ...] = (200,)
    deleted: int = 0
    """How many of the conversation's items were deleted before."""


def _post(path: str, **body: Any) -> Call:
    return lambda api, conversation, headers: api.post(
        f"/v1/conversations{path.replace('ID', conversation)}", json=body, headers=headers
    )


def _delete(path: str) -> Call:
    return lambda api, conversation, headers: api.delete(
        f"/v1/conversations{path.replace('ID', conversation)}", headers=headers
    )


def _import(api: httpx.Client, _: str, headers: dict[str, str]) -> httpx.Response:
    """An import of one part: it comes again as it is, whatever its headers."""
    return api.post("/v1/conversations/import", content=EXPORT, headers=headers)


OPERATIONS = {
    "create": Operation("append", _post("", items=[_message("a"), _message("b", id="mine")], metadata={"k": "v"})),
    "create for ever": Operation("append", _post("", items=[_message("a")], expires_after_s=0)),
    "create empty": Operation("append", _post("")),
    "create by an id": Operation("append", _post("", items=[_message("a")], id="conv_of-a-client")),
    "create for somebody": Operation("append", _post("", items=[_message("a")], user="berta", agent="other")),
    "append": Operation(
        "append", _post("/ID/items", items=[_message("a"), _message("b"), {**_message("c"), "role": "system"}])
    ),
    "append with context": Operation(
        "append_read", _post("/ID/items", items=[_message("a"), _message("b")], context={"budget": 500})
    ),
    "update": Operation("update", _post("/ID", metadata={"k": "new"})),
    "update to live longer": Operation("update", _post("/ID", expires_after_s=50_000)),
    "update to live shorter": Operation("update", _post("/ID", expires_after_s=500, metadata={"k": "new"})),
    "update to live for ever": Operation("update", _post("/ID", expires_after_s=None)),
    "update whose it is": Operation("update", _post("/ID", user="berta", agent="other")),
    "update to nobody's": Operation("update", _post("/ID", user=None, agent=None, metadata={"k": "new"})),
    "delete item": Operation("delete_item", _delete("/ID/items/item_1"), again=(200, 404)),
    "summary": Operation("summary", _post("/ID/summary", through="item_1", text="so far")),
    "summary again": Operation("summary", _post("/ID/summary", through="item_1", text="so far"), deleted=1),
    "delete summary": Operation("delete_summary", _delete("/ID/summary"), again=(200, 404), deleted=1),
    "fork": Operation("fork", _post("/ID/fork")),
    "fork for another": Operation("fork", _post("/ID/fork", agent="other")),
    "fork after": Operation("fork", _post("/ID/fork", after="item_2", metadata={"k": "fork"}), deleted=1),
    "delete": Operation("delete", _delete("/ID"), again=(200, 404)),
    "compact": Operation("compact", _post("/ID/compact"), deleted=3),
    "import": Operation("import_part", _import),
}


def begin(api: httpx.Client, deleted: int) -> str:
    """Make a conversation with items of all kinds, a summary and what compaction takes out; return its id."""
    items = [{**_message(f"item {at}", id=f"item_{at}"), **({"role": "system"} if at == 4 else {})} for at in range(6)]
    body = {"items": items, "metadata": {"k": "old"}, "expires_after_s": 5_000, "user": "anna", "agent": "bot"}
    conversation = str(api.post("/v1/conversations", json=body).json()["id"])
    path = f"/v1/conversations/{conversation}"
    for at in range(deleted):
        assert api.delete(f"{path}/items/item_{3 + at}").status_code == 200
    if deleted:
        assert api.post(f"{path}/summary", json={"through": "item_0", "text": "the first"}).status_code == 200
        assert api.post(path, json={"metadata": {"k": "newer"}}).status_code == 200
    return conversation
