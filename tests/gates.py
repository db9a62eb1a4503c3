"""Vercel's protection of deployments, as documented: who does not show the secret is answered before any function."""

from typing import Any

from scripts.faults.server import LENGTH, FaultyServer

BYPASS_SECRET = "bypass-secret-of-the-tests"
PAGE = b"<!doctype html><html><title>Authentication Required</title></html>"
REFUSAL = (
    b"HTTP/1.1 401 Unauthorized\r\ncontent-type: text/html; charset=utf-8\r\nx-robots-tag: noindex\r\n"
    b"content-length: %d\r\n\r\n%b"
) % (len(PAGE), PAGE)


class ProtectedServer(FaultyServer):
    """Forwards what carries the secret in `x-vercel-protection-bypass`, and answers the rest itself."""

    async def _forward(self, request: bytes, upstream: Any) -> bytes:
        head = request.partition(b"\r\n\r\n")[0].lower()
        if b"x-vercel-protection-bypass: " + BYPASS_SECRET.encode() not in head:
            return REFUSAL
        return await super()._forward(request, upstream)


class SpoilingServer(FaultyServer):
    """Forwards, and puts *body* in the place of what the answer of number *nth* says; its headers stay."""

    def __init__(self, upstream_url: str, nth: int, body: bytes) -> None:
        super().__init__(upstream_url)
        self._nth = nth
        self._body = body

    async def _forward(self, request: bytes, upstream: Any) -> bytes:
        answer = await super()._forward(request, upstream)
        if self.requests != self._nth or answer.startswith(b"HTTP/1.1 304"):
            return answer
        head = answer.partition(b"\r\n\r\n")[0]
        return LENGTH.sub(b"\r\ncontent-length: %d\r\n" % len(self._body), head + b"\r\n") + b"\r\n" + self._body
