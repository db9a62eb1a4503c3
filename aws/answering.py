"""
What an answer is on Lambda: a whole, of bounded size, which leaves when nothing is left to do behind it.

    whole      Lambda takes an answer as one JSON; one that is too large for its carrier becomes a problem that says so
    behind     Lambda freezes a process that has answered. So what a request leaves behind its answer is done before it
               leaves, for AFTER_S at the most; what is not done by then is ended, and a later request finds it due
    HEAD       has no body; elsewhere the server leaves it away
"""

import asyncio
import time
from collections.abc import Callable

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aws.deadline import LambdaDeadlines
from shared.http.problems import INTERNAL_ERROR, CutShort, problem_response
from shared.process import log
from shared.request.deadline import ANSWER_MARGIN_S

AFTER_S = 1.0
"""A caller waits for it. One request to the store, which most of it is, takes a hundredth of that."""

END_S = 0.2
"""In which what is ended has to have ended."""

ESCAPED_MAX = 6
"""As many bytes one character of an answer may become in JSON."""

SAFE = frozenset({"GET", "HEAD"})
OWN = frozenset({b"server-timing", b"warmthread-deployment", b"x-request-id", b"ratelimit", b"ratelimit-policy"})
"""Headers that stay when a problem takes an answer's place."""


class Whole:
    """An ASGI app whose answers are sent as one, of at most as many bytes as *most_bytes* says at that time."""

    def __init__(self, app: ASGIApp, most_bytes: Callable[[], int]) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(bytes(message.get("body", b"")))
            if message.get("more_body", False):
                return
            body = b"".join(parts)
            if scope["method"] == "HEAD":
                body = b""
            most_bytes = self._most_bytes()
            if len(body) * ESCAPED_MAX > most_bytes and (size_bytes := size_in_json(body)) > most_bytes:
                log.warning("an answer was too large for what carries it", bytes=size_bytes)
                await _too_large(scope, start, size_bytes, most_bytes)(scope, receive, send)
                return
            await send(start)
            await send({"type": "http.response.body", "body": body})

        try:
            await self._app(scope, receive, collect)
        except CutShort:
            # Elsewhere its beginning was sent, and the connection is closed; here nothing was.
            await _cut_short(start)(scope, receive, send)


def size_in_json(body: bytes) -> int:
    """Return how many bytes *body* has in Lambda's answer: escaped as text, or in base64 where it is none."""
    try:
        return len(orjson.dumps(body.decode()))
    except UnicodeDecodeError:
        return len(body) * 4 // 3 + 4


def _too_large(scope: Scope, start: Message, size_bytes: int, most_bytes: int) -> Response:
    """Return the problem in place of an answer. What was asked for is done, which a read does not mind."""
    is_read = scope["method"] in SAFE
    detail = f"The answer has {size_bytes:,} bytes as Lambda returns it, and what carries it takes {most_bytes:,}."
    if is_read:
        detail += " Ask for less: a smaller limit or budget."
    else:
        detail += " What was asked for is done; read it in smaller pages."
    answer = problem_response(
        422 if is_read else 500,
        "answer-too-large",
        "Answer too large",
        detail,
        error_type="invalid_request_error" if is_read else "server_error",
        # Sent again it would be too large again.
        headers={"x-should-retry": "false"},
        extensions={"bytes": size_bytes, "bytes_max": most_bytes, "done": not is_read},
    )
    return _with_own(answer, start)


def _cut_short(start: Message) -> Response:
    status, slug, _ = INTERNAL_ERROR
    detail = "The answer ended before its end."
    return _with_own(problem_response(status, slug, "Internal error", detail, error_type="server_error"), start)


def _with_own(answer: Response, start: Message) -> Response:
    answer.raw_headers += [(name, value) for name, value in start.get("headers", ()) if name.lower() in OWN]
    return answer


class Behind:
    """An ASGI app that ends within *after_s* of its answer."""

    def __init__(self, app: ASGIApp, deadlines: LambdaDeadlines, after_s: float = AFTER_S) -> None:
        self._app = app
        self._deadlines = deadlines
        self._after_s = after_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = asyncio.Event()

        async def noting(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                answered.set()

        async def run() -> None:
            await self._app(scope, receive, noting)

        work, wait = asyncio.create_task(run()), asyncio.create_task(answered.wait())
        await asyncio.wait((work, wait), return_when=asyncio.FIRST_COMPLETED)
        wait.cancel()
        left_s = self._deadlines.cut_at_s() - time.monotonic() - ANSWER_MARGIN_S
        await asyncio.wait((work,), timeout=max(0.0, min(self._after_s, left_s)))
        if work.done():
            work.result()
            return
        log.warning("background: what was left behind an answer was ended, for Lambda waits for it")
        work.cancel()
        await asyncio.wait((work,), timeout=END_S)
