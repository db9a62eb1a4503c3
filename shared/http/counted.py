"""
Counts each request of an app: its route's template, its status, the tier that its answer names, how long it took, why
it was refused.

What is counted is handed over behind the answer, as any other work for later; not when the platform is about to cut the
invocation off. One of an instance's invocations waits until that is due (shared/telemetry/telemetry.py), when its
answer is sent and its slot given back: nobody waits for it, nor is the loop watched for it.
"""

import math
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.middleware import leave_slot
from shared.http.observed import Templates, route_of
from shared.http.state import State
from shared.request.after_response import Later
from shared.request.deadline import SHED_S
from shared.request.invocation import CURRENT
from shared.request.observation import OBSERVED
from shared.telemetry.telemetry import Ended


class Counted:
    """An ASGI app whose requests are counted, by what is observed of them; within their invocations."""

    def __init__(self, app: ASGIApp, templates: Templates) -> None:
        self._app = app
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state: State = scope["state"]
        telemetry = state["telemetry"]
        telemetry.begin()
        try:
            await self._app(scope, receive, send)
        finally:
            self._count(scope)
            telemetry.end()
        await _hand_over(state)

    def _count(self, scope: Scope) -> None:
        now_s = time.perf_counter()
        invocation, telemetry, observed = CURRENT.get(), scope["state"]["telemetry"], OBSERVED.get()
        assert observed is not None
        reason = ""
        if invocation is not None:
            reason = invocation.refused_for
            if invocation.budget_shares:
                telemetry.note_budgets(invocation.budget_shares)
        telemetry.record(
            Ended(
                scope["method"],
                route_of(self._templates, scope),
                observed.status,
                observed.tier,
                reason,
                (observed.answered_at_s or now_s) - observed.begun_at_s,
                (observed.ended_at_s or now_s) - observed.begun_at_s,
                observed.is_partial,
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
