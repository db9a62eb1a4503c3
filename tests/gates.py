"""Vercel's protection of deployments, as documented: who does not show the secret is answered before any function."""

from typing import Any

from scripts.faults.server import FaultyServer

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
