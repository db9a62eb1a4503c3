"""
What an instance of the soak imports before the launcher: the compressed clock, and, in one of each function, a leak.

It keeps as many bytes as LEAK_VARIABLE says for each request that the application is given. What an instance does for
itself now and then, by the monotonic clock, comes as often in a compressed week as in one, or nearly.
"""

import os

import scripts.platform.compressed  # noqa: F401  # sets the clock.
from scripts.platform.settings import NUMBER_VARIABLE
from shared.process import garbage

UPKEEP_S, COLLECT_S = 1.0, 5.0
"""Memory given back, and collections of all, which take longer, so often: in a week each comes every few requests."""

garbage.GIVE_BACK_S = garbage.GIVE_BACK_LATEST_S = UPKEEP_S
garbage.COLLECT_S = COLLECT_S

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


if os.environ.get(NUMBER_VARIABLE) == str(LEAKING) and int(os.environ.get(LEAK_VARIABLE, "0")):
    plant(int(os.environ[LEAK_VARIABLE]))
