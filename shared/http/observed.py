"""
What is around everything else: each request has an id, a line in the log, headers that say how long it took and who
answered, and spans where an endpoint for them is set.

    x-request-id      the caller's, where it is well-formed, else one of ours; on every answer, problem and line
    x-vercel-id       the platform's, beside it in the line
    traceparent       the trace that the request is a part of

Nothing that a caller sends is in a line or a span, but for these ids: routes are templates, tenants are marks.
"""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.state import State
from shared.process import log
from shared.process.background import Contained
from shared.request.deadline import SHED_S
from shared.request.observation import OBSERVED, Observation, new_request_id, well_formed_id
from shared.request.tracing import OPEN, TRACE, Span, Trace, read_trace
from shared.telemetry.series import METHODS, TIERS

REQUEST_ID, VERCEL_ID, PARENT, STATE = b"x-request-id", b"x-vercel-id", b"traceparent", b"tracestate"
HEADERS = frozenset({REQUEST_ID, VERCEL_ID, PARENT, STATE})
DETAIL = b"detail="
UNKNOWN_METHOD = "_OTHER"
"""What OpenTelemetry calls a method that nobody knows."""

Templates = Mapping[Callable[..., Any], str]
"""The path of each endpoint's route."""


def route_of(templates: Templates, scope: Scope) -> str:
    """Return the template of what *scope* led to, "" for nothing."""
    return templates.get(scope.get("endpoint"), "")  # type: ignore[arg-type]  # None is no key.


class _Exchange:
    """One request and its answer, as they pass."""

    __slots__ = ("answered_bytes", "ids", "observed", "received_bytes", "span", "trace")

    def __init__(self, scope: Scope, state: State) -> None:
        given: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            if name in HEADERS:
                given.setdefault(name, []).append(value)
        request_id = (REQUEST_ID in given and well_formed_id(given[REQUEST_ID][0])) or new_request_id()
        self.observed = Observation(request_id)
        self.ids = {"request_id": request_id}
        if VERCEL_ID in given and (vercel_id := well_formed_id(given[VERCEL_ID][0])):
            self.ids["vercel_id"] = vercel_id
        self.trace: Trace | None = None
        if PARENT in given:
            self.trace = read_trace(given[PARENT], given.get(STATE, ()))
        exporter = state["spans"]
        self.span: Span | None = exporter.begin(self.trace) if exporter is not None else None
        if part := self.span or self.trace:
            self.ids |= {"trace_id": part.trace_id, "span_id": part.span_id}
        self.received_bytes = self.answered_bytes = 0

    def start(self, message: Message, deployment: str) -> None:
        """The answer begins: put into its headers what every answer has."""
        observed = self.observed
        observed.answered_at_s, observed.status = time.perf_counter(), message["status"]
        for name, value in message["headers"]:
            if name == b"cache-status":
                observed.tier = value.rpartition(DETAIL)[2].decode("latin-1")
        total_ms = 1_000 * (observed.answered_at_s - observed.begun_at_s)
        timing = f"store;dur={1_000 * observed.store_s:.2f}, total;dur={total_ms:.2f}"
        message["headers"] = [
            *message["headers"],
            (b"server-timing", timing.encode()),
            (b"warmthread-deployment", deployment.encode()),
            (b"x-request-id", observed.request_id.encode()),
        ]


class Observed:
    """An ASGI app whose requests are told."""

    def __init__(self, app: ASGIApp, templates: Templates) -> None:
        self._app = app
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        state: State = scope["state"]
        deployment = state["settings"].deployment
        exchange = _Exchange(scope, state)
        tokens = OBSERVED.set(exchange.observed), log.IDS.set(exchange.ids)
        traced = OPEN.set(exchange.span), TRACE.set(exchange.trace)

        async def receive_counted() -> Message:
            message = await receive()
            exchange.received_bytes += len(message.get("body", b""))
            return message

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.start(message, deployment)
                await send(message)
                return
            await send(message)
            if scope["method"] != "HEAD":
                exchange.answered_bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._end(scope, exchange, deployment)

        try:
            await self._app(scope, receive_counted, send_observed)
            await _hand_over(state, exchange)
        finally:
            self._end(scope, exchange, deployment)
            OBSERVED.reset(tokens[0])
            log.IDS.reset(tokens[1])
            OPEN.reset(traced[0])
            TRACE.reset(traced[1])

    def _end(self, scope: Scope, exchange: _Exchange, deployment: str) -> None:
        """The answer was sent, or will never be: tell of it, once."""
        observed = exchange.observed
        if observed.ended_at_s:
            return
        observed.ended_at_s = time.perf_counter()
        level = "error" if observed.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "info"
        span = exchange.span
        if span is None and not log.is_on(level):
            return
        method = scope["method"] if scope["method"] in METHODS else UNKNOWN_METHOD
        route = route_of(self._templates, scope)
        if span is not None:
            _end_span(span, exchange, method, route, scope["scheme"])
        if log.is_on(level):
            log.write(level, f"{method} {route or '-'} {observed.status}", _line(exchange, method, route, deployment))


def _line(exchange: _Exchange, method: str, route: str, deployment: str) -> dict[str, object]:
    """Return the members of a request's line, besides its ids."""
    observed, invocation = exchange.observed, exchange.observed.invocation
    said: dict[str, object] = {
        "deployment": deployment,
        "method": method,
        "route": route,
        "status": observed.status,
        "duration_ms": round(1_000 * (observed.ended_at_s - observed.begun_at_s), 3),
        "store_ms": round(1_000 * observed.store_s, 3),
        "store_requests": observed.store_requests,
        "bytes_in": exchange.received_bytes,
        "bytes_out": exchange.answered_bytes,
    }
    if observed.tier in TIERS:
        said["tier"] = observed.tier
    # Of a key that is not valid the tenant is what a stranger says.
    if invocation is not None and invocation.caller is not None and observed.status != HTTPStatus.UNAUTHORIZED:
        said["tenant"] = log.mark(invocation.caller.tenant)
    if observed.problem:
        said["problem"] = observed.problem
    if observed.cause:
        said["cause"] = observed.cause
    return said


def _end_span(span: Span, exchange: _Exchange, method: str, route: str, scheme: str) -> None:
    """End the server span of a request, by OpenTelemetry's conventions for HTTP; a path would name conversations."""
    observed = exchange.observed
    span.name = f"{'HTTP' if method == UNKNOWN_METHOD else method} {route}".rstrip()
    span.attributes |= {
        "http.request.method": method,
        "http.response.status_code": observed.status,
        "http.request.body.size": exchange.received_bytes,
        "http.response.body.size": exchange.answered_bytes,
        "url.scheme": scheme if scheme in ("http", "https") else "",
        "warmthread.request_id": observed.request_id,
    }
    if route:
        span.attributes["http.route"] = route
    if observed.tier in TIERS:
        span.attributes["warmthread.tier"] = observed.tier
    if observed.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.error = observed.problem or str(observed.status)
    span.end()


async def _hand_over(state: State, exchange: _Exchange) -> None:
    """Send the spans that are due, where there is time for it."""
    exporter, invocation = state["spans"], exchange.observed.invocation
    if exporter is None or not exporter.is_due():
        return
    if invocation is None or invocation.cut_at_s - time.monotonic() >= max(SHED_S, exporter.timeout_s):
        # Not as a part of the trace that it tells of.
        token = OPEN.set(None)
        with Contained("handing over spans"):
            await exporter.flush()
        OPEN.reset(token)
