"""
A TCP proxy on loopback that stands for a network: every byte arrives half a round trip later, in order.

    client  -> half a round trip ->  server        a new connection's first bytes wait a whole one longer:
    client  <- half a round trip <-  server        that is what TCP's own handshake would take

It counts the round trips that were paid: each time a client speaks after the server did, and each connection.
"""

import asyncio
import selectors
import threading
from collections import deque
from typing import cast

STOP_TIMEOUT_S = 5.0
POLL_S = 0.0004
"""Timers come late by a tenth of a millisecond and more, so the last stretch is waited for awake,"""
POLLED_MAX = 4
"""but not for many messages at once: then it would take the processor from those who work."""


class Target:
    """Where a proxy leads: a port of 127.0.0.1, or a unix socket."""

    def __init__(self, *, port: int = 0, path: str = "") -> None:
        self._port = port
        self._path = path

    async def connect(self, half: "_Half") -> None:
        loop = asyncio.get_running_loop()
        if self._path:
            await loop.create_unix_connection(lambda: half, self._path)
        else:
            await loop.create_connection(lambda: half, "127.0.0.1", self._port)


class DelayProxy:
    """The proxy in its own thread, from `with` to its end. `delay_ms`, a round trip, may be changed at any time."""

    def __init__(self, target: Target, delay_ms: float = 0) -> None:
        # Imported late: --help has to work on a machine where nothing is installed yet.
        from scripts.local.serving import loopback_listener

        self.target = target
        self.delay_ms = delay_ms
        self.round_trips = 0
        self.waiting = 0
        """Messages on their way."""
        self._thread = threading.Thread(target=self._run, name="delay-proxy", daemon=True)
        self._listener = loopback_listener(0)
        self.port: int = self._listener.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._connecting: set[asyncio.Task[None]] = set()
        self._halves: set[_Half] = set()

    def __enter__(self) -> "DelayProxy":
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_TIMEOUT_S)

    def accept(self) -> "_Half":
        """Return the client's half of a new connection, and open the other one."""
        self.round_trips += 1
        loop = asyncio.get_running_loop()
        to_server, to_client = _Half(self, counts=False), _Half(self, counts=True)
        to_server.other, to_client.other = to_client, to_server
        to_server.not_before_s = loop.time() + self.delay_ms / 1000
        self._halves |= {to_server, to_client}
        task = loop.create_task(self._connect(to_server))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return to_client

    def forget(self, half: "_Half") -> None:
        self._halves.discard(half)

    async def _connect(self, to_server: "_Half") -> None:
        try:
            await self.target.connect(to_server)
        except OSError:
            to_server.connection_lost(None)

    def _run(self) -> None:
        # epoll waits in whole milliseconds, rounded up: half a round trip of 0.5 ms would become 1. select does not.
        def loop_factory() -> asyncio.AbstractEventLoop:
            return asyncio.SelectorEventLoop(selectors.SelectSelector())

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await self._loop.create_server(self.accept, sock=self._listener)
        self._started.set()
        await self._stop.wait()
        server.close()
        for half in list(self._halves):
            half.close()
        await asyncio.sleep(0)


class _Half(asyncio.Protocol):
    """
    One of a connection's two sockets. What it receives is sent on by the `other`, when it is due.

    Nothing holds a fast sender back: this is for measurements, whose messages are bounded.
    """

    other: "_Half"

    def __init__(self, proxy: DelayProxy, *, counts: bool) -> None:
        self._proxy = proxy
        self._is_client = counts
        self._spoke_last = False
        self._is_lost = False
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.Handle | None = None
        self.not_before_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._is_client and not self._spoke_last:
            self._proxy.round_trips += 1
        self._spoke_last, self.other._spoke_last = True, False
        self.other.send_later(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._is_lost = True
        self._proxy.waiting -= len(self._waiting)
        self._waiting.clear()
        self._proxy.forget(self)
        self.other.send_later(b"")

    def send_later(self, data: bytes) -> None:
        """Send *data* half a round trip from now; nothing closes the connection then."""
        if self._is_lost:
            return
        now_s = asyncio.get_running_loop().time()
        # Not before what was given earlier: the delay may have been changed in between.
        self.not_before_s = max(self.not_before_s, now_s)
        due_s = self.not_before_s + self._proxy.delay_ms / 2000
        self._waiting.append((max(due_s, self._waiting[-1][0]) if self._waiting else due_s, data))
        self._proxy.waiting += 1
        if self._timer is None:
            self._flush()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting and self._transport is not None:
            due_s, data = self._waiting[0]
            wait_s = due_s - loop.time()
            if wait_s > 0:
                polls = self._proxy.waiting <= POLLED_MAX
                is_soon = polls and wait_s <= POLL_S
                wake_s = due_s - POLL_S if polls else due_s
                self._timer = loop.call_soon(self._flush) if is_soon else loop.call_at(wake_s, self._flush)
                return
            self._waiting.popleft()
            self._proxy.waiting -= 1
            if data:
                self._transport.write(data)
            else:
                self._transport.close()
