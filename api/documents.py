"""
GET HEAD /v1/documents/{path}   a document of the tenant's folder, or of shared/, with its tag and its token count
"""

from collections.abc import AsyncIterator
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from shared.app import create_app
from shared.documents.document import media_type
from shared.errors import InvalidValue, NotFound, SourceUnavailable, TextNotCountable, UnsupportedMedia
from shared.http.answers import HEADERS, unchanged_response
from shared.http.headers import document_headers
from shared.http.serving import Asked
from shared.items.counts import PRIMARY_ENCODING
from shared.items.document_paths import check_path, place_for
from shared.request.parameters import string
from shared.routes import Route
from shared.tokens.models import ENCODING, MODEL, read_encoding

PIECE_CHARS = 64 * 1024


async def document(asked: Asked, path: str, **coding: Any) -> Response:
    later = asked.later
    _, encoding = read_encoding(coding, default=PRIMARY_ENCODING)
    path = _checked(path)
    place, documents = place_for(asked.caller.tenant, path), asked.state["documents"]
    found = await documents.read(asked.caller, path, later)
    held = found.value
    assert held is not None
    if not held.is_text:
        raise UnsupportedMedia(f"The document is {held.why}; text in UTF-8 is served.", param="path")
    headers = document_headers(found.origin, found.age_s, held.etag)
    if held.etag in asked.known:
        return unchanged_response(later, headers)
    try:
        tokens = await documents.count(place, path, found, encoding, later)
    except TextNotCountable as error:
        raise error.at("path") from None
    headers |= {
        "warmthread-encoding": encoding,
        "x-content-type-options": "nosniff",
        "content-length": str(held.total_bytes),
    }
    if held.is_whole:
        headers["warmthread-tokens"] = str(tokens)
    task = BackgroundTask(later.run) if later else None
    if asked.request.method == "HEAD":
        return Response(headers=HEADERS | headers, media_type=media_type(path), background=task)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(held.text), PIECE_CHARS):
            yield held.text[start : start + PIECE_CHARS].encode()
        if not held.is_whole:
            async for piece in documents.rest(place, held):
                yield piece

    return StreamingResponse(pieces(), headers=HEADERS | headers, media_type=media_type(path), background=task)


def _checked(path: str) -> str:
    try:
        return check_path(path, "path")
    except InvalidValue as error:
        # What cannot be named does not exist.
        raise NotFound("There is no such document.", param="path") from error


ROUTES = (
    Route(
        "GET",
        "/v1/documents/{path:path}",
        document,
        "A document of the tenant's folder, or of shared/",
        "a document of the tenant's folder, or of `shared/`, with its tag and its token count; HEAD as well",
        "document",
        ids=(string("path", "in the tenant's folder, or `shared/…`", schema="path", required=True),),
        query=(MODEL, ENCODING),
        headers=("If-None-Match",),
        answered=(
            *("ETag", "Age", "Cache-Status", "Warmthread-Encoding", "Warmthread-Tokens"),
            *("X-Content-Type-Options", "Content-Length"),
        ),
        refuses=(UnsupportedMedia, SourceUnavailable, TextNotCountable),
        billed="5; more when it has to be loaded",
        needs=("documents",),
    ),
)
app = create_app(ROUTES)
