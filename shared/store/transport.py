"""
One HTTP request to the database within a time limit: its answer, or a Failure that says what is known.

Nothing is ever sent twice here. Connections are kept alive longer than the pauses of a busy conversation, and may
be used from one event loop after another.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from pyreqwest.bytes import Bytes
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PoolTimeoutError, PyreqwestError

from shared.config import Settings
from shared.jsonbytes.read import WHOLE_BYTES
from shared.jsonbytes.write import string_slices
from shared.process.pool import Pool
from shared.store.command import UNBROKEN_CHARS, UNFAIR_SHARE, Command, Parts
from shared.store.failure import Failure, Sign
from shared.store.replies import read_replies

IDLE_S = 55.0
"""
Connections outlive a pause in traffic: a function would else pay for TCP and TLS again. But not the minute after
which load balancers close them: a write sent into a closing connection has an unknown outcome.
"""

REQUESTS_MAX = 128
"""Requests under way at once. An instance has 1,024 file descriptors, which its callers' connections share."""

NOTHING_SENT = "client error (Connect)"
"""The cause that the HTTP library names when it failed before it had a connection. Its exception class does not
tell: ConnectError also stands for an answer that was lost on a connection in use."""


class HttpTransport:
    """A pool of connections to one database, as a Transport."""

    locks_keys = True

    def __init__(
        self, settings: Settings, wall_clock: Callable[[], float] = time.time, pool: Pool | None = None
    ) -> None:
        self._settings = settings
        self._pool = pool or Pool(settings.pool_threads)
        self._wall_clock = wall_clock
        self._used_at_unix_s = wall_clock()
        self._client = _open_client(settings)

    def place(self, command: Command) -> str:
        return ""

    async def encode(self, parts: Parts) -> bytes:
        """Return *parts* as JSON."""
        if sum(len(part) for part in parts if isinstance(part, str)) <= UNBROKEN_CHARS:
            return orjson.dumps(parts)
        pieces: list[bytes | memoryview] = [b"["]
        for some in _portions(parts):
            if len(some) == 1 and isinstance(some[0], str):
                pieces += [piece async for piece in _escaped(some[0])]
            else:
                pieces.append(memoryview(orjson.dumps(some))[1:-1])
                await asyncio.sleep(0)
            pieces.append(b",")
        pieces[-1] = b"]"
        return b"".join(pieces)  # One copy: each of 8 MB takes 2 ms.

    async def carry(self, commands: Sequence[Command], left_s: float) -> list[Any | Failure]:
        is_pipeline = len(commands) > 1
        bodies = b",".join([command.body for command in commands])
        path, body = ("pipeline", b"[" + bodies + b"]") if is_pipeline else ("", bodies)
        status, raw = await self.post(path, body, left_s, is_large=commands[0].is_large)
        commands[0].reply_bytes = len(raw)
        are_scripts = [command.is_script for command in commands]
        read = partial(read_replies, status, raw, are_scripts, is_pipeline=is_pipeline)
        return await self._pool.run_when(len(raw) > WHOLE_BYTES, read)

    async def post(self, path: str, body: bytes, timeout_s: float, *, is_large: bool = False) -> tuple[int, Bytes]:
        """
        Send *body* and return status and body of the answer, after *timeout_s* at most and never after the setting. Of
        an answer that *is_large* a timeout tells nothing.

        Raises:   Failure.
        """
        timeout_s = min(timeout_s, self._settings.store_timeout_s)
        if timeout_s <= 0:
            raise Failure("no time left", outcome_unknown=False, sign=Sign.NONE)
        try:
            request = self._awake_client().post(path).timeout(timedelta(seconds=timeout_s)).body_bytes(body).build()
            response = await request.send()
            return response.status, await response.bytes()
        except PyreqwestError as error:
            is_short = timeout_s < UNFAIR_SHARE * self._settings.store_timeout_s
            raise _failure(error, is_short=is_short, is_large=is_large) from error

    def _awake_client(self) -> Client:
        """
        Return the client, a new one after a pause of IDLE_S.

        The pool measures idleness by the monotonic clock, which stands still while an instance is suspended: on
        waking it would send into connections that were given up long ago.
        """
        now_unix_s = self._wall_clock()
        if now_unix_s - self._used_at_unix_s > IDLE_S:
            self._client = _open_client(self._settings)
        self._used_at_unix_s = now_unix_s
        return self._client

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()


def _open_client(settings: Settings) -> Client:
    connect_timeout = timedelta(seconds=settings.store_connect_timeout_s)
    return (
        ClientBuilder()
        .base_url(settings.store_url + "/")
        .default_headers({"authorization": f"Bearer {settings.store_token}", "content-type": "application/json"})
        .connect_timeout(connect_timeout)
        .pool_timeout(connect_timeout)
        .pool_idle_timeout(timedelta(seconds=IDLE_S))
        .max_connections(REQUESTS_MAX)
        .http1_only()
        .follow_redirects(False)
        .build()
    )


def _failure(error: PyreqwestError, *, is_short: bool, is_large: bool) -> Failure:
    details = error.details if isinstance(error, DetailedPyreqwestError) else {"causes": None}
    causes = [cause["message"] for cause in details["causes"] or []]
    was_sent = NOTHING_SENT not in causes and not isinstance(error, PoolTimeoutError)
    reason = f"{'no answer' if was_sent else 'no connection'} ({type(error).__name__}: {causes[-1] if causes else ''})"
    is_unfair = is_short or (is_large and was_sent)
    sign = Sign.NONE if is_unfair and isinstance(error, TimeoutError) else Sign.AWAY
    return Failure(reason, outcome_unknown=was_sent, sign=sign)


async def _escaped(part: str) -> AsyncIterator[bytes | memoryview]:
    """Yield the JSON string of *part*."""
    yield b'"'
    for piece in string_slices(part, UNBROKEN_CHARS):
        yield piece
        await asyncio.sleep(0)
    yield b'"'


def _portions(parts: Parts) -> Iterator[list[str | int | float]]:
    """Yield *parts* in lists of at most UNBROKEN_CHARS, or of one part that is longer by itself."""
    portion: list[str | int | float] = []
    size_chars = 0
    for part in parts:
        part_chars = len(part) if isinstance(part, str) else 0
        if portion and size_chars + part_chars > UNBROKEN_CHARS:
            yield portion
            portion, size_chars = [], 0
        portion.append(part)
        size_chars += part_chars
    yield portion
