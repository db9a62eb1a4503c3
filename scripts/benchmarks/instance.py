"""
Instances of the service in this process, called as ASGI applications: no socket in front, the real store behind.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Scope

from api.conversations import app
from scripts.benchmarks.worker import Item, Place
from shared.app import lifespan
from shared.conversations.conversation import Conversation
from shared.conversations.history import History
from shared.conversations.needs import Need
from shared.request.caller import read_key
from shared.request.freshness import Freshness, Tier
from shared.setting import RESP_SCHEMES, RESP_VARIABLE
from shared.store.upstash import Store

CREATE_BATCH = 100
HOLD = "WARMTHREAD_METRICS_HOLD_S"
NOTHING_ELSE: Mapping[str, Any] = {}


class CallError(RuntimeError):
    """The service refused a call; the text is its answer."""


class Instance:
    """One function instance: the app of api/conversations.py with the state of its own lifespan."""

    def __init__(self, place: Place, headers: dict[str, str], application: ASGIApp = app) -> None:
        sent = {"authorization": f"Bearer {place.key}", "content-type": "application/json", **headers}
        self._headers = [(name.encode(), value.encode()) for name, value in sent.items()]
        self._place = place
        self._app = application
        self._state: dict[str, Any] = {}
        self._resources = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> "Instance":
        before = dict(os.environ)
        if self._place.store_url.startswith(RESP_SCHEMES):
            os.environ[RESP_VARIABLE] = self._place.store_url
        os.environ["UPSTASH_REDIS_REST_URL"] = self._place.store_url
        os.environ["UPSTASH_REDIS_REST_TOKEN"] = self._place.store_token
        os.environ.setdefault("WARMTHREAD_LOG_LEVEL", "off")  # Tables and replies go to stdout.
        os.environ[HOLD] = "0"  # `settle` would wait for it.
        try:
            self._state = dict(await self._resources.enter_async_context(lifespan(app)))
        finally:
            for name in (RESP_VARIABLE, "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN", HOLD):
                os.environ.pop(name, None)
                os.environ |= {name: before[name]} if name in before else {}
        return self

    def beside(
        self, key: str, headers: dict[str, str], application: ASGIApp = app, state: Mapping[str, Any] = NOTHING_ELSE
    ) -> "Instance":
        """
        Return the same instance as the caller with *key* meets it, or another *application* over its state, or with
        some *state* of its own.
        """
        other = Instance(self._place._replace(key=key), headers, application)
        other._state = {**self._state, **state} if state else self._state
        return other

    @property
    def state(self) -> dict[str, Any]:
        """What the requests of this instance share."""
        return self._state

    @property
    def store(self) -> Store:
        """The client of the store that this instance uses."""
        store: Store = self._state["store"]
        return store

    async def read_l1(self, path: str) -> None:
        """Do the cache's part of a context whose caller takes an answer up to a minute old."""
        history: History = self._state["history"]
        conversation = Conversation(read_key(self._place.key), path.rpartition("/")[2])
        reading = await history.read(conversation, Need(0), Freshness(max_age_s=60))
        assert reading.tier is Tier.L0

    async def settle(self) -> None:
        """Wait for what goes on after the answers."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await self.settle()
        await self._resources.aclose()

    async def call(self, method: str, path: str, query: str = "", body: object = None) -> Any:
        """
        Send one request and return the JSON of its answer, as soon as that is complete.

        Raises:   CallError: the status is not 200.
        """
        raw = b"" if body is None else orjson.dumps(body)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [*self._headers, (b"content-length", b"%d" % len(raw))],
            "state": dict(self._state),
        }
        exchange = _Exchange(raw)
        # What the app does after its answer goes on by itself, as it does behind a server.
        task = asyncio.create_task(self._run(scope, exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(exchange.ended)
        await exchange.answered
        answer = b"".join(exchange.parts)
        if exchange.status != 200:
            raise CallError(f"{method} {path}: {exchange.status} {answer[:300].decode(errors='replace')}")
        return orjson.loads(answer)

    async def _run(self, scope: Scope, exchange: "_Exchange") -> None:
        await self._app(scope, exchange.receive, exchange.send)

    async def create(self, items: Sequence[Item]) -> str:
        """Make a conversation of *items* and return its path."""
        conversation = await self.call("POST", "/v1/conversations", body={"items": items[:CREATE_BATCH]})
        path = f"/v1/conversations/{conversation['id']}"
        for start in range(CREATE_BATCH, len(items), CREATE_BATCH):
            await self.call("POST", f"{path}/items", body={"items": items[start : start + CREATE_BATCH]})
        return path


class _Exchange:
    """The caller's side of one request."""

    def __init__(self, body: bytes) -> None:
        self.status = 0
        self.parts: list[bytes] = []
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._body: bytes | None = body

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.get_running_loop().create_future()  # This caller never hangs up.
        body, self._body = self._body, None
        return {"type": "http.request", "body": body}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            self.answered.set_result(None)

    def ended(self, task: asyncio.Task[None]) -> None:
        if not self.answered.done():
            self.answered.set_exception(task.exception() or CallError("no answer"))
