"""A request of every route that tenants call, which a key of the least role has answered with 200."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from scripts.openapi.routes import routes
from shared.request.caller import make_key, read_key
from shared.request.roles import ROLES, is_enough
from shared.routes import TENANT, Route
from shared.store.keys import tenant_key
from tests.exports import pages_of, renamed

CONVERSATION = "/v1/conversations/{conversation_id}"
ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "Where is the key?", "id": "msg_1"},
    {"role": "assistant", "content": "Under the mat.", "id": "msg_2"},
]
MORE = {"items": [{"role": "user", "content": "And the door?"}]}
SUMMARY = {"through": "msg_2", "text": "The key is under the mat."}


class World(NamedTuple):
    """What there is of a tenant for requests to be about; *names*: by the parameter of a path."""

    names: dict[str, str]
    page: bytes
    """Of an export."""
    folder: Path
    """The tenant's documents."""

    def files(self) -> dict[str, bytes]:
        return {each.name: each.read_bytes() for each in self.folder.iterdir()}


def make_world(api: httpx.Client, tenant: str, documents: Path) -> World:
    """Make all of it anew through *api*, whose key may do everything."""
    body = {"items": ITEMS, "expires_after_s": 0}
    conversation = api.post("/v1/conversations", json=body).raise_for_status().json()["id"]
    path = CONVERSATION.format(conversation_id=conversation)
    page = renamed(pages_of(api, conversation)[0], f"conv_of_{conversation[-20:]}")
    api.post(f"{path}/summary", json=SUMMARY).raise_for_status()
    reservation = api.post("/v1/reservations", json={"tokens": 5}).raise_for_status().json()["id"]
    (documents / tenant).mkdir(exist_ok=True)
    (documents / tenant / "a.md").write_text("Closed on Mondays.")
    names = {"conversation_id": conversation, "item_id": "msg_1", "reservation_id": reservation}
    names |= {"path": "a.md", "user": "anna"}
    return World(names, page, documents / tenant)


class Asking(NamedTuple):
    """*name*: of its test. *role*: what it takes at least. *more*: what httpx is to send, of a world."""

    name: str
    route: Route
    role: str
    more: Callable[[World], dict[str, Any]]

    def send(self, api: httpx.Client, world: World) -> httpx.Response:
        path = self.route.template.format(**world.names)
        return api.request(self.route.method, path, **self.more(world))


BODIES: dict[str, Callable[[World], dict[str, Any]]] = {
    "create": lambda _: {"json": MORE},
    "append": lambda _: {"json": {**MORE, "context": {"budget": 500}}},
    "update": lambda _: {"json": {"metadata": {"a": "b"}}},
    "fork": lambda _: {"json": {}},
    "summarise": lambda _: {"json": SUMMARY},
    "import_conversation": lambda world: {"content": world.page},
    "context": lambda _: {"params": {"budget": 500}},
    "context_for_call": lambda _: {"json": {"budget": 500}},
    "count": lambda _: {"json": {"model": "gpt-4o", "input": "How many?"}},
    "reserve": lambda _: {"json": {"tokens": 5}},
    "settle": lambda _: {"json": {"tokens": 5}},
    "put_document": lambda _: {"content": b"Closed on Tuesdays."},
}
"""Operation -> what its request has besides the path, where it has anything."""

WITH = {("context_for_call", "reserve"): {"json": {"budget": 500, "reserve": True}}}
"""Operation and parameter -> the request that takes another role for it."""


def askings() -> Iterator[Asking]:
    """Yield a request of every route that takes a tenant's key, and one for each parameter that takes another role."""
    for route in routes():
        if route.key != TENANT:
            continue
        yield Asking(route.operation, route, route.role, BODIES.get(route.operation, lambda _: {}))
        for parameter, _ in route.role_with:
            sent = WITH[route.operation, parameter]
            role = route.role_for({parameter: True})
            yield Asking(f"{route.operation} with {parameter}", route, role, lambda _, sent=sent: dict(sent))  # type: ignore[misc]


ASKINGS = {each.name: each for each in askings()}


def allowed_of(role: str) -> list[str]:
    return [name for name, each in ASKINGS.items() if is_enough(role, each.role)]


def key_with(run: Callable[..., Any], tenant: str, role: str) -> str:
    """Make a key of *tenant* and return it; *role* may be none that there is."""
    caller = read_key(key := make_key(tenant))
    run("HSET", tenant_key(tenant), f"k:{caller.key_hash}", f"0 {role}" if role != "full" else "0")
    return key


def key_of_each(run: Callable[..., Any], tenant: str) -> dict[str, str]:
    return {role: key_with(run, tenant, role) for role in ROLES}
