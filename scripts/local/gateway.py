"""
The REST server's ASGI application: authorises, reads, forwards to Valkey, answers or streams; counts as it goes.

Two things are not Upstash's: a delay before each answer, to stand for a network, and the counters at /-/stats
(GET reads them, POST reads and resets them). Every path asks for the token.
"""

import asyncio
import hmac
import json
from functools import partial
from typing import NamedTuple

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from scripts.local.lua import Scripts, cross_slot
from scripts.local.resp import Command, Failure, Pool, Reply
from scripts.local.rest import (
    REQUEST_BYTES_MAX,
    Call,
    Form,
    RequestError,
    error_body,
    json_body,
    query_token,
    read_call,
    refusal,
    resp2_body,
)
from scripts.local.streams import EVENT_STREAM, StreamRefused, Streams, stream_command
from scripts.local.sync_token import SyncToken

METHODS = ("GET", "HEAD", "POST", "PUT")
STATS_PATH = b"/-/stats"  # No command is named "-".
LARGE_BYTES = 256 * 1024
JSON, OCTETS = b"application/json", b"application/octet-stream"


class Answer(NamedTuple):
    """The HTTP response."""

    status: int
    body: bytes
    content_type: bytes = JSON


class Gateway:
    """One per server; `requests` and `commands` count what came, `delay_ms` may be changed at any time."""

    def __init__(self, pool: Pool, token: str, delay_ms: float) -> None:
        self.delay_ms = delay_ms
        self.requests = 0
        self.commands = 0
        self._pool = pool
        self._token = token.encode()
        self._streams = Streams(pool.address)
        self._sync_token = SyncToken()
        self.scripts = Scripts()

    async def start(self) -> None:
        """Ask Valkey, before the first request, what it has to be asked."""
        self._loop = asyncio.get_running_loop()
        await self._sync_token.learn(self._pool)

    def end_streams(self) -> None:
        """End every stream, and let none begin; from any thread."""
        self._loop.call_soon_threadsafe(self._streams.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        try:
            body = await _read_body(receive)
        except ClientDisconnect:
            return
        if scope["raw_path"] == STATS_PATH:
            answer = self._stats(scope)
        else:
            self.requests += 1
            command = stream_command(scope)
            answered = await self._answer(scope, body) if command is None else None
            if self.delay_ms > 0:
                await asyncio.sleep(self.delay_ms / 1000)
            if command is not None:
                answered = await self._stream(command, scope, receive, send)
            if answered is None:
                return
            answer = answered
        headers = [
            (b"content-type", answer.content_type),
            (b"content-length", b"%d" % len(answer.body)),
            (b"upstash-sync-token", self._sync_token.value()),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _stream(self, command: Command, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """Return the answer of a stream that did not begin; None: it has begun and ended."""
        if not self._is_authorised(dict(scope["headers"]), scope["query_string"]):
            return _unauthorised()
        self.commands += 1
        headers = [
            (b"content-type", EVENT_STREAM),
            (b"cache-control", b"no-cache"),
            (b"upstash-sync-token", self._sync_token.value()),
        ]
        try:
            await self._streams.serve(command, receive, send, headers)
        except StreamRefused as exc:
            return Answer(400, error_body(str(exc)))
        except OSError as exc:
            return _unreachable(exc)
        return None

    async def _answer(self, scope: Scope, body: bytes | None) -> Answer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if not self._is_authorised(headers, scope["query_string"]):
            return _unauthorised()
        if scope["method"] not in METHODS:
            return Answer(405, error_body("ERR method not allowed"))
        if body is None:
            return Answer(400, error_body("ERR max request size exceeded"))
        encoding = headers.get(b"upstash-encoding", b"").lower()
        form = headers.get(b"upstash-response-format", b"json").lower()
        try:
            if encoding not in (b"", b"base64") or form not in (b"json", b"resp2") or (encoding and form == b"resp2"):
                raise RequestError("ERR invalid response encoding or format")
            call = read_call(scope["method"], scope["raw_path"], scope["query_string"], body)
            if call.form is Form.TRANSACTION and form == b"resp2":
                raise RequestError("ERR resp2 is not available for transactions")
            self.commands += len(call.commands)
            replies = await self._carry_out(call)
        except RequestError as exc:
            return Answer(400, error_body(str(exc)))
        except OSError as exc:
            return _unreachable(exc)
        failed = call.form is Form.SINGLE and isinstance(replies[0], Failure)
        if form == b"resp2":
            return Answer(400 if failed else 200, resp2_body(replies), OCTETS)
        write = partial(json_body, call.form, replies, is_base64=bool(encoding))
        # As at Upstash, what is small does not wait for what is large.
        content = await asyncio.to_thread(write) if _size_bytes(replies) > LARGE_BYTES else write()
        return Answer(400 if failed else 200, content)

    def _is_authorised(self, headers: dict[bytes, bytes], query: bytes) -> bool:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            given = query_token(query)
        return hmac.compare_digest(given.strip(), self._token)

    def _stats(self, scope: Scope) -> Answer:
        if not self._is_authorised(dict(scope["headers"]), scope["query_string"]):
            return _unauthorised()
        body = json.dumps({"requests": self.requests, "commands": self.commands}).encode()
        if scope["method"] == "POST":
            self.reset()
        return Answer(200, body)

    def reset(self) -> None:
        self.requests = self.commands = 0

    async def _carry_out(self, call: Call) -> list[Reply]:
        """Return a reply for each command. Raises RequestError when a transaction is discarded as a whole."""
        refusals = [refusal(command) or cross_slot(command) for command in call.commands]
        if call.form is Form.TRANSACTION:
            for failure in filter(None, refusals):
                raise RequestError(failure.decode())
        admitted = [command for command, failure in zip(call.commands, refusals, strict=True) if failure is None]
        sent = [self.scripts.stored(command) for command in admitted]
        try:
            if call.form is Form.TRANSACTION:
                received = await self._transaction(sent)
            else:
                received = await self._pool.call(sent) if sent else []
        finally:
            self._sync_token.note(admitted)  # Whatever the answer: what failed may have written.
        answered = iter([self.scripts.reply(*pair) for pair in zip(admitted, received, strict=True)])
        return [next(answered) if failure is None else failure for failure in refusals]

    async def _transaction(self, commands: list[list[bytes]]) -> list[Reply]:
        begun, *queued, executed = await self._pool.call([[b"MULTI"], *commands, [b"EXEC"]])
        if isinstance(executed, list):
            return executed
        # EXECABORT says only that something was wrong; the first command refused says what.
        failures = [reply for reply in (begun, *queued, executed) if isinstance(reply, Failure)]
        raise RequestError(failures[0].decode(errors="replace"))


def _unauthorised() -> Answer:
    return Answer(401, error_body("WRONGPASS invalid or missing auth token"))


def _unreachable(exc: OSError) -> Answer:
    return Answer(503, error_body(f"ERR could not reach Valkey: {str(exc) or type(exc).__name__}"))


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, or None when it is too large; it is read to its end, so that the answer arrives."""
    chunks: list[bytes] = []
    size_bytes, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        chunk = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes <= REQUEST_BYTES_MAX:
            chunks.append(chunk)
        else:
            chunks.clear()
    return b"".join(chunks) if size_bytes <= REQUEST_BYTES_MAX else None


def _size_bytes(reply: Reply | list[Reply]) -> int:
    """Return how much of text is in *reply*."""
    if isinstance(reply, bytes):
        return len(reply)
    return sum(map(_size_bytes, reply)) if isinstance(reply, list) else 0
