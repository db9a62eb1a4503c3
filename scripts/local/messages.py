"""
HTTP/1.1 messages over asyncio's streams, for servers that pass them on: heads are read and written, bodies copied.

Framing is by Content-Length or chunks, as the server and the clients here use it; a body is passed on as it is framed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

END = b"\r\n\r\n"
PIECE_BYTES = 65_536

type Headers = list[tuple[bytes, bytes]]
"""Names in small letters, in order."""


class BadMessage(ValueError):
    """What came is not a message; the text says why."""


class Head(NamedTuple):
    """The first line, and the headers of a message."""

    first: bytes
    headers: Headers

    def get(self, name: bytes) -> bytes | None:
        return next((value for own, value in self.headers if own == name), None)

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.first.split(b" ", 2)[1])

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with this message."""
        said = (self.get(b"connection") or b"").lower()
        return b"close" in said or (b"keep-alive" not in said and b"HTTP/1.0" in self.first)

    @property
    def size_bytes(self) -> int | None:
        """How long the body is, 0 where nothing says; None: it comes in chunks. Raises BadMessage."""
        if b"chunked" in (self.get(b"transfer-encoding") or b"").lower():
            return None
        length = self.get(b"content-length") or b"0"
        if not length.isdigit():
            raise BadMessage("its Content-Length is not a number")
        return int(length)


async def read_head(reader: asyncio.StreamReader) -> Head:
    """
    Return the next head; its body comes next.

    Raises:  EOFError: nothing came, or not all of it. BadMessage; ConnectionError.
    """
    try:
        raw = await reader.readuntil(END)
    except asyncio.LimitOverrunError:
        raise BadMessage("its headers are too long") from None
    first, *lines = raw[:-4].split(b"\r\n")
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadMessage("a header is not a name and a value")
        headers.append((name.lower(), value.strip()))
    if len(first.split(b" ", 2)) < 2:
        raise BadMessage("its first line is none")
    return Head(first, headers)


def head_bytes(first: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a head as it is sent."""
    return b"\r\n".join([first, *(b"%b: %b" % pair for pair in headers)]) + END


async def read_body(reader: asyncio.StreamReader, size_bytes: int | None) -> AsyncIterator[bytes]:
    """Yield a body of *size_bytes* in pieces; of one in chunks (None) each with its framing. Raises EOFError."""
    if size_bytes is None:
        async for piece in _framed_chunks(reader):
            yield piece
        return
    while size_bytes:
        piece = await reader.read(min(size_bytes, PIECE_BYTES))
        if not piece:
            raise EOFError("a body ended too early")
        size_bytes -= len(piece)
        yield piece


async def _framed_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size_bytes := _chunk_bytes(line := await reader.readuntil(b"\r\n")):
        if size_bytes <= PIECE_BYTES:  # As one piece, which is one write of who passes it on.
            yield line + await reader.readexactly(size_bytes + 2)
            continue
        yield line
        async for piece in read_body(reader, size_bytes + 2):
            yield piece
    end = line
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        end += line  # A trailer.
    yield end + line


async def read_chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield what is in the chunks of a body. Raises EOFError, BadMessage."""
    while size_bytes := _chunk_bytes(await reader.readuntil(b"\r\n")):
        yield await reader.readexactly(size_bytes)
        await reader.readuntil(b"\r\n")
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass


def _chunk_bytes(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise BadMessage("a chunk does not say how long it is") from None
