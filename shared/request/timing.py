"""
Where the time of a request went, for its `Server-Timing` header.

    Timed(app)      one per function: measures the whole request, names the deployment
    store_waits()   around each request to the store: what was waited for it counts for the request that asked

Requests that share a load share its time as well: it is counted for the one that started it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Waited:
    """What one request waited for the store, in seconds; tasks that it starts add to it too."""

    __slots__ = ("store_s",)

    def __init__(self) -> None:
        self.store_s = 0.0


_waited: ContextVar[_Waited | None] = ContextVar("waited", default=None)


@contextmanager
def store_waits() -> Iterator[None]:
    """Count the time spent inside for the request that this is done for, if there is one."""
    waited = _waited.get()
    if waited is None:
        yield
        return
    begun_at_s = time.perf_counter()
    try:
        yield
    finally:
        waited.store_s += time.perf_counter() - begun_at_s


class Timed:
    """An ASGI app whose answers say how long they took, and which deployment gave them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_at_s = time.perf_counter()
        waited = _Waited()
        token = _waited.set(waited)

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                total_ms = 1000 * (time.perf_counter() - begun_at_s)
                timing = f"store;dur={1000 * waited.store_s:.2f}, total;dur={total_ms:.2f}"
                deployment = scope["state"]["settings"].deployment
                message["headers"] = [
                    *message["headers"],
                    (b"server-timing", timing.encode()),
                    (b"warmthread-deployment", deployment.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_timed)
        finally:
            _waited.reset(token)
