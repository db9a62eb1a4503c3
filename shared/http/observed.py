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
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.state import State
from shared.process import log
from shared.process.background import Contained
from shared.request.deadline import SHED_S
from shared.request.observation import OBSERVED, Observation, new_request_id, well_formed_id
from shared.request.tracing import OPEN, Span, Value, read_trace
from shared.telemetry.series import METHODS, TIERS

if TYPE_CHECKING:
    from shared.telemetry.otlp import Exporter

REQUEST_ID, VERCEL_ID, PARENT, STATE = b"x-request-id", b"x-vercel-id", b"traceparent", b"tracestate"
DETAIL, PARTIAL = b"detail=", b"fwd=partial"
SCHEMES = ("http", "https")
FAILED, UNAUTHORIZED = HTTPStatus.INTERNAL_SERVER_ERROR.value, HTTPStatus.UNAUTHORIZED.value
UNKNOWN_METHOD = "_OTHER"
"""What OpenTelemetry calls a method that nobody knows."""

Templates = Mapping[Callable[..., Any], str]
"""The path of each endpoint's route."""


def route_of(templates: Templates, scope: Scope) -> str:
    """Return the template of what *scope* led to, "" for nothing."""
    return templates.get(scope.get("endpoint"), "")  # type: ignore[arg-type]  # None is no key.


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
        observed = _begin(scope, state["spans"])
        token, opened = OBSERVED.set(observed), OPEN.set(observed.around)

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _start(observed, message, deployment)
                await send(message)
                return
            await send(message)
            if scope["method"] != "HEAD":
                observed.answered_bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._end(scope, observed, deployment)

        try:
            await self._app(scope, receive, send_observed)
            if state["spans"] is not None and state["spans"].is_due():
                await _hand_over(state["spans"], observed)
        finally:
            self._end(scope, observed, deployment)
            OBSERVED.reset(token)
            OPEN.reset(opened)

    def _end(self, scope: Scope, observed: Observation, deployment: str) -> None:
        """The answer was sent, or will never be: tell of it, once."""
        if observed.ended_at_s:
            return
        observed.ended_at_s = time.perf_counter()
        method = scope["method"] if scope["method"] in METHODS else UNKNOWN_METHOD
        route = route_of(self._templates, scope)
        if isinstance(observed.around, Span):
            _end_span(observed.around, observed, method, route, scope["scheme"])
        level = "error" if observed.status >= FAILED else "info"
        if log.is_on(level):
            log.write(level, f"{method} {route or '-'} {observed.status}", _line(observed, method, route, deployment))


def _begin(scope: Scope, exporter: "Exporter | None") -> Observation:
    """A request came: read its ids, and begin its span, if it is to have one."""
    request_id = vercel_id = ""
    parents: list[bytes] = []
    states: list[bytes] = []
    for name, value in scope["headers"]:
        if name == PARENT:
            parents.append(value)
        elif name == STATE:
            states.append(value)
        elif name == REQUEST_ID:
            request_id = request_id or well_formed_id(value)
        elif name == VERCEL_ID:
            vercel_id = vercel_id or well_formed_id(value)
    observed = Observation(request_id or new_request_id())
    if vercel_id:
        observed.ids["vercel_id"] = vercel_id
    trace = read_trace(parents, states) if parents else None
    span = exporter.begin(trace) if exporter is not None else None
    around = observed.around = span if span is not None else trace
    if around is not None:
        observed.ids["trace_id"], observed.ids["span_id"] = around.trace_id, around.span_id
    return observed


def _start(observed: Observation, message: Message, deployment: str) -> None:
    """The answer begins: put into its headers what every answer has."""
    observed.answered_at_s, observed.status = time.perf_counter(), message["status"]
    for name, value in message["headers"]:
        if name == b"cache-status":
            observed.tier = value.rpartition(DETAIL)[2].decode("latin-1")
            observed.is_partial = PARTIAL in value
    total_s = observed.answered_at_s - observed.begun_at_s
    message["headers"] = [
        *message["headers"],
        (b"server-timing", b"store;dur=%.2f, total;dur=%.2f" % (1_000 * observed.store_s, 1_000 * total_s)),
        (b"warmthread-deployment", deployment.encode()),
        (b"x-request-id", observed.request_id.encode()),
    ]


def _line(observed: Observation, method: str, route: str, deployment: str) -> dict[str, object]:
    """Return the members of a request's line, besides its ids."""
    invocation = observed.invocation
    said: dict[str, object] = {
        "deployment": deployment,
        "method": method,
        "route": route,
        "status": observed.status,
        # To the microsecond; `round` writes and reads a number for it.
        "duration_ms": int(1_000_000 * (observed.ended_at_s - observed.begun_at_s)) / 1_000,
        "store_ms": int(1_000_000 * observed.store_s) / 1_000,
        "store_requests": observed.store_requests,
        "bytes_in": observed.received_bytes,
        "bytes_out": observed.answered_bytes,
    }
    if observed.tier in TIERS:
        said["tier"] = observed.tier
    # Of a key that is not valid the tenant is what a stranger says.
    if invocation is not None and invocation.caller is not None and observed.status != UNAUTHORIZED:
        said["tenant"] = log.mark(invocation.caller.tenant)
    if observed.problem:
        said["problem"] = observed.problem
    if observed.cause:
        said["cause"] = observed.cause
    return said


def _end_span(span: Span, observed: Observation, method: str, route: str, scheme: str) -> None:
    """End the server span of a request, by OpenTelemetry's conventions for HTTP; a path would name conversations."""
    name = "HTTP" if method == UNKNOWN_METHOD else method
    span.name = f"{name} {route}" if route else name
    said: dict[str, Value] = {
        "http.request.method": method,
        "http.response.status_code": observed.status,
        "http.request.body.size": observed.received_bytes,
        "http.response.body.size": observed.answered_bytes,
        "url.scheme": scheme if scheme in SCHEMES else "",
        "warmthread.request_id": observed.request_id,
        **span.attributes,
    }
    if route:
        said["http.route"] = route
    if observed.tier in TIERS:
        said["warmthread.tier"] = observed.tier
    if observed.status >= FAILED:
        span.error = observed.problem or str(observed.status)
    span.attributes = said
    span.end()


async def _hand_over(exporter: "Exporter", observed: Observation) -> None:
    """Send the spans that are due, where there is time for it."""
    invocation = observed.invocation
    if invocation is None or invocation.cut_at_s - time.monotonic() >= max(SHED_S, exporter.timeout_s):
        # Not as a part of the trace that it tells of.
        token = OPEN.set(None)
        with Contained("handing over spans"):
            await exporter.flush()
        OPEN.reset(token)
