"""
What a client is still sending when its request is answered already: it is read and dropped, so that the answer arrives.

A server that answers and closes a connection with unread bytes resets it, and the client, which is writing, never
reads why it was refused; so it is with each request that says `Connection: close`. So before an answer begins, the rest
of the body is taken in: until there were BYTES_MAX of it, for DROP_S, or until nothing comes for IDLE_S. It is kept
nowhere, and the request gives its slot back first.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.middleware import leave_slot
from shared.request.deadline import ANSWER_MARGIN_S
from shared.request.invocation import CURRENT
from shared.request.observation import OBSERVED

BYTES_MAX = 9_000_000
"""Twice what a body may have at the most."""

DROP_S = 5.0
IDLE_S = 0.5
CONTINUE = (b"expect", b"100-continue")


class _Body:
    """A request's body while it comes; what came of it is observed."""

    __slots__ = ("_has_one", "_is_asked_for", "_observed", "_receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = scope["headers"]
        self._receive = receive
        self._has_one = any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers
        )
        self._is_asked_for = any((name, value.lower()) == CONTINUE for name, value in headers)
        observed = OBSERVED.get()
        assert observed is not None
        self._observed = observed

    @property
    def is_left(self) -> bool:
        """Whether more of it is on its way. A client that waits to be asked for it does not send it unasked."""
        return self._has_one and not self._is_asked_for

    async def receive(self) -> Message:
        self._is_asked_for = False
        message = await self._receive()
        self._observed.received_bytes += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._has_one = False
        return message

    async def drop(self) -> None:
        """Take in the rest, within the bounds and those of the invocation."""
        invocation, end_at_s = CURRENT.get(), time.monotonic() + DROP_S
        if invocation is not None:
            end_at_s = min(end_at_s, invocation.cut_at_s - ANSWER_MARGIN_S)
        observed = self._observed
        while self._has_one and observed.received_bytes < BYTES_MAX and (left_s := end_at_s - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(IDLE_S, left_s)):
                    await self.receive()
            except TimeoutError:
                return


class Leftover:
    """An ASGI app whose answers begin when the request has ended, within its invocation."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = _Body(scope, receive)

        async def send_behind(message: Message) -> None:
            if body.is_left and message["type"] == "http.response.start":
                leave_slot(scope["state"])
                await body.drop()
            await send(message)

        return await self._app(scope, body.receive, send_behind)
