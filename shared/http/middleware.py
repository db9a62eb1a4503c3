"""
What is wrapped around every function's routes.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.state import State
from shared.request.invocation import CURRENT, Invocation
from shared.request.observation import OBSERVED


class Invocations:
    """Gives each request its Invocation."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        state: State = scope["state"]
        invocation = Invocation(state["permits"], state["deadlines"].cut_at_s())
        observed = OBSERVED.get()
        if observed is not None:
            observed.invocation = invocation
        token = CURRENT.set(invocation)
        try:
            return await self._app(scope, receive, send)
        finally:
            leave_slot(state)
            CURRENT.reset(token)


def leave_slot(state: State) -> None:
    """Give back the slot of the request that is being answered, if it has one."""
    invocation = CURRENT.get()
    if invocation is not None and invocation.slot is not None:
        slot, invocation.slot = invocation.slot, None
        slot.leave()
        state["upkeep"].do_what_is_due(is_idle=state["slots"].is_idle)
