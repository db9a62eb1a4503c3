"""
GET HEAD /v1/documents/{path}   a document of the tenant's folder, or of shared/, with its tag and its token count
"""

from collections.abc import AsyncIterator

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shared.app import create_app
from shared.documents.document import media_type
from shared.errors import InvalidValue, NotFound, UnsupportedMedia
from shared.http.answers import HEADERS, unchanged_response
from shared.http.guard import admit
from shared.http.headers import document_headers, read_etags
from shared.http.state import Request
from shared.items.counts import PRIMARY_ENCODING
from shared.items.document_paths import check_path, place_for
from shared.request.after_response import Later
from shared.request.parameters import refuse_unknown_parameters
from shared.tokens.models import read_encoding

PARAMETERS = frozenset({"model", "encoding"})
PIECE_CHARS = 64 * 1024


async def read(request: Request) -> Response:
    caller, later = admit(request), Later()
    refuse_unknown_parameters(request.query_params, PARAMETERS)
    _, encoding = read_encoding(request.query_params, default=PRIMARY_ENCODING)
    path = _path(request)
    place, documents = place_for(caller.tenant, path), request.state["documents"]
    found = await documents.read(caller, path, later)
    document = found.value
    assert document is not None
    if not document.is_text:
        raise UnsupportedMedia(f"The document is {document.why}; text in UTF-8 is served.", param="path")
    headers = document_headers(found.origin, found.age_s, document.etag)
    if document.etag in read_etags(request.headers.get("if-none-match")):
        return unchanged_response(later, headers)
    tokens = await documents.count(place, path, found, encoding, later)
    headers |= {
        "warmthread-encoding": encoding,
        "x-content-type-options": "nosniff",
        "content-length": str(document.total_bytes),
    }
    if document.is_whole:
        headers["warmthread-tokens"] = str(tokens)
    task = BackgroundTask(later.run) if later else None
    if request.method == "HEAD":
        return Response(headers=HEADERS | headers, media_type=media_type(path), background=task)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(document.text), PIECE_CHARS):
            yield document.text[start : start + PIECE_CHARS].encode()
        if not document.is_whole:
            async for piece in documents.rest(place, document):
                yield piece

    return StreamingResponse(pieces(), headers=HEADERS | headers, media_type=media_type(path), background=task)


def _path(request: Request) -> str:
    try:
        return check_path(request.path_params["path"], "path")
    except InvalidValue as error:
        # What cannot be named does not exist.
        raise NotFound("There is no such document.", param="path") from error


app = create_app([Route("/v1/documents/{path:path}", read, methods=["GET"])])
