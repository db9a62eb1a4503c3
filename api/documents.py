"""
GET    /v1/documents          what the tenant's folder has, or shared/, by path
GET    /v1/documents/{path}   a document of the tenant's folder, or of shared/, with its tag and its token count; HEAD
PUT    /v1/documents/{path}   a document of the tenant's folder: its text
DELETE /v1/documents/{path}   it is gone
"""

from collections.abc import AsyncIterator
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from shared.app import create_app
from shared.documents.document import media_type
from shared.errors import InvalidValue, NotFound, SourceUnavailable, TextNotCountable, UnsupportedMedia
from shared.http.answers import HEADERS, json_response, unchanged_response
from shared.http.headers import document_headers, replay_headers
from shared.http.serving import Asked
from shared.items.counts import PRIMARY_ENCODING
from shared.items.document_paths import PATH_BYTES_MAX, SHARED, Place, check_path, place_for
from shared.request import roles
from shared.request.parameters import integer, string
from shared.routes import Body, Route
from shared.tokens.models import ENCODING, MODEL, read_encoding

PIECE_CHARS = 64 * 1024
PERMITS = 5
"""Of what goes to the object store each time, past what is kept."""


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


async def put_document(asked: Asked, path: str, body: bytes) -> Response:
    from shared.documents.condition import read_condition
    from shared.documents.given import read_text

    documents, headers = asked.state["documents"], asked.request.headers
    place = _own(asked, _checked(path))
    condition = read_condition(headers)
    given = read_text(body, headers.get("content-type", ""))
    try:
        tokens = await documents.count_new(path, given, PRIMARY_ENCODING)
    except TextNotCountable as error:
        raise error.at("body") from None
    done = await documents.writer.put(asked.caller, place, given, condition, asked.attempt)
    said = {"object": "document", "path": path, "etag": done.etag, "bytes": len(body)}
    return json_response(
        said | {"tokens": tokens, "encoding": PRIMARY_ENCODING},
        headers={"etag": done.etag, **replay_headers(is_replay=done.is_replay)},
    )


async def delete_document(asked: Asked, path: str) -> Response:
    from shared.documents.condition import read_condition

    place = _own(asked, _checked(path))
    condition = read_condition(asked.request.headers)
    done = await asked.state["documents"].writer.delete(asked.caller, place, condition, asked.attempt)
    said = {"object": "document.deleted", "path": path, "deleted": True}
    return json_response(said, headers=replay_headers(is_replay=done.is_replay))


async def list_documents(asked: Asked, prefix: str | None, after: str | None, limit: int) -> Response:
    from shared.documents.objects import Page

    prefix, after = prefix or "", after or ""
    scope, within = place_for(asked.caller.tenant, prefix)
    folder = prefix.removesuffix(within)
    writer, page = asked.state["documents"].writer, Page([], has_more=False)
    if after.startswith(folder):
        page = await writer.page(scope, within, after.removeprefix(folder), limit)
    elif after < folder:
        page = await writer.page(scope, within, "", limit)
    data = [
        {
            "object": "document",
            "path": folder + each.path,
            "etag": each.etag,
            "bytes": each.size_bytes,
            "modified_at": each.modified_at_unix_s,
        }
        for each in page.objects
    ]
    last = data[-1]["path"] if page.has_more else None
    return json_response({"object": "list", "data": data, "has_more": page.has_more, "next_after": last})


def _checked(path: str) -> str:
    try:
        return check_path(path, "path")
    except InvalidValue as error:
        # What cannot be named does not exist.
        raise NotFound(f"There is no such document: {error.detail}", param="path") from error


def _own(asked: Asked, path: str) -> Place:
    """Return the place of *path* in the caller's own folder. Raises NotFound: it is none of theirs to write."""
    place = place_for(asked.caller.tenant, path)
    if place.scope == SHARED:
        raise NotFound(f"What is below {SHARED}/ is read here, and written by nobody but the operator.", param="path")
    return place


PREFIX = "/v1/documents"
DOCUMENT = PREFIX + "/{path:path}"
PATH = string("path", "in the tenant's folder, or `shared/…`", schema="path", required=True)
OWN_PATH = string("path", "in the tenant's folder", schema="path", required=True)
UP_TO_PATH = (0, PATH_BYTES_MAX)

ROUTES = (
    Route(
        "GET",
        PREFIX,
        list_documents,
        "Documents by path",
        "what the tenant's folder has, by path, as the object store says; `next_after` goes on where there is more",
        "documents",
        query=(
            string("prefix", "those whose paths begin so; `shared/` for those that everybody reads", chars=UP_TO_PATH),
            string("after", "those behind this path", chars=UP_TO_PATH),
            integer("limit", 1, 1_000, "documents of a page", default=100),
        ),
        refuses=(SourceUnavailable,),
        role=roles.READ,
        billed="2",
        needs=("documents",),
        is_confirmed_first=True,
        permits=PERMITS,
    ),
    Route(
        "GET",
        DOCUMENT,
        document,
        "A document of the tenant's folder, or of shared/",
        "a document of the tenant's folder, or of `shared/`, with its tag and its token count; HEAD as well",
        "document",
        ids=(PATH,),
        query=(MODEL, ENCODING),
        headers=("If-None-Match",),
        answered=(
            *("ETag", "Age", "Cache-Status", "Warmthread-Encoding", "Warmthread-Tokens"),
            *("X-Content-Type-Options", "Content-Length"),
        ),
        refuses=(UnsupportedMedia, SourceUnavailable, TextNotCountable),
        role=roles.READ,
        billed="5; more when it has to be loaded",
        needs=("documents",),
    ),
    Route(
        "PUT",
        DOCUMENT,
        put_document,
        "Write a document",
        "the text of a document of the tenant's folder, which is written anew: once it is answered, no instance shows "
        "the old one",
        "put_document",
        ids=(OWN_PATH,),
        body=Body(is_document=True),
        headers=("Idempotency-Key", "If-Match", "If-None-Match"),
        answered=("ETag", "Idempotency-Replayed"),
        refuses=(UnsupportedMedia, SourceUnavailable, TextNotCountable),
        role=roles.FULL,
        billed="15; 16 for one that is new; 2 more with an `Idempotency-Key`",
        needs=("documents",),
        is_prepared=True,
        permits=PERMITS,
    ),
    Route(
        "DELETE",
        DOCUMENT,
        delete_document,
        "Delete a document",
        "deletes a document of the tenant's folder: once it is answered, no instance shows it",
        "deleted_document",
        ids=(OWN_PATH,),
        headers=("Idempotency-Key", "If-Match"),
        answered=("Idempotency-Replayed",),
        refuses=(SourceUnavailable,),
        role=roles.FULL,
        billed="12; 2 more with an `Idempotency-Key`",
        needs=("documents",),
        permits=PERMITS,
    ),
)
app = create_app(ROUTES)
