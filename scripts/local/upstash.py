"""
A local server that speaks Upstash's REST protocol over Valkey: for development, tests and benchmarks.

    with LocalUpstash() as upstash:      its own Valkey unless redis_url names one, its own thread and loop;
                                         what is written is in the folder `keep` afterwards, if it names one
        Redis(upstash.url, upstash.token)

    python -m scripts.local.upstash      the same in a process of its own

It listens on loopback only. REDIS_URL, when set, names the store of the second form.
"""

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from scripts.local.gateway import Gateway
from scripts.local.resp import Pool
from scripts.local.serving import QuietServer, loopback_listener, quiet_server
from scripts.local.signals import Stop, when_input_ends
from scripts.local.valkey import ValkeyError, running_valkey

KEEP_ALIVE_S = 300
START_TIMEOUT_S = 10.0


class LocalUpstash:
    """The server, in its own thread with its own loop, from `start` (or `with`) to `stop`."""

    def __init__(
        self,
        *,
        redis_url: str | None = None,
        keep: Path | None = None,
        token: str | None = None,
        delay_ms: float = 0,
        port: int = 0,
    ) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.url = ""
        self.redis_url = ""
        self._given_redis_url = redis_url
        self._keep = keep
        self._delay_ms = delay_ms
        self._port = port
        self._gateway: Gateway | None = None
        self._resources = contextlib.ExitStack()

    @property
    def gateway(self) -> Gateway:
        assert self._gateway is not None, "the server was not started"
        return self._gateway

    @property
    def requests(self) -> int:
        """HTTP requests received since the start or the last reset, refused ones included."""
        return self.gateway.requests

    @property
    def commands(self) -> int:
        """Commands received in them; those that a script runs are not counted."""
        return self.gateway.commands

    @property
    def delay_ms(self) -> float:
        return self.gateway.delay_ms

    @delay_ms.setter
    def delay_ms(self, delay_ms: float) -> None:
        self.gateway.delay_ms = delay_ms

    @property
    def clock_shift_s(self) -> float:
        """How far the clock that scripts see is ahead of the machine's."""
        return self.gateway.scripts.clock_shift_s

    @clock_shift_s.setter
    def clock_shift_s(self, shift_s: float) -> None:
        self.gateway.scripts.clock_shift_s = shift_s

    def reset(self) -> None:
        self.gateway.reset()

    def start(self) -> None:
        """Raises ValkeyError or OSError (the port is taken); then nothing is left running."""
        with contextlib.ExitStack() as started:
            listener = started.enter_context(loopback_listener(self._port))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.redis_url = started.enter_context(running_valkey(self._given_redis_url, self._keep))
            pool = Pool(self.redis_url)
            self._gateway = Gateway(pool, self.token, self._delay_ms)
            # httptools and not h11: 353 µs for a GET instead of 473 here, and twice the requests in a second.
            server = quiet_server(self._gateway, lifespan="off", http="httptools", keep_alive_s=KEEP_ALIVE_S)
            thread = threading.Thread(
                target=_serve, args=(server, listener, pool, self._gateway), name="upstash", daemon=True
            )
            thread.start()
            started.callback(_stop, server, thread, self._gateway)
            give_up_at_s = time.monotonic() + START_TIMEOUT_S
            while not server.started:
                if not thread.is_alive() or time.monotonic() > give_up_at_s:
                    raise RuntimeError("could not start the local Upstash server")
                time.sleep(0.001)  # The server runs in a thread of its own, and tells of its start in a flag only.
            self._resources = started.pop_all()

    def stop(self) -> None:
        """Stop the server and the Valkey it started. Stopping twice is allowed."""
        self._resources.close()

    def __enter__(self) -> "LocalUpstash":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _serve(server: QuietServer, listener: socket.socket, pool: Pool, gateway: Gateway) -> None:
    async def serve() -> None:
        try:
            await gateway.start()
            await server.serve(sockets=[listener])
        finally:
            pool.close()

    asyncio.run(serve())


def _stop(server: QuietServer, thread: threading.Thread, gateway: Gateway) -> None:
    gateway.end_streams()  # First: the loop ends with the server.
    server.stop()
    thread.join()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.local.upstash", description=__doc__.split("\n\n")[0])
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; a free one by default")
    parser.add_argument("--token", help="the token that callers must send; a random one by default")
    parser.add_argument("--delay-ms", type=float, default=0, help="wait before each answer, as a network would")
    parser.add_argument("--with-input", action="store_true", help="end when standard input does")
    arguments = parser.parse_args()
    redis_url = os.environ.get("REDIS_URL") or None
    stop = Stop()
    if arguments.with_input:
        when_input_ends(lambda: os.kill(os.getpid(), signal.SIGTERM))
    server = LocalUpstash(redis_url=redis_url, token=arguments.token, delay_ms=arguments.delay_ms, port=arguments.port)
    try:
        with server:
            print(f"UPSTASH_REDIS_REST_URL={server.url}")
            print(f"UPSTASH_REDIS_REST_TOKEN={server.token}", flush=True)
            stop.wait()
    except (OSError, ValkeyError) as exc:
        print(f"could not start: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
