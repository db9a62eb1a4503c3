"""
The service as one ASGI app: the functions of api/ and the files of public/, where vercel.json says that they are.

On Vercel each function is an instance of its own. Here one instance answers for all of them, so they share one state:
one L1, one connection to the store, one set of slots. A function is imported by the first request for it.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aws.places import Places
from shared.http.problems import METHOD_NOT_ALLOWED, problem_response

REQUEST_ID = b"x-request-id"


class Site:
    """The app; *state* is what its functions share."""

    def __init__(self, places: Places, state: dict[str, Any]) -> None:
        self._places = places
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if added := self._places.headers(path):
            send = _sending_with(added, send)
        found = self._places.find(path)
        if isinstance(found, Path):
            await _file_answer(found, scope)(scope, receive, send)
            return
        app: ASGIApp = import_module(found).app
        await app({**scope, "state": self._state.copy(), "headers": _headers(scope)}, receive, send)


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request, with Lambda's id of it where the caller gave none."""
    headers = [(name, value) for name, value in scope["headers"]]
    if all(name != REQUEST_ID for name, _ in headers):
        headers.append((REQUEST_ID, str(scope["aws.context"].aws_request_id).encode()))
    return headers


def _file_answer(file: Path, scope: Scope) -> Response:
    if scope["method"] in ("GET", "HEAD"):
        return FileResponse(file)
    status, slug, _ = METHOD_NOT_ALLOWED
    return problem_response(
        status,
        slug,
        "Method Not Allowed",
        f"{scope['path']} can only be read.",
        error_type="invalid_request_error",
        headers={"allow": "GET, HEAD"},
    )


def _sending_with(headers: list[tuple[bytes, bytes]], send: Send) -> Send:
    """Return *send*, with those of *headers* added that an answer does not have."""

    async def added(message: Message) -> None:
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message["headers"]}
            rest = [pair for pair in headers if pair[0] not in named]
            message = {**message, "headers": [*message["headers"], *rest]}
        await send(message)

    return added
