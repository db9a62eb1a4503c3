"""
The only wiring: settings, store, counter and services of one function instance, and its ASGI app.

The graph is built in lifespan, so that importing a function opens nothing. Each function has its own.
"""

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypedDict

import orjson
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.admission.deadline import ANSWER_MARGIN_S, SHED_S, Deadlines
from shared.admission.invocation import CURRENT, Invocation
from shared.admission.permits import Permits
from shared.admission.turns import Turns
from shared.cache.pressure import Pressure, Step, cgroup_limits, give_back, read_limit_bytes, read_resident_bytes
from shared.config import Settings, read_settings
from shared.conversations.history import History
from shared.documents.documents import Documents
from shared.errors import OutOfTime, ServiceError
from shared.guard import complete, refuse_when_pressed
from shared.headers import rate_headers
from shared.later import Later
from shared.offload import Collections, Pool, take_short_turns
from shared.problems import Bugs, on_bug, on_http_exception, on_service_error
from shared.splice import Pieces, in_parts
from shared.store.upstash import Store
from shared.telemetry.counted import Counted
from shared.telemetry.telemetry import Telemetry
from shared.timing import Timed
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings

log = logging.getLogger("warmthread")


class State(TypedDict):
    """What the requests of one instance share."""

    settings: Settings
    store: Store
    pool: Pool
    counter: Counter
    history: History
    permits: Permits
    documents: Documents
    deadlines: Deadlines
    pressure: Pressure
    turns: Turns
    collections: Collections
    telemetry: Telemetry


Request = StarletteRequest[State]
Endpoint = Callable[[Request], Awaitable[Response]]

STREAMED_BYTES = 1_000_000
"""Answers above this are sent in pieces: Vercel limits a whole response to 4.5 MB, a streamed one not."""

HEADERS = {"cache-control": "private, no-cache"}
"""A caller may keep an answer, and must ask whether it is still the newest before using it again."""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    settings = read_settings()
    pool = Pool(settings.pool_threads)
    store = Store(settings, pool=pool)
    pressure = Pressure(read_limit_bytes(settings.memory_bytes_max, settings.function_memory_mb, cgroup_limits()))
    take_short_turns()
    encodings = Encodings(pool)
    try:
        counter = Counter(encodings, pool)
        history, documents = History(store, settings, pool=pool), Documents(store, counter, settings)
        yield {
            "settings": settings,
            "store": store,
            "pool": pool,
            "counter": counter,
            "history": history,
            "permits": Permits(),
            "documents": documents,
            "deadlines": Deadlines(settings.max_duration_s),
            "pressure": pressure,
            "turns": Turns(partial(_relieve, pressure, history, documents)),
            "collections": Collections(),
            "telemetry": Telemetry(store, settings, partial(_totals, store, pressure), read_resident_bytes),
        }
    finally:
        await encodings.settle()
        await store.close()


def create_app(routes: Sequence[BaseRoute]) -> Starlette:
    """Return the ASGI app of one function."""
    handlers: dict[Any, Any] = {
        ServiceError: on_service_error,
        HTTPException: on_http_exception,
        Exception: on_bug,
    }
    guarded = [_guarded(route) for route in routes]
    templates = {route.endpoint: route.path_format for route in guarded if isinstance(route, Route)}
    app = Starlette(
        routes=guarded,
        lifespan=lifespan,
        exception_handlers=handlers,
        middleware=[Middleware(Invocations), Middleware(Counted, templates)],
    )
    app.router.redirect_slashes = False  # A path with a slash too many is another path.
    # Not as one of the above: the answer to a bug is made outside of what those wrap.
    app.middleware_stack = Timed(Bugs(app.build_middleware_stack()))
    return app


class Invocations:
    """Gives each request its Invocation."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        state: State = scope["state"]
        invocation = Invocation(state["permits"], state["deadlines"].cut_at_s())
        token = CURRENT.set(invocation)
        try:
            return await self._app(scope, receive, send)
        finally:
            CURRENT.reset(token)
            if invocation.has_turn:
                state["turns"].leave()
                if state["turns"].is_idle:
                    state["collections"].make_due_ones()


L1_SHARES = {Step.NONE: 1.0, Step.HIGH: 0.5, Step.CRITICAL: 0.0}


def _relieve(pressure: Pressure, history: History, documents: Documents) -> float:
    """Return how much memory is left, with L1 as small as that asks for."""
    before = pressure.step
    step = pressure.look()
    if step is not before:
        history.limit_memory(L1_SHARES[step])
        documents.memory.limit(L1_SHARES[step])
        log.warning("memory: %s", step.name.lower())
        if step > before:
            gc.collect()  # Seldom done else (shared/offload.py).
    if pressure.is_time_to_give_back():
        give_back()
    return pressure.headroom_bytes


def _totals(store: Store, pressure: Pressure) -> dict[str, int]:
    """Return what is counted elsewhere, under the names that telemetry has for it."""
    sent, failed = store.counted()
    steps = {f"pressure {step.name.lower()}": count for step, count in pressure.entered.items()}
    return {**steps, "store ok": sent - failed, "store failed": failed}


def _guarded(route: BaseRoute) -> BaseRoute:
    """Return *route*, its answers given only once a permit was taken for them, and in time."""
    if not isinstance(route, Route):
        return route
    endpoint: Endpoint = route.endpoint

    async def guarded(request: Request) -> Response:
        invocation = CURRENT.get()
        assert invocation is not None
        try:
            async with asyncio.timeout_at(invocation.cut_at_s - ANSWER_MARGIN_S):
                refuse_when_pressed(request)
                await request.state["turns"].take()
                invocation.has_turn = True
                response = await endpoint(request)
                await complete(request)
        except TimeoutError:
            raise OutOfTime(
                "There was not enough time left for this request.",
                retry_after_s=1,
                outcome_unknown=invocation.has_written,
            ) from None
        if invocation.cut_at_s - time.monotonic() < SHED_S:
            response.background = None
        if rate := rate_headers(invocation):
            response.headers.update(rate)
        return response

    return Route(route.path, guarded, methods=route.methods)


def json_response(
    body: bytes | Pieces | dict[str, Any], later: Later | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *body* as the answer; the work in *later* is done once it is sent."""
    if isinstance(body, dict):
        body = orjson.dumps(body)
    pieces = [body] if isinstance(body, bytes) else body
    task = BackgroundTask(later.run) if later else None
    headers = {**HEADERS, **(headers or {})}
    if sum(map(len, pieces)) <= STREAMED_BYTES:
        return Response(b"".join(pieces), headers=headers, media_type="application/json", background=task)
    return StreamingResponse(_stream(pieces), headers=headers, media_type="application/json", background=task)


def unchanged_response(later: Later | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 304: the caller has what it asks for."""
    task = BackgroundTask(later.run) if later else None
    return Response(status_code=304, headers={**HEADERS, **(headers or {})}, background=task)


async def _stream(pieces: Pieces) -> AsyncIterator[bytes | memoryview]:
    for part in in_parts(pieces):
        yield part
        await asyncio.sleep(0)  # A connection that takes everything at once would keep the others waiting.
