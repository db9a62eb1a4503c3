"""
Errors as HTTP answers: application/problem+json (RFC 9457) that OpenAI's clients read as well.

The one place that turns exceptions into responses. A ServiceError tells the client what to change; anything
else is a bug: it is logged once, with where it happened, and answered with an opaque 500.
"""

import math
import traceback
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import BodyLate, Misconfigured, ServiceError, StoreUnavailable
from shared.http.headers import rate_headers
from shared.http.unrouted import PATH_CHARS_MAX, hint, meant
from shared.process import log
from shared.request.invocation import CURRENT
from shared.request.observation import OBSERVED

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:warmthread:problem:"


def problem_response(
    status: int,
    slug: str,
    title: str,
    detail: str,
    *,
    error_type: str,
    type_uri: str = "",
    param: str | None = None,
    code: str | None = None,
    headers: dict[str, str] | None = None,
    extensions: dict[str, object] | None = None,
    cause: str = "",
) -> Response:
    """
    Return the answer for one problem; `error` is the member that OpenAI's clients look for. The line of the request in
    the log has its type, and *cause*.
    """
    problem = type_uri or TYPE_PREFIX + slug
    body: dict[str, object] = {
        "type": problem,
        "title": title,
        "status": status,
        "detail": detail,
        **(extensions or {}),
        "error": _error(detail, error_type, param, code or slug.replace("-", "_")),
    }
    if param is not None:
        body["param"] = param
    if (observed := OBSERVED.get()) is not None:
        observed.problem, observed.cause = problem, cause
        body["request_id"] = observed.request_id
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def _error(detail: str, error_type: str, param: str | None, code: str) -> dict[str, object]:
    return {"message": detail, "type": error_type, "param": param, "code": code}


def error_member(error: ServiceError) -> dict[str, object]:
    """Return `error` as problems have it, with its status and its numbers: for an answer of what came about without."""
    said = _error(error.detail, error.error_type, error.param, error.code)
    return {**said, "status": error.status, **error.extensions}


async def on_service_error(request: Request[Any], error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    headers = rate_headers(CURRENT.get())
    _note_reason(error.counted_as or error.slug)
    if error.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
        headers["retry-after-ms"] = str(math.ceil(error.retry_after_s * 1_000))
    if not error.is_worth_retry:
        headers["x-should-retry"] = "false"
    if isinstance(error, BodyLate):
        headers["connection"] = "close"  # What still comes is no request.
    if error.etag is not None:
        headers["etag"] = error.etag
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="warmthread"'
    return problem_response(
        error.status,
        error.slug,
        error.title,
        error.detail,
        type_uri=error.type_uri,
        error_type=error.error_type,
        param=error.param,
        code=error.code,
        headers=headers,
        extensions=error.extensions,
        cause=_cause(error) if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    )


def _note_reason(reason: str) -> None:
    """Have the current request counted as refused for *reason*."""
    if (invocation := CURRENT.get()) is not None:
        invocation.refused_for = reason


def _cause(error: ServiceError) -> str:
    """Return what led to *error*: kinds of errors, and what the store's client says of itself (background.py)."""
    if isinstance(error, Misconfigured):
        return error.detail  # Variables and their rules.
    cause = error.__cause__
    if isinstance(error, StoreUnavailable) and cause is not None:
        return str(cause)
    return " < ".join(type(each).__name__ for each in (error, cause) if each is not None)


METHOD_NOT_ALLOWED = (405, "method-not-allowed", "The path has no such method; `Allow` lists those that it has.")
INTERNAL_ERROR = (500, "internal-error", "A bug of ours.")
"""Problems that are no ServiceError: Starlette's refusal, and what nobody thought of. Status, slug, meaning."""


async def on_http_exception(request: Request[Any], error: Exception) -> Response:
    """Starlette's own refusals: an unknown path, a method that a path does not have."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    slug = phrase.lower().replace(" ", "-")
    _note_reason(slug)
    path = request.scope["path"]
    detail = f"{request.method} {path[:PATH_CHARS_MAX]}: {phrase}."
    extensions: dict[str, object] = {}
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {path[:PATH_CHARS_MAX]}: {hint(path)}."
        extensions = {"did_you_mean": wanted} if (wanted := meant(path)) else {}
    return problem_response(
        error.status_code,
        slug,
        phrase,
        detail,
        error_type="invalid_request_error",
        headers=dict(error.headers) if error.headers else None,
        extensions=extensions,
    )


async def on_bug(request: Request[Any], error: Exception) -> Response:
    """Answer what nothing else did; Bugs writes into the log where it happened."""
    return problem_response(
        *INTERNAL_ERROR[:2],
        "Internal error",
        "Something went wrong on our side.",
        error_type="server_error",
        cause=type(error).__name__,
    )


class CutShort(RuntimeError):
    """An answer ended before its end; the server has to close the connection."""


class Bugs:
    """
    An ASGI app whose bugs go into the log once: what kind, and where.

    Not what they say, nor to the server, which would write that down: a KeyError says a key, and that may be text of a
    caller's. Nor the path, which names a conversation, nor the query.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def send_noting(message: Message) -> None:
            nonlocal is_whole
            is_whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
            return
        except Exception as error:  # noqa: BLE001  # What nothing else took is a bug, whatever it is.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error(f"unhandled {type(error).__name__}", traceback=where)
        if not is_whole:
            raise CutShort("an answer was cut short; the log says where")
