"""
SUBSCRIBE, PSUBSCRIBE and MONITOR over HTTP, as Upstash has them: an answer of server-sent events that does not end.

    POST|GET /subscribe/chat     Accept: text/event-stream

    data: subscribe,chat,1
    data: message,chat,hello

Each stream has a connection to Valkey of its own, from its first event until the client goes, Valkey does, or
`close`. A client that reads too slowly is cut off: what waits for it would grow without a bound.
"""

import asyncio
import re
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope, Send

from scripts.local.resp import Address, Command, Failure, Listener, Reply, Status

STREAMS_MAX = 32
METHODS = ("GET", "POST")
COMMANDS = (b"SUBSCRIBE", b"PSUBSCRIBE", b"MONITOR")
EVENT_STREAM = b"text/event-stream"
LINE_END = re.compile(rb"\r\n|\r|\n")
# Valkey names the socket that a command came by; Upstash has no addresses to show.
MONITORED_ADDRESS = re.compile(rb"\[(\d+) (?!lua\])[^\]]*\]")


class StreamRefused(Exception):
    """The stream did not begin; the text is the answer's error."""


def stream_command(scope: Scope) -> Command | None:
    """Return the command of a request that asks for a stream, None for any other request."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    name, *arguments = [unquote_to_bytes(segment) for segment in scope["raw_path"][1:].split(b"/")]
    if EVENT_STREAM not in accepted or name.upper() not in COMMANDS or scope["method"] not in METHODS:
        return None
    return [name, *arguments]  # Without the body: Upstash's own client sends an empty array in it.


class Streams:
    """The open streams of a server."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._open: set[Listener] = set()
        self._is_closed = False

    async def serve(self, command: Command, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        """
        Answer with the events of *command* until there are no more.

        Raises:  StreamRefused, OSError: nothing was sent.
        """
        if self._is_closed or len(self._open) >= STREAMS_MAX:
            raise StreamRefused("ERR max concurrent connections exceeded")
        listener = Listener()
        self._open.add(listener)
        try:
            event = await self._begin(listener, command)
            gone = asyncio.ensure_future(_close_when_gone(receive, listener))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                while event is not None:
                    await send({"type": "http.response.body", "body": _event(event), "more_body": True})
                    event = await listener.next()
                await send({"type": "http.response.body"})
            finally:
                gone.cancel()
        finally:
            listener.close()
            self._open.discard(listener)

    async def _begin(self, listener: Listener, command: Command) -> Reply:
        await self._address.connect(listener)
        listener.listen(command)
        first = await listener.next()
        if isinstance(first, Failure):
            raise StreamRefused(first.decode(errors="replace"))
        if first is None:
            raise ConnectionResetError("the server closed the connection")
        return first

    def close(self) -> None:
        """End every stream, and let none begin."""
        self._is_closed = True
        for listener in self._open:
            listener.close()


async def _close_when_gone(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.close()


def _event(reply: Reply) -> bytes:
    """Return one event; a line for each line of a message, as the format of event streams wants it."""
    if isinstance(reply, list):
        text = b",".join(part if isinstance(part, bytes) else str(part).encode() for part in reply)
    elif reply == b"OK":
        text = b'"OK"'
    else:
        assert isinstance(reply, Status)
        text = MONITORED_ADDRESS.sub(rb"[\1 0.0.0.0:0]", reply, count=1)
    return b"".join(b"data: %b\n" % line for line in LINE_END.split(text)) + b"\n"
