"""
Counts each request of an app: its route's template, its status, the tier that its answer names, how long it took.

What is due is handed over behind the answer, as any other work for later; not when the platform is about to cut the
invocation off.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.request.after_response import Later
from shared.request.deadline import SHED_S
from shared.request.invocation import CURRENT
from shared.telemetry.telemetry import Telemetry

Templates = Mapping[Callable[..., Any], str]
"""The path of each endpoint's route."""

DETAIL = b"detail="
BUG_STATUS = 500
"""What whoever catches an exception answers."""


class _Answer:
    """What is seen of an answer while it is sent."""

    __slots__ = ("ended_at_s", "status", "tier")

    def __init__(self) -> None:
        self.status = BUG_STATUS
        self.tier = ""
        self.ended_at_s = 0.0

    def see(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                if name == b"cache-status":
                    self.tier = value.rpartition(DETAIL)[2].decode("latin-1")
        elif not message.get("more_body", False):
            self.ended_at_s = time.perf_counter()


class Counted:
    """An ASGI app whose requests are counted; within its invocation."""

    def __init__(self, app: ASGIApp, templates: Templates) -> None:
        self._app = app
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        telemetry: Telemetry = scope["state"]["telemetry"]
        begun_at_s, answer = time.perf_counter(), _Answer()

        async def send_counted(message: Message) -> None:
            await send(message)
            answer.see(message)

        telemetry.begin()
        try:
            try:
                await self._app(scope, receive, send_counted)
            finally:
                took_s = (answer.ended_at_s or time.perf_counter()) - begun_at_s
                route = self._templates.get(scope.get("endpoint"), "")  # type: ignore[arg-type]  # None is no key.
                telemetry.record(scope["method"], route, answer.status, answer.tier, took_s)
            if telemetry.is_due():
                await _hand_over(telemetry)
        finally:
            telemetry.end()


async def _hand_over(telemetry: Telemetry) -> None:
    invocation, later = CURRENT.get(), Later()
    if invocation is None or invocation.cut_at_s - time.monotonic() >= SHED_S:
        telemetry.offer(later)
        await later.run()
