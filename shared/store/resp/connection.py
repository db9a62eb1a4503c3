"""
One connection to a server that speaks RESP2, one exchange at a time: bytes out, and so many replies back.

Replies are read by libvalkey, the parser of the Valkey project, as they come in: a reply of 4 MB takes the loop in
small steps. Text comes as str, nothing as None, integers as int, arrays as lists; what a server says in the place of a
result is a Refusal. Nothing is ever sent twice here, and a connection that was left in the middle of an exchange is
closed: what would still come on it is nobody's answer.
"""

import asyncio
from typing import Any, Final, NamedTuple, cast

from libvalkey import Reader

MISSING: Final = object()
CLOSED, STRANGE, LATE = "the connection was closed", "a reply that cannot be read", "time is up"


class Refusal(Exception):
    """What a server said in the place of a result, its first word included."""


class _Unreadable(Exception):
    """What came is no RESP."""


class Exchange(NamedTuple):
    """The *replies* that came, in order; *lost*: why there are no more, "" when all came."""

    replies: list[Any]
    lost: str
    received_bytes: int


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`."""

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(
            protocolError=_Unreadable,
            replyError=Refusal,
            encoding="utf-8",
            errors="replace",
            notEnoughData=MISSING,
        )
        self._ended: asyncio.Future[str] | None = None
        self._replies: list[Any] = []
        self._wanted = self._received_bytes = 0

    async def exchange(self, payload: bytes, count: int, end_at_s: float) -> Exchange:
        """Send *payload* and return *count* replies, or those that came until *end_at_s* on the loop's clock."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        ended = self._ended = loop.create_future()
        self._replies, self._wanted, self._received_bytes = [], count, 0
        late = loop.call_at(end_at_s, self._end, LATE)
        if self.is_open:
            self._transport.write(payload)
        else:
            self._end(CLOSED)
        try:
            return Exchange(self._replies, await ended, self._received_bytes)
        finally:
            late.cancel()
            self._ended = None
            if len(self._replies) < count:
                self.abort()

    def abort(self) -> None:
        """Close it at once, whatever is under way."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._ended is None or self._ended.done():
            self.abort()  # Nobody asked for it.
            return
        self._received_bytes += len(data)
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not MISSING:
                self._replies.append(reply)
        except _Unreadable:
            self._end(STRANGE)
            return
        if len(self._replies) == self._wanted:
            self._end("")
        elif len(self._replies) > self._wanted:
            self._replies.clear()  # Whose they are, nobody knows.
            self._end(STRANGE)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._end(CLOSED)

    def _end(self, why: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(why)
