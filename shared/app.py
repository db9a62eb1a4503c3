"""
The only wiring: settings, store, counter and services of one function instance, and its ASGI app.

The graph is built in lifespan, so that importing a function opens nothing. Each function has its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypedDict

import orjson
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from shared.config import Settings, read_settings
from shared.conversations.history import History
from shared.documents.documents import Documents
from shared.errors import ServiceError
from shared.later import Later
from shared.problems import on_bug, on_http_exception, on_service_error
from shared.store.upstash import Store
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings


class State(TypedDict):
    """What the requests of one instance share."""

    settings: Settings
    store: Store
    counter: Counter
    history: History
    documents: Documents


Request = StarletteRequest[State]
Endpoint = Callable[[Request], Awaitable[Response]]

STREAMED_BYTES = 1_000_000
"""Answers above this are sent in pieces: Vercel limits a whole response to 4.5 MB, a streamed one not."""

HEADERS = {"cache-control": "private, no-cache"}
"""A caller may keep an answer, and must ask whether it is still the newest before using it again."""

PIECE_BYTES = 256 * 1024


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    settings = read_settings()
    store = Store(settings)
    try:
        counter = Counter(Encodings(), settings.pool_threads)
        yield {
            "settings": settings,
            "store": store,
            "counter": counter,
            "history": History(store, settings),
            "documents": Documents(store, counter, settings),
        }
    finally:
        await store.close()


def create_app(routes: Sequence[BaseRoute]) -> Starlette:
    """Return the ASGI app of one function."""
    handlers: dict[Any, Any] = {
        ServiceError: on_service_error,
        HTTPException: on_http_exception,
        Exception: on_bug,
    }
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


def json_response(
    body: bytes | dict[str, Any], later: Later | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *body* as the answer; the work in *later* is done once it is sent."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    task = BackgroundTask(later.run) if later else None
    headers = {**HEADERS, **(headers or {})}
    if len(raw) <= STREAMED_BYTES:
        return Response(raw, headers=headers, media_type="application/json", background=task)
    return StreamingResponse(_pieces(raw), headers=headers, media_type="application/json", background=task)


def unchanged_response(later: Later | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 304: the caller has what it asks for."""
    task = BackgroundTask(later.run) if later else None
    return Response(status_code=304, headers={**HEADERS, **(headers or {})}, background=task)


async def _pieces(raw: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(raw)
    for start in range(0, len(raw), PIECE_BYTES):
        yield view[start : start + PIECE_BYTES]
