"""
A deployment's own address: it answers for that deployment alone, and only who has the secret of its protection.

    previews = Previews(secret, {"dpl_b": Origin(fleet.url, {"x-fleet-deployment": "dpl_b"})})
    await previews.listen()          previews.urls["dpl_b"]

Without the header x-vercel-protection-bypass, or the query parameter of that name, the answer is the platform's 401
with a page; the secret itself is not passed on.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import parse_qs

import httpx

from scripts.local.messages import BadMessage, Head, head_bytes, read_body, read_head

BYPASS = "x-vercel-protection-bypass"
BODY_BYTES_MAX = 4_500_000
TIMEOUT_S = 30.0
OF_ONE_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"})
PAGE = b"<!doctype html><title>Authentication Required</title><p>This deployment is protected."


class Origin(NamedTuple):
    """Where a deployment answers, and what has to be said there for it to be that one."""

    url: str
    headers: Mapping[str, str]


class Previews:
    """The addresses, `urls` after `listen`."""

    def __init__(self, secret: str, origins: Mapping[str, Origin]) -> None:
        self.urls: dict[str, str] = {}
        self._secret = secret
        self._origins = dict(origins)
        self._servers: list[asyncio.Server] = []
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)

    async def listen(self) -> None:
        for name, origin in self._origins.items():
            server = await asyncio.start_server(partial(self._accept, origin), "127.0.0.1", 0)
            self._servers.append(server)
            self.urls[name] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        await self._client.aclose()

    async def _accept(self, origin: Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(origin, reader, writer)
        except (EOFError, BadMessage, OSError, httpx.HTTPError):
            pass  # The caller has gone, or the deployment has.
        finally:
            writer.close()

    async def _serve(self, origin: Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_head(reader)
        if request.size_bytes is None or request.size_bytes > BODY_BYTES_MAX:
            raise BadMessage("a body is too long, or does not say how long it is")
        body = b"".join([piece async for piece in read_body(reader, request.size_bytes)])
        method, target, _ = request.first.decode("latin-1").split(" ", 2)
        if not self._may_pass(request, target):
            writer.write(head_bytes(b"HTTP/1.1 401 Unauthorized", _framing(PAGE, "text/html")) + PAGE)
            await writer.drain()
            return
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
        kept = [(name, value) for name, value in headers if name not in OF_ONE_HOP | {BYPASS}]
        answer = await self._client.request(
            method, origin.url + target, headers=[*kept, *origin.headers.items()], content=body
        )
        first = f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}".encode()
        passed = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        fields = [pair for pair in passed if pair[0].decode().lower() not in OF_ONE_HOP]
        writer.write(head_bytes(first, [*fields, *_framing(answer.content, "")]) + answer.content)
        await writer.drain()

    def _may_pass(self, request: Head, target: str) -> bool:
        given = (request.get(BYPASS.encode()) or b"").decode("latin-1")
        return self._secret in (given, *parse_qs(target.partition("?")[2]).get(BYPASS, []))


def _framing(body: bytes, kind: str) -> list[tuple[bytes, bytes]]:
    typed = [(b"content-type", kind.encode())] if kind else []
    return [*typed, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
