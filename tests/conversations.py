"""What tests of limits do with conversations: make them, change them in every way, and look at all that is stored."""

from collections.abc import Callable
from typing import Any

import httpx

from shared.store import keys
from tests.bearers import CRON

MESSAGE = {"items": [{"role": "user", "content": "And in Rome?"}]}
Call = Callable[[httpx.Client, str], httpx.Response]

WRITES: dict[str, Call] = {
    "create": lambda api, _: api.post("/v1/conversations", json=MESSAGE),
    "append": lambda api, path: api.post(f"{path}/items", json=MESSAGE),
    "append with context": lambda api, path: api.post(f"{path}/items", json={**MESSAGE, "context": {"budget": 500}}),
    "update": lambda api, path: api.post(path, json={"metadata": {"k": "new"}}),
    "delete item": lambda api, path: api.delete(f"{path}/items/item_2"),
    "summary": lambda api, path: api.post(f"{path}/summary", json={"through": "item_1", "text": "so far"}),
    "fork": lambda api, path: api.post(f"{path}/fork", json={}),
    "compact": lambda api, path: api.post(f"{path}/compact", json={}),
}


def begin(api: httpx.Client, **more: Any) -> str:
    """Make a conversation of five items, one of them deleted; return its path."""
    items = [{"role": "user", "content": f"item {at}", "id": f"item_{at}"} for at in range(5)]
    path = f"/v1/conversations/{api.post('/v1/conversations', json={'items': items, **more}).json()['id']}"
    assert api.delete(f"{path}/items/item_4").status_code == 200
    return path


def everything(run: Callable[..., Any], tenant: str) -> dict[str, Any]:
    """Return all that the store holds of a tenant, but for its permits."""
    found: dict[str, Any] = {}
    for name in run("KEYS", keys.tenant_key(tenant).removesuffix("tenant") + "*"):
        kind = run("TYPE", name)
        read = {"hash": ("HGETALL",), "zset": ("ZRANGE", 0, -1, "WITHSCORES"), "string": ("GET",)}[kind]
        value = run(read[0], name, *read[1:])
        if kind == "hash":
            fields = dict(zip(value[::2], value[1::2], strict=True))
            fields.pop("tat", None)
            value = sorted(fields.items())
        found[name] = value
    return found


def check_bytes(run: Any, tenant: str) -> None:
    """What is counted of the tenant's bytes is what its conversations take."""
    names = run("KEYS", keys.conversation_key(tenant, "*"))
    assert int(run("HGET", keys.tenant_key(tenant), "bytes")) == sum(int(run("HGET", name, "b")) for name in names)


def sweep(api: httpx.Client) -> None:
    """Run the sweep to its end."""
    assert api.get("/api/cron/sweep", headers=CRON).json()["conversations"]["outcome"] == "done"
