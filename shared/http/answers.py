"""
Answers: JSON as bytes or as pieces, in one part or streamed, and "you have it already".
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.http.pace import Pace
from shared.jsonbytes.write import Pieces, in_parts
from shared.request.after_response import Later
from shared.routes import LINES

STREAMED_BYTES = 1_000_000
"""Answers above this are sent in pieces: Vercel limits a whole response to 4.5 MB, a streamed one not."""

HEADERS = {"cache-control": "private, no-cache"}
"""A caller may keep an answer, and must ask whether it is still the newest before using it again."""


def json_response(
    body: bytes | Pieces | dict[str, Any], later: Later | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *body* as the answer; the work in *later* is done once it is sent."""
    if isinstance(body, dict):
        body = orjson.dumps(body)
    pieces = [body] if isinstance(body, bytes) else body
    task = BackgroundTask(later.run) if later else None
    headers = {**HEADERS, **(headers or {})}
    if sum(map(len, pieces)) <= STREAMED_BYTES:
        return Response(b"".join(pieces), headers=headers, media_type="application/json", background=task)
    return _Streamed(pieces, headers, task)


def lines_response(pieces: Pieces) -> Response:
    """Return lines of JSON as the answer."""
    if sum(map(len, pieces)) <= STREAMED_BYTES:
        return Response(b"".join(pieces), headers=HEADERS, media_type=LINES)
    return _Streamed(pieces, HEADERS, None, LINES)


def unchanged_response(later: Later | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return a 304: the caller has what it asks for."""
    task = BackgroundTask(later.run) if later else None
    return Response(status_code=304, headers={**HEADERS, **(headers or {})}, background=task)


class _Streamed(StreamingResponse):
    """JSON sent in parts, at the pace of the instance."""

    def __init__(
        self,
        pieces: Pieces,
        headers: Mapping[str, str],
        task: BackgroundTask | None,
        media_type: str = "application/json",
    ) -> None:
        self._pieces = pieces
        super().__init__(iter(()), headers=headers, media_type=media_type, background=task)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.body_iterator = _parts(self._pieces, scope["state"]["pace"])
        await super().__call__(scope, receive, send)


async def _parts(pieces: Pieces, pace: Pace) -> AsyncIterator[bytes | memoryview]:
    for part in in_parts(pieces):
        await pace.turn()
        yield part
