"""
Counts each request of an app: its route's template, its status, the tier that its answer names, how long it took, why
it was refused.

What is counted is handed over behind the answer, as any other work for later; not when the platform is about to cut the
invocation off. One of an instance's invocations waits until that is due (shared/telemetry/telemetry.py), when its
answer is sent and its slot given back: nobody waits for it, nor is the loop watched for it.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.middleware import leave_slot
from shared.http.state import State
from shared.request.after_response import Later
from shared.request.deadline import SHED_S
from shared.request.invocation import CURRENT
from shared.telemetry.telemetry import Ended

Templates = Mapping[Callable[..., Any], str]
"""The path of each endpoint's route."""

DETAIL = b"detail="
BUG_STATUS = 500
"""What whoever catches an exception answers."""


class _Answer:
    """What is seen of an answer while it is sent."""

    __slots__ = ("began_at_s", "ended_at_s", "status", "tier")

    def __init__(self) -> None:
        self.status = BUG_STATUS
        self.tier = ""
        self.began_at_s = 0.0
        self.ended_at_s = 0.0

    def see(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began_at_s = time.perf_counter()
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
            await self._app(scope, receive, send)
            return
        state: State = scope["state"]
        telemetry = state["telemetry"]
        begun_at_s, answer = time.perf_counter(), _Answer()

        async def send_counted(message: Message) -> None:
            await send(message)
            answer.see(message)

        telemetry.begin()
        try:
            await self._app(scope, receive, send_counted)
        finally:
            self._count(scope, answer, begun_at_s)
            telemetry.end()
        await _hand_over(state)

    def _count(self, scope: Scope, answer: _Answer, begun_at_s: float) -> None:
        now_s = time.perf_counter()
        invocation, telemetry = CURRENT.get(), scope["state"]["telemetry"]
        reason = ""
        if invocation is not None:
            reason = invocation.refused_for
            if invocation.budget_shares:
                telemetry.note_budgets(invocation.budget_shares)
        telemetry.record(
            Ended(
                scope["method"],
                self._templates.get(scope.get("endpoint"), ""),  # type: ignore[arg-type]  # None is no key.
                answer.status,
                answer.tier,
                reason,
                (answer.began_at_s or now_s) - begun_at_s,
                (answer.ended_at_s or now_s) - begun_at_s,
            )
        )


async def _hand_over(state: State) -> None:
    """Hand the counts over, if that is this request's to do."""
    invocation, telemetry = CURRENT.get(), state["telemetry"]
    left_s = math.inf if invocation is None else invocation.cut_at_s - time.monotonic() - SHED_S
    if left_s >= 0 and telemetry.is_to_be_handed_over(left_s):
        leave_slot(state)
        later = Later()
        later.add(telemetry.hand_over, "handing over metrics")
        await later.run()
