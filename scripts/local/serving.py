"""
What the servers here have in common: they listen on loopback only, and uvicorn runs them without a word.
"""

import socket
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


def quiet_server(
    app: ASGIApp, *, lifespan: Literal["on", "off"], http: Literal["h11", "httptools"], keep_alive_s: int
) -> uvicorn.Server:
    """Return a uvicorn server for *app* that logs warnings only."""
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
    return uvicorn.Server(config)
