"""
The naive design that the service is measured beside: what a team writes first, and it works on one machine.

Histories are lists in this instance's memory, and die with it; the whole of one is kept and sent; all of it is counted
anew by tiktoken at each call; `json` reads and writes on the event loop. It answers the same requests as the service,
as far as a load sends them, with the same names. There is no store, so an
instance does not know of what another one was told. `x-naive-length` and `x-naive-lag` are for the measurement: how
many messages the answer is made of, and how late the event loop was while there were requests.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.process.lag import BOUNDS_MS, LagProbe
from shared.tokens.encodings import load_encoding

HISTORIES: dict[str, list[dict[str, Any]]] = {}
ENCODING = load_encoding("o200k_base")
MESSAGE_TOKENS = 4
LATE_MS = 10
LOOK_S = 0.005
"""As often as the service looks."""


class Watch:
    """How late the loop is, while requests are under way."""

    def __init__(self) -> None:
        self._probe = LagProbe(LOOK_S)
        self._requests = 0

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        self._requests += 1
        if self._requests == 1:
            self._probe.start()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._probe.stop()

    def said(self) -> str:
        """Return looks, those that were later than LATE_MS, and the latest in ms."""
        lag = self._probe.seen()
        in_time = sum(lag.counts[: BOUNDS_MS.index(LATE_MS) + 1])
        return f"{lag.looks};{lag.looks - in_time};{lag.max_ms:.1f}"


WATCH = Watch()


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or message.get("output") or message.get("arguments") or ""
    return content if isinstance(content, str) else json.dumps(content)


def tokens_of(history: list[dict[str, Any]]) -> int:
    return sum(MESSAGE_TOKENS + len(ENCODING.encode_ordinary(text_of(message))) for message in history)


def said_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    return body.get("items") or body.get("messages") or []


def answered(began_s: float, body: dict[str, Any], length: int = 0, status: int = 200) -> Response:
    text = json.dumps(body)
    headers = {
        "server-timing": f"total;dur={(time.perf_counter() - began_s) * 1_000:.2f}",
        "x-naive-length": str(length),
        "x-naive-lag": WATCH.said(),
    }
    return Response(text, status, headers, "application/json")


async def create(request: Request) -> Response:
    began_s = time.perf_counter()
    with WATCH.request():
        body = json.loads(await request.body())
        conversation = body.get("id") or f"conv_{uuid.uuid4().hex}"
        HISTORIES[conversation] = said_in(body)
        return answered(began_s, {"id": conversation}, len(HISTORIES[conversation]))


async def append(request: Request) -> Response:
    began_s = time.perf_counter()
    with WATCH.request():
        body = json.loads(await request.body())
        history = HISTORIES.get(request.path_params["conversation"])
        if history is None:
            return answered(began_s, {"error": "there is no such conversation"}, status=404)
        history += said_in(body)
        if "context" not in body:
            return answered(began_s, {}, len(history))
        return answered(began_s, {"tokens": tokens_of(history), "messages": history}, len(history))


async def context(request: Request) -> Response:
    began_s = time.perf_counter()
    with WATCH.request():
        history = HISTORIES.get(request.path_params["conversation"])
        if history is None:
            return answered(began_s, {"error": "there is no such conversation"}, status=404)
        return answered(began_s, {"tokens": tokens_of(history), "messages": history}, len(history))


app = Starlette(
    routes=[
        Route("/v1/conversations", create, methods=["POST"]),
        Route("/v1/conversations/{conversation}/items", append, methods=["POST"]),
        Route("/v1/conversations/{conversation}/context", context),
    ]
)
