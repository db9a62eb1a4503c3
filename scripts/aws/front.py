"""
The service on Lambda as one machine can play it: HTTP in front, events to instances in this process, as AWS does it.

An instance has one invocation at a time. A request gets the one that was used last of those that are idle, and a new
one where none is. Each lives in a thread of its own, since what it waits for it waits for with its loop. Events and
answers are JSON on their way, within Lambda's bounds and those of who sends events.
"""

import asyncio
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from uuid import uuid4

from starlette.types import Receive, Scope, Send

from aws.instance import Instance
from aws.variables import prepare
from scripts.aws.events import Answered, Asked, Sender, answered_of, event_of

TIMEOUT_S = 60.0
"""What the template gives an invocation."""

EVENT_BYTES_MAX = ANSWER_BYTES_MAX = 6_291_556
BALANCED_BYTES_MAX = 1_000_000
"""Lambda's bounds, and a load balancer's, of bodies there and of answers as JSON here."""

INSTANCES_MAX = 64


class Context:
    """What Lambda tells an invocation of itself."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.aws_request_id = str(uuid4())
        self._end_at_s = time.monotonic() + timeout_s

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self._end_at_s - time.monotonic()) * 1_000))


class Worker:
    """An instance in its thread."""

    def __init__(self, number: int, make: Callable[[], Instance]) -> None:
        self._make = make
        self._events: SimpleQueue[tuple[str, Future[str]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"lambda-{number}", daemon=True)
        self._thread.start()

    def invoke(self, event: str) -> Future[str]:
        """Return what will be returned for *event*; both are JSON."""
        returned: Future[str] = Future()
        self._events.put((event, returned))
        return returned

    def close(self) -> None:
        self._events.put(None)
        self._thread.join()

    def _run(self) -> None:
        instance: Instance | None = None
        while (taken := self._events.get()) is not None:
            event, returned = taken
            try:
                instance = instance or self._make()
                returned.set_result(json.dumps(instance(json.loads(event), Context()), ensure_ascii=False))
            except BaseException as error:  # noqa: BLE001  # Lambda reports whatever a function raises.
                returned.set_exception(error)
        if instance is not None:
            instance.close()


_swap = threading.Lock()


def _make_with(environ: Mapping[str, str], make: Callable[[], Instance]) -> Instance:
    """
    Return an instance that found *environ*: all of a front have the settings that there were when it began, as a
    function has, also those that start later.
    """
    with _swap:
        there = dict(os.environ)
        try:
            _set_environ(environ)
            return make()
        finally:
            _set_environ(there)


def _set_environ(wanted: Mapping[str, str]) -> None:
    """Make the environment *wanted*, by the few variables that differ."""
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


class Front:
    """An ASGI app: each of its requests becomes an event of *sender*, which is asked for it anew."""

    def __init__(self, sender: Callable[[], Sender], make: Callable[[], Instance] = Instance) -> None:
        self._sender = sender
        prepare(environ := dict(os.environ))
        self._make = partial(_make_with, environ, make)
        self._numbers = itertools.count(1)
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._room = asyncio.Semaphore(INSTANCES_MAX)

    def close(self) -> None:
        """End every instance."""
        for worker in self._workers:
            worker.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        asked = await _read(scope, receive)
        if asked is None:
            return  # Its caller is gone before there was a request.
        answered = await self._answer(asked)
        headers = [(name.encode(), value.encode()) for name, value in answered.headers]
        if "content-length" not in {name.lower() for name, _ in answered.headers}:
            headers.append((b"content-length", str(len(answered.body)).encode()))
        await send({"type": "http.response.start", "status": answered.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" else answered.body})

    async def _answer(self, asked: Asked) -> Answered:
        sender = self._sender()
        if sender is Sender.LOAD_BALANCER and len(asked.body) > BALANCED_BYTES_MAX:
            return Answered(413, [], b"")
        event = json.dumps(event_of(sender, asked), ensure_ascii=False)
        if len(event.encode()) > EVENT_BYTES_MAX:
            return Answered(413, [("content-type", "application/json")], b'{"Message":null}')
        try:
            returned = await self.invoke(event)
        except Exception:  # noqa: BLE001  # As every sender tells of whatever went wrong in a function.
            return Answered(502, [("content-type", "application/json")], b'{"message":"Internal server error"}')
        most_bytes = BALANCED_BYTES_MAX if sender is Sender.LOAD_BALANCER else ANSWER_BYTES_MAX
        if len(returned.encode()) > most_bytes:
            return Answered(502, [("content-type", "application/json")], b'{"message":"Response too large"}')
        return answered_of(json.loads(returned))

    async def invoke(self, event: str) -> str:
        """Return what an instance returns for *event*, both JSON. Raises what it raises."""
        async with self._room:
            if self._idle:
                worker = self._idle.pop()
            else:
                worker = Worker(next(self._numbers), self._make)
                self._workers.append(worker)
            try:
                return await asyncio.wrap_future(worker.invoke(event))
            finally:
                self._idle.append(worker)


async def _read(scope: Scope, receive: Receive) -> Asked | None:
    """Return a request as a whole, None where its caller left."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    headers: list[tuple[str, str]] = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    ]
    raw_path: bytes = scope["raw_path"]
    return Asked(
        scope["method"],
        raw_path.decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        headers,
        b"".join(parts),
    )
