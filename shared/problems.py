"""
Errors as HTTP answers: application/problem+json (RFC 9457) that OpenAI's clients read as well.

The one place that turns exceptions into responses. A ServiceError tells the client what to change; anything
else is a bug: it is logged once, with its traceback, and answered with an opaque 500.
"""

import logging
import math
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.admission.invocation import CURRENT
from shared.errors import BudgetExceeded, ServiceError
from shared.headers import rate_headers

log = logging.getLogger("warmthread")

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
) -> Response:
    """Return the answer for one problem; `error` is the member that OpenAI's clients look for."""
    body: dict[str, object] = {
        "type": type_uri or TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": detail,
        **(extensions or {}),
        "error": {
            "message": detail,
            "type": error_type,
            "param": param,
            "code": code or slug.replace("-", "_"),
        },
    }
    if param is not None:
        body["param"] = param
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


async def on_service_error(request: Request[Any], error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    headers = rate_headers(CURRENT.get())
    if error.retry_after_s is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after_s))
        headers["retry-after-ms"] = str(math.ceil(error.retry_after_s * 1_000))
    if isinstance(error, BudgetExceeded):
        # OpenAI's clients obey it: what is refused until the window ends is not worth a retry.
        headers["x-should-retry"] = "false"
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
    )


async def on_http_exception(request: Request[Any], error: Exception) -> Response:
    """Starlette's own refusals: an unknown path, a method that a path does not have."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    slug = phrase.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path[:200]}: {phrase}."
    headers = dict(error.headers) if error.headers else None
    return problem_response(
        error.status_code, slug, phrase, detail, error_type="invalid_request_error", headers=headers
    )


async def on_bug(request: Request[Any], error: Exception) -> Response:
    # The path names a conversation and the query may hold text: neither goes into a log line.
    log.error("unhandled %s in %s", type(error).__name__, request.method, exc_info=error)
    return problem_response(
        500,
        "internal-error",
        "Internal error",
        "Something went wrong on our side.",
        error_type="server_error",
    )
