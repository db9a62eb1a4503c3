"""
The only wiring: settings, store, counter and services of one function instance, and its ASGI app.

The graph is built in lifespan, so that importing a function opens nothing. Each function has its own.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route as PathRoute

from shared.config import Settings
from shared.conversations.history import History
from shared.documents.documents import Documents
from shared.environment import read_configuration
from shared.errors import OutOfTime, ServiceError
from shared.http.closed import refuse_when_closed, report
from shared.http.counted import Counted
from shared.http.guard import charge, complete
from shared.http.headers import rate_headers
from shared.http.leftover import Leftover
from shared.http.middleware import Invocations
from shared.http.observed import Observed
from shared.http.pace import Pace
from shared.http.problems import Bugs, on_bug, on_http_exception, on_service_error
from shared.http.serving import serve
from shared.http.state import Request, State
from shared.http.watched import sources_of
from shared.process import log
from shared.process.ending import Ending
from shared.process.garbage import Upkeep, take_short_turns
from shared.process.imports import remember_missing
from shared.process.memory import Pressure, Step, cgroup_limits, give_back, read_limit_bytes
from shared.process.pool import Pool
from shared.request.concurrency import Slots
from shared.request.deadline import ANSWER_MARGIN_S, SHED_S, STARTED_AT_S, Deadlines
from shared.request.invocation import CURRENT
from shared.request.permits import Permits
from shared.routes import Route, check_route
from shared.store.upstash import Store
from shared.telemetry.last_uses import telling_uses
from shared.telemetry.telemetry import Telemetry
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings

if TYPE_CHECKING:
    from shared.telemetry.otlp import Exporter

GET, HEAD = "GET", "HEAD"
"""A HEAD is answered as the GET of its path; the server leaves the body away."""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[State]:
    settings, wrong = read_configuration()
    log.begin(settings.log_level, settings.store_token or settings.store_url)
    report(wrong)
    pool = Pool(settings.pool_threads)
    store = Store(settings, pool=pool)
    pressure = Pressure(read_limit_bytes(settings.memory_bytes_max, settings.function_memory_mb, cgroup_limits()))
    take_short_turns()
    remember_missing()
    encodings, spans, ending = Encodings(pool), _spans(settings), Ending()
    counter, permits = Counter(encodings, pool), Permits()
    history, documents = History(store, settings, pool=pool), Documents(store, counter, settings)
    ending.listen()
    try:
        yield {
            "settings": settings,
            "wrong": wrong,
            "store": store,
            "pool": pool,
            "counter": counter,
            "history": history,
            "permits": permits,
            "documents": documents,
            "deadlines": Deadlines(settings.max_duration_s),
            "pressure": pressure,
            "slots": Slots(partial(_relieve, pressure, history, documents), settings.strangers_max),
            "pace": Pace(),
            "upkeep": Upkeep(),
            "ending": ending,
            "telemetry": Telemetry(
                store,
                settings,
                sources_of(store, history, documents, counter, pressure),
                time.monotonic() - STARTED_AT_S,
                ending,
                beside=partial(telling_uses, store, permits.uses),
            ),
            "spans": spans,
        }
    finally:
        ending.close()
        await documents.close()
        await encodings.settle()
        if spans is not None:
            await spans.close()
        await store.close()


def _spans(settings: Settings) -> "Exporter | None":
    """Return what takes spans, None where nobody asks for them, and nothing of it is imported."""
    if not (settings.otlp_endpoint or settings.otlp_traces_endpoint):
        return None
    from shared.telemetry.otlp import Exporter

    return Exporter(settings)


def create_app(routes: Sequence[Route]) -> Starlette:
    """Return the ASGI app of one function. Raises TypeError: a route is not as its handler takes it."""
    handlers: dict[Any, Any] = {
        ServiceError: on_service_error,
        HTTPException: on_http_exception,
        Exception: on_bug,
    }
    paths: dict[str, dict[str, Route]] = {}
    for route in routes:
        check_route(route)
        methods = paths.setdefault(route.path, {})
        if route.method in methods:
            raise TypeError(f"{route.method} {route.path} is declared twice")
        methods[route.method] = route
    # One for all methods of a path: a method that it does not have is then told all of them.
    guarded = [PathRoute(path, _guarded(methods), methods=list(methods)) for path, methods in paths.items()]
    templates = {route.endpoint: route.path_format for route in guarded}
    app = Starlette(
        routes=guarded,
        lifespan=lifespan,
        exception_handlers=handlers,
        middleware=[Middleware(Invocations), Middleware(Counted, templates), Middleware(Leftover)],
    )
    app.router.redirect_slashes = False  # A path with a slash too many is another path.
    # Not as one of the above: the answer to a bug is made outside of what those wrap.
    app.middleware_stack = Observed(Bugs(app.build_middleware_stack()), templates)
    return app


L1_SHARES = {Step.NONE: 1.0, Step.HIGH: 0.5, Step.CRITICAL: 0.0}


def _relieve(pressure: Pressure, history: History, documents: Documents) -> float:
    """Return how much memory is left, with L1 as small as that asks for."""
    before = pressure.step
    step = pressure.look()
    if step is not before:
        history.limit_l1(L1_SHARES[step])
        documents.l1.limit(L1_SHARES[step])
        log.warning(f"memory: {step.name.lower()}")
        if step > before:
            gc.collect()  # Seldom done else (shared/process/garbage.py).
    if pressure.is_time_to_give_back():
        give_back()
    return pressure.headroom_bytes


async def _charged(route: Route, request: Request) -> Response:
    """Return the answer of *route*, given for a permit. Raises ServiceError, as often for one."""
    try:
        response = await serve(route, request)
        await complete(request)
    except ServiceError as error:
        await charge(request, error)
        raise
    return response


def _guarded(methods: Mapping[str, Route]) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a path, its answers given only once a permit was taken for them, and in time."""

    async def guarded(request: Request) -> Response:
        invocation = CURRENT.get()
        assert invocation is not None
        try:
            async with asyncio.timeout_at(invocation.cut_at_s - ANSWER_MARGIN_S):
                route = methods[GET if request.method == HEAD else request.method]
                if request.state["wrong"]:
                    refuse_when_closed(route.areas, request.state["wrong"])
                response = await _charged(route, request)
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

    return guarded
