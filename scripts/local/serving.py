"""
What the servers here have in common: they listen on loopback only, and uvicorn runs them without a word.
"""

import socket
from collections.abc import Callable
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 2


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


class _Server(uvicorn.Server):
    """One that calls *at_end* when it ends, also where no signal says so, before it waits for what is under way."""

    def __init__(self, config: uvicorn.Config, at_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._at_end = at_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._at_end()
        await super().shutdown(sockets)


def quiet_server(
    app: ASGIApp,
    *,
    lifespan: Literal["on", "off"],
    http: Literal["h11", "httptools"],
    keep_alive_s: int,
    at_end: Callable[[], None] = lambda: None,
) -> uvicorn.Server:
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
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config, at_end)
