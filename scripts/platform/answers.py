"""
What the platform answers by itself: files of public/, and refusals.
"""

import asyncio
import json
import mimetypes
from pathlib import Path

from scripts.local.messages import Head, head_bytes

BODY_BYTES_MAX = 4_500_000
TOO_LARGE = f"A body may have {BODY_BYTES_MAX:,} bytes."
REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large", 500: "Internal Error"}
JSON = "application/json"


class Refusal(Exception):  # an error is named for what happened.
    """What the platform answers in place of a function; *code* is its x-vercel-error."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


async def refuse(writer: asyncio.StreamWriter, request: Head, number: str, refusal: Refusal) -> bool:
    """Answer *request* with *refusal*; return whether the connection can take another."""
    body = json.dumps({"error": {"code": refusal.code, "message": str(refusal)}}).encode()
    headers = {b"x-vercel-error": refusal.code.encode(), b"x-vercel-id": number.encode()}
    return await send(writer, request, refusal.status, body, JSON, headers)


async def send_file(writer: asyncio.StreamWriter, request: Head, file: Path, headers: dict[bytes, bytes]) -> bool:
    """Answer with *file*; return whether the connection can take another."""
    if not request.first.startswith((b"GET ", b"HEAD ")):
        raise Refusal(405, "METHOD_NOT_ALLOWED", "A file can only be read.")
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    cached = {b"cache-control": b"public, max-age=0, must-revalidate"}
    return await send(writer, request, 200, await asyncio.to_thread(file.read_bytes), kind, cached | headers)


async def send(
    writer: asyncio.StreamWriter,
    request: Head,
    status: int,
    body: bytes,
    kind: str,
    headers: dict[bytes, bytes] | None = None,
) -> bool:
    """Send an answer; return whether the connection can take another, as it cannot where a body was not read."""
    is_kept = request.size_bytes == 0 and not request.is_last
    fields = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), *(headers or {}).items()]
    if not is_kept:
        fields.append((b"connection", b"close"))
    first = f"HTTP/1.1 {status} {REASONS.get(status, 'Refused')}".encode()
    writer.write(head_bytes(first, fields) + (b"" if request.first.startswith(b"HEAD ") else body))
    await writer.drain()
    return is_kept
