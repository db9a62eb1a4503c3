"""
How an experiment that takes a while ends: by itself or by a signal, with a result that says which.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import orjson

from scripts.local.signals import Stop


def until_stopped(work: Awaitable[None]) -> bool:
    """Do *work*; return whether it came to its end. A signal ends it."""
    stop = Stop()

    async def main() -> bool:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def end() -> None:
            loop.call_soon_threadsafe(task.cancel)

        stop.tell(end)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return not stop.requested

    return asyncio.run(main())


def write_json(path: Path | None, document: dict[str, Any]) -> None:
    if path is not None:
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
