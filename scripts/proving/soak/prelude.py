"""
What an instance of the soak imports before the launcher: the compressed clock, who looks at its heap, and, where one is
planted, a leak.

The leak keeps as many bytes as LEAK_VARIABLE says for each request that the application is given.
"""

import contextlib
import os
from pathlib import Path

import scripts.platform.compressed  # noqa: F401  # sets the clock.
from scripts.proving.soak.heap import FOLDER_VARIABLE, Heap

LEAK_VARIABLE = "SOAK_LEAK_BYTES"


def wrap(leak_bytes: int, heap: Heap | None) -> None:
    """Let every application keep *leak_bytes* for each request from now on, and have *heap* look between requests."""
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

    leaked: list[bytes] = []
    serve, under_way = Starlette.__call__, 0

    async def wrapped(self: Starlette, scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal under_way
        if scope["type"] != "http":
            return await serve(self, scope, receive, send)
        if leak_bytes:
            leaked.append(os.urandom(leak_bytes))
        under_way += 1
        try:
            await serve(self, scope, receive, send)
        finally:
            under_way -= 1
            if heap is not None:
                heap.look(is_quiet=not under_way)

    Starlette.__call__ = wrapped  # type: ignore[method-assign]


if FOLDER_VARIABLE in os.environ:
    looking: Heap | None = None
    with contextlib.suppress(AttributeError):  # A system that does not tell.
        looking = Heap(Path(os.environ[FOLDER_VARIABLE]))
    wrap(int(os.environ.get(LEAK_VARIABLE, "0")), looking)
