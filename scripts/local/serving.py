"""
What the servers here have in common: they listen on loopback only, and the first signal ends them.

A program ends by SystemExit, once, so that every `with` block cleans up and is not interrupted at it.
"""

import signal
import socket
import sys
from types import FrameType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_S = 2


def exit_on_signals() -> None:
    """Let the first of SIGINT, SIGTERM and SIGHUP raise SystemExit(0); those after it are ignored."""
    for number in SIGNALS:
        signal.signal(number, _exit)


def _exit(number: int, frame: FrameType | None) -> None:
    for later in SIGNALS:
        signal.signal(later, signal.SIG_IGN)
    sys.exit(0)


def loopback_listener(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1, any free port for 0. Raises OSError when the port is taken."""
    # asyncio turns Nagle's algorithm off only where it reads IPPROTO_TCP; else an answer sent in two parts
    # waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def quiet_server(app: ASGIApp, *, http: Literal["h11", "httptools"], keep_alive_s: int) -> uvicorn.Server:
    """Return a uvicorn server for *app*, without a lifespan, that logs warnings only."""
    config = uvicorn.Config(
        app,
        lifespan="off",
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
