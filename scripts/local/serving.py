"""
What the servers here have in common: they listen on loopback only, and uvicorn runs them without a word.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 2.0
"""How long answers that are under way have once a server shall end."""

TICK_S = 0.1
PAUSE_S = 0.002


def loopback_listener(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1, any free port for 0. Raises OSError when the port is taken."""
    # asyncio turns Nagle's algorithm off only where it reads IPPROTO_TCP; else an answer sent in two parts
    # waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except BaseException:  # Ctrl-C as well: whoever is told of a failure has no socket to close.
        listener.close()
        raise
    return listener


class QuietServer(uvicorn.Server):
    """
    One that ends as soon as `stop` is called, and calls *at_end* then, before it waits for what is under way.

    uvicorn looks ten times a second whether it shall end and whether it has: tests end hundreds of servers, and would
    wait minutes.
    """

    def __init__(self, config: uvicorn.Config, at_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._at_end = at_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    def stop(self) -> None:
        """Have it end, from whichever thread. Ending twice is allowed."""
        self.should_exit = True
        if self._loop is not None:
            # A loop that is closed already has no server to end.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        while not self.should_exit:  # A signal that uvicorn caught sets it without a word.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._at_end()
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        give_up_at_s = time.monotonic() + GRACE_S
        while (self.server_state.connections or self.server_state.tasks) and not self.force_exit:
            if time.monotonic() > give_up_at_s:
                for task in self.server_state.tasks:
                    task.cancel()
                break
            await asyncio.sleep(PAUSE_S)
        if not self.force_exit:
            await self.lifespan.shutdown()


def quiet_server(
    app: ASGIApp,
    *,
    lifespan: Literal["on", "off"],
    http: Literal["h11", "httptools"],
    keep_alive_s: int,
    at_end: Callable[[], None] = lambda: None,
) -> QuietServer:
    """Return a uvicorn server for *app* that logs warnings only, and calls *at_end* when it is told to end."""
    config = uvicorn.Config(
        app,
        lifespan=lifespan,
        http=http,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=keep_alive_s,
    )
    return QuietServer(config, at_end)
