"""
The process that `scripts/bench lag` measures: two functions of api/, the naive designs, and a probe of the loop.

    POST /-/lag               begin to watch the loop
    GET  /-/lag               what was seen since
    POST /naive/<design>      parse a body, encode it for the store, encode the answer

It serves as Vercel's launcher does: one process, one loop, uvicorn with h11.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import conversations, tokens
from scripts.local.serving import loopback_listener, quiet_server
from shared.app import lifespan
from shared.process.lag import LagProbe

KEEP_ALIVE_S = 60


def _with_orjson(raw: bytes) -> bytes:
    body = orjson.loads(raw)
    orjson.dumps(["SET", "k", orjson.dumps(body).decode()])
    return orjson.dumps(body)


def _with_json(raw: bytes) -> bytes:
    body = json.loads(raw)
    json.dumps(["SET", "k", json.dumps(body)])
    return json.dumps(body).encode()


async def _inline(convert: Callable[[bytes], bytes], raw: bytes) -> bytes:
    return convert(raw)


NAIVE: dict[str, Any] = {
    "orjson": lambda raw: _inline(_with_orjson, raw),
    "orjson-thread": lambda raw: asyncio.to_thread(_with_orjson, raw),
    "json-thread": lambda raw: asyncio.to_thread(_with_json, raw),
}


class Watched:
    """The functions, each with the state of its own lifespan; the probe and the naive designs beside them."""

    def __init__(self) -> None:
        self._functions: dict[str, tuple[Starlette, dict[str, Any]]] = {}
        self._probe: LagProbe | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        if path == "/-/lag":
            response = Response(self._watch(scope["method"]))
        elif path.startswith("/naive/"):
            raw = await Request(scope, receive).body()
            response = Response(await NAIVE[path.removeprefix("/naive/")](raw))
        else:
            app, state = self._functions["tokens" if path.startswith("/v1/tokens") else "conversations"]
            await app({**scope, "state": state.copy()}, receive, send)
            return
        await response(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        async with contextlib.AsyncExitStack() as resources:
            for name, app in (("conversations", conversations.app), ("tokens", tokens.app)):
                self._functions[name] = (app, dict(await resources.enter_async_context(lifespan(app))))
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def _watch(self, method: str) -> bytes:
        seen = self._probe.seen() if self._probe else None
        if self._probe:
            self._probe.__exit__()
            self._probe = None
        if method == "POST":
            self._probe = LagProbe().__enter__()
        return orjson.dumps(seen and tuple(seen))


def main() -> None:
    with loopback_listener(0) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        sys.stdout = sys.stderr  # Where the log goes from now on.
        os.environ.setdefault("WARMTHREAD_LOG_LEVEL", "warning")
        server = quiet_server(Watched(), lifespan="on", http="h11", keep_alive_s=KEEP_ALIVE_S)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
