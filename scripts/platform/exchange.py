"""
One request passed to an instance, and its answer passed back: what the platform changes of their headers, and what
becomes of them when one side goes.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from scripts.local.launching import invocation
from scripts.local.messages import BadMessage, Head, Headers, head_bytes, read_body, read_head
from scripts.platform.answers import BODY_BYTES_MAX, TOO_LARGE, Refusal
from scripts.platform.instance import Source, Streams
from scripts.platform.rollout import COOKIE, Choice
from scripts.platform.scaling import Lease

WHOLE_BYTES = 64 * 1024
"""A body of this size travels with its head, in one piece."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OWN = frozenset({b"connection", b"keep-alive", b"expect", b"proxy-connection", b"upgrade", b"host"})
"""Of one connection, or set here."""

CLIENTS = (b"x-forwarded-", b"x-real-ip", b"x-vercel-")
INTERNAL = b"x-vercel-internal-"
NO_BODY = frozenset({204, 304})


class Client(NamedTuple):
    """A client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def address(self) -> str:
        peer = self.writer.get_extra_info("peername")
        return str(peer[0]) if peer else ""


class Call(NamedTuple):
    """A request on its way to a function."""

    request: Head
    number: str
    added_query: str
    source: Source
    added_headers: dict[bytes, bytes]
    choice: Choice


class InstanceGone(Exception):
    """The connection to the instance ended before the answer did."""


class Exchange:
    """One request passed to an instance, and the answer passed back. `has_begun`: some of it has been sent."""

    def __init__(self, client: Client, call: Call, lease: Lease) -> None:
        self.has_begun = False
        self._client = client
        self._call = call
        self._lease = lease
        self._streams: Streams | None = None
        self._sending: asyncio.Task[None] | None = None
        self._is_too_large = False

    async def run(self) -> bool:
        """
        Return whether the client's connection can take another.

        Raises:  InstanceGone; Refusal: the body is too large; OSError or EOFError: the client went.
        """
        try:
            return await self._run()
        except BaseException:  # Cancelled as well: a connection that is half used serves no one.
            self._cut()
            raise

    async def _run(self) -> bool:
        request, instance, first = self._call.request, self._lease.instance, b""
        size_bytes = request.size_bytes
        if size_bytes != 0 and request.get(b"expect") is not None:
            self._client.writer.write(CONTINUE)
        if size_bytes and size_bytes <= WHOLE_BYTES:
            first, size_bytes = await self._client.reader.readexactly(size_bytes), 0
        instance.invocations.add(self._call.number)
        try:
            self._streams = reader, writer = await instance.connect()
            writer.write(self._head_in() + first)
            if size_bytes != 0:
                self._sending = asyncio.create_task(self._send_body(size_bytes, writer))
            answer = await read_head(reader)
        except (OSError, EOFError, BadMessage):
            instance.invocations.discard(self._call.number)
            self._why_it_ended()
            raise InstanceGone from None
        is_kept = await self._pass_back(answer, reader)
        # Who answers before the body has come does not want the rest of it.
        is_whole = self._sending is None or (self._sending.done() and self._sending.exception() is None)
        if is_kept and is_whole:
            instance.give_back(self._streams)
        else:
            self._cut()
        return is_whole and not request.is_last

    def _why_it_ended(self) -> None:
        """Raise what the client did, if it was not the instance that ended the connection."""
        if self._is_too_large:
            raise Refusal(413, "FUNCTION_PAYLOAD_TOO_LARGE", TOO_LARGE) from None
        has_left = self._sending is not None and self._sending.done() and self._sending.exception() is not None
        if has_left or self._client.writer.transport.is_closing():
            raise ConnectionAbortedError from None

    async def _send_body(self, size_bytes: int | None, writer: asyncio.StreamWriter) -> None:
        sent_bytes = 0
        try:
            async for piece in read_body(self._client.reader, size_bytes):
                sent_bytes += len(piece)
                if sent_bytes > BODY_BYTES_MAX:  # Only one in chunks: others said so before.
                    self._is_too_large = True
                    writer.transport.abort()
                    return
                writer.write(piece)
                await writer.drain()
        except (EOFError, BadMessage):
            writer.transport.abort()  # Else the function would wait for the rest.
            raise

    async def _pass_back(self, answer: Head, reader: asyncio.StreamReader) -> bool:
        """Send *answer* and its body to the client; return whether the instance's connection can be kept."""
        has_none = self._call.request.first.startswith(b"HEAD ") or answer.status in NO_BODY
        size_bytes = 0 if has_none else answer.size_bytes
        head, writer = self._head_out(answer), self._client.writer
        try:
            if size_bytes and size_bytes <= WHOLE_BYTES:
                head += await reader.readexactly(size_bytes)
                size_bytes = 0
            self.has_begun = True
            writer.write(head)
            async for piece in read_body(reader, size_bytes):
                writer.write(piece)
                await writer.drain()
        except (EOFError, BadMessage, ConnectionError):
            self._why_it_ended()
            raise InstanceGone from None
        await writer.drain()
        return not answer.is_last

    def _cut(self) -> None:
        """Cut the connection to the instance."""
        if self._sending is not None:
            self._sending.cancel()
        if self._streams is not None:
            self._streams[1].transport.abort()

    def _head_in(self) -> bytes:
        request, call = self._call.request, self._call
        method, target, _ = request.first.split(b" ", 2)
        if call.added_query:
            target += (b"&" if b"?" in target else b"?") + call.added_query.encode()
        address = self._client.address.encode()
        host = request.get(b"host") or b"fleet.localhost"
        deadline = datetime.now(UTC) + timedelta(seconds=call.source.duration_s)
        headers: Headers = [pair for pair in request.headers if pair[0] not in OWN and not pair[0].startswith(CLIENTS)]
        headers += [
            (b"host", host),
            (b"x-forwarded-host", host),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-for", address),
            (b"x-real-ip", address),
            (b"x-vercel-forwarded-for", address),
            (b"x-vercel-id", call.number.encode()),
            (b"x-vercel-deployment-url", call.choice.deployment.host.encode()),
            (b"x-vercel-internal-deadline", deadline.isoformat(timespec="milliseconds").encode()),
        ]
        headers += [(name.encode(), value.encode()) for name, value in invocation(call.number).items()]
        return head_bytes(b"%b %b HTTP/1.1" % (method, target), headers)

    def _head_out(self, answer: Head) -> bytes:
        call, lease = self._call, self._lease
        own = {name for name, _ in answer.headers}
        headers: Headers = [pair for pair in answer.headers if pair[0] not in OWN and not pair[0].startswith(INTERNAL)]
        headers += [pair for pair in call.added_headers.items() if pair[0] not in own]
        headers += [
            (b"x-vercel-id", call.number.encode()),
            (b"x-fleet-instance", lease.instance.name.encode()),
            (b"x-fleet-wait-ms", b"%.1f" % (lease.wait_s * 1000)),
        ]
        if lease.is_cold:
            headers.append((b"x-fleet-cold", b"1"))
        if call.choice.cookie:
            headers.append((b"set-cookie", f"{COOKIE}={call.choice.cookie}; Path=/; HttpOnly".encode()))
        if call.request.is_last:
            headers.append((b"connection", b"close"))
        return head_bytes(answer.first, headers)
