"""
The planted leak, which a soak has to find: one instance of each function keeps something of each request.
"""

import os

LEAK_VARIABLE = "SOAK_LEAK_BYTES"
LEAKING = 3
"""The number of the instance that leaks; those before it do not, and all live through the soak."""


def plant(size_bytes: int) -> None:
    """Let every application keep *size_bytes* for each request from now on."""
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

    leaked: list[bytes] = []
    serve = Starlette.__call__

    async def leaking(self: Starlette, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            leaked.append(os.urandom(size_bytes))
        await serve(self, scope, receive, send)

    Starlette.__call__ = leaking  # type: ignore[method-assign]
