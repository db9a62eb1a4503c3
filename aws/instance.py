"""
One instance of the function: started once, then given one event after another, each of which it answers or does.

    start    settings, store, L1, as on Vercel, on an event loop that is kept: what waits in it goes on with the next
             event, as the process does
    call     HTTP goes through mangum to the site; schedules and S3 through requests of our own to the same site

What is no event that is known, and what a schedule or S3 asked for and could not be done, is raised: Lambda reports it,
and invokes again what came without a caller.
"""

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import orjson
from mangum import Mangum
from starlette.types import Receive, Scope, Send

from api import conversations
from aws.answering import Behind, Whole
from aws.deadline import LambdaContext, LambdaDeadlines
from aws.places import Places
from aws.shapes import CARRIERS, LAMBDA_ANSWER_BYTES, EventError, Kind, kind_of
from aws.site import Site
from aws.work import Ask, as_event, asks_of
from shared.app import lifespan
from shared.http.problems import MEDIA_TYPE
from shared.http.state import State

ROOT = Path(__file__).parents[1]
HOST = re.compile(r"[\w.-]{1,255}(:\d{1,5})?", re.ASCII)
HOSTS = frozenset({"x-forwarded-host", "x-forwarded-port"})

PAYLOAD_OF_HTTP_APIS = "1.0"
"""What the older payload of an HTTP API says of itself, and that of a REST API, which it is like, does not."""

TEXT = ["text/", "application/json", MEDIA_TYPE, "image/svg+xml"]
"""What is not sent in base64, which is a third longer, and which a REST API takes for text."""

CLOSING_S = 5.0
"""In which an instance that is closed has to have ended."""


class Instance:
    """The function; it is called with an event and its context, as Lambda does, in the thread that started it."""

    def __init__(self, root: Path = ROOT) -> None:
        """Raises ValueError, OSError: what vercel.json says is not understood, or not there."""
        places = Places(root)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # Where mangum looks for one.
        self._stack = contextlib.AsyncExitStack()
        # What is imported now is imported before the first caller waits; all that an instance needs for most of them.
        self._state: State = self._loop.run_until_complete(self._stack.enter_async_context(lifespan(conversations.app)))
        self._deadlines = self._state["deadlines"] = LambdaDeadlines()
        self._answer_bytes = LAMBDA_ANSWER_BYTES
        # Inside out: what is behind an answer is waited for when that is whole.
        site = Site(places, cast(dict[str, Any], self._state))
        app = Behind(Whole(site, lambda: self._answer_bytes), self._deadlines)
        self._has_begun = False

        async def begin(scope: Scope, receive: Receive, send: Send) -> None:
            self._has_begun = True
            await app(scope, receive, send)

        self._mangum: Callable[[Any, Any], dict[str, Any]] = Mangum(begin, "off", text_mime_types=TEXT)
        logging.getLogger("mangum").setLevel(logging.ERROR)  # Below that it writes paths, which name conversations.

    def __call__(self, event: object, context: LambdaContext) -> dict[str, Any]:
        """
        Return the answer to *event*, in the form of who sent it; for what is no request, what was done.

        Raises:   EventError: it is of no known kind or form, and nothing was done; or it is no request, and failed.
        """
        kind = kind_of(event)
        assert isinstance(event, dict)
        carrier = CARRIERS.get(kind)
        self._deadlines.begin(context, carrier.seconds if carrier else math.inf)
        if carrier is not None:
            return self._answer(kind, event, context)
        done = [self._do(ask, context) for ask in asks_of(kind, event, self._state["settings"])]
        return {"done": done}

    def close(self) -> None:
        """End as an instance does that is told to; Lambda tells none."""
        self._state["ending"].tell()
        with contextlib.suppress(TimeoutError):
            self._loop.run_until_complete(asyncio.wait_for(self._stack.aclose(), CLOSING_S))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        self._loop.close()

    def _answer(self, kind: Kind, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        self._answer_bytes, self._has_begun = CARRIERS[kind].answer_bytes, False
        try:
            return self._mangum(readable(kind, event), context)
        except ValueError as error:
            if self._has_begun:
                raise
            raise EventError(f"The event could not be read ({type(error).__name__}). Nothing was done.") from None

    def _do(self, ask: Ask, context: LambdaContext) -> Any:
        answer = self._answer(Kind.URL, as_event(ask), context)
        if answer["statusCode"] >= 300:
            raise EventError(f"{ask.method} {ask.path} answered {answer['statusCode']}: {answer['body']}")
        return orjson.loads(answer["body"])


def readable(kind: Kind, event: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *event* as mangum reads it: paths encoded, and without what callers may write into headers of hosts and it
    fails at.
    """
    readable = dict(event)
    for member in ("headers", "multiValueHeaders"):
        if event.get(member) is None:
            readable.pop(member, None)
        else:
            readable[member] = {name: value for name, value in event[member].items() if _is_sane(name.lower(), value)}
    # HTTP APIs alone decode the path, in both of their payloads; mangum decodes all.
    if kind is Kind.HTTP:
        request = event["requestContext"]["http"]
        http = {**request, "path": quote(request["path"])}
        readable["requestContext"] = {**event["requestContext"], "http": http}
    elif kind is Kind.REST and event.get("version") == PAYLOAD_OF_HTTP_APIS:
        readable["path"] = quote(event["path"])
    return readable


def _is_sane(name: str, value: str | list[str]) -> bool:
    if name in HOSTS:
        return False
    return name != "host" or all(HOST.fullmatch(each) for each in ([value] if isinstance(value, str) else value))
