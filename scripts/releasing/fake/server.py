"""
A server that speaks Vercel's management API for one project, for tests, and to try a release without an account.

    fake = FakeVercel(machine, token="…", traffic=roll)
    await fake.listen()                        fake.url
    fake.faults["approve"].append(Fault.LOSE_ANSWER)
    fake.hold = Hold(call=3, applied=True)     the fourth call from now on is answered when hold.go is set

Authorisation, bodies, rate limits, refusals and order of calls are enforced; what the calls do is `machine.py`'s.
"""

import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from scripts.local.messages import BadMessage, Head, head_bytes, read_body, read_head
from scripts.releasing.fake.machine import Machine
from scripts.releasing.fake.refusals import ApiRefusal, rate_limited

BODY_BYTES_MAX = 100_000
CALLS_MAX = 10_000
LIMIT, WINDOW_S = 600, 60.0
"""Calls of one kind in this time."""
WRITES = frozenset({"configure", "start", "approve", "complete", "rollback", "promote"})


class Fault(Enum):
    """What becomes of a call."""

    LOSE_REQUEST = auto()
    """The connection is cut, and nothing is done."""
    LOSE_ANSWER = auto()
    """It is done, and the connection is cut."""
    FAIL = auto()
    """500, and nothing is done."""
    FAIL_AFTER = auto()
    """It is done, and answered with 500."""
    RATE = auto()
    """429, and nothing is done; there may be another at once."""


@dataclass(slots=True)
class Hold:
    """Keeps a call from its answer, by its number from 0 or its name; *applied*: it is done before."""

    call: int | str
    applied: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


class Call(NamedTuple):
    """One that came and was understood."""

    name: str
    body: Any


class _Answer(NamedTuple):
    status: int
    document: Any


class FakeVercel:
    """The API of *machine*'s project; *traffic* is told the shares after each change."""

    def __init__(
        self,
        machine: Machine,
        token: str,
        traffic: Callable[[Mapping[str, float]], Awaitable[None]] | None = None,
        limit: int = LIMIT,
        window_s: float = WINDOW_S,
    ) -> None:
        self.machine = machine
        self.url = ""
        self.calls: deque[Call] = deque(maxlen=CALLS_MAX)
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.hold: Hold | None = None
        self._token = token
        self._traffic = traffic
        self._limit = limit
        self._window_s = window_s
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._moving = asyncio.Lock()
        self._moved: Mapping[str, float] = {}
        self._server: asyncio.Server | None = None
        self._served: set[asyncio.Task[None]] = set()

    @property
    def writes(self) -> list[Call]:
        return [each for each in self.calls if each.name in WRITES]

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        try:
            while await self._serve(reader, writer):
                pass
        except (EOFError, BadMessage, OSError, asyncio.CancelledError):
            pass  # The caller has gone, or the server ends.
        finally:
            self._served.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one call; return whether the connection can take another."""
        request = await read_head(reader)
        if (request.size_bytes or 0) > BODY_BYTES_MAX:
            return False
        raw = b"".join([piece async for piece in read_body(reader, request.size_bytes)])
        try:
            name, do = self._understand(request, raw)
        except ApiRefusal as refusal:
            await _send(writer, _Answer(refusal.status, refusal.document()))
            return True
        number, hold = len(self.calls), self.hold
        is_held = hold is not None and hold.call in (number, name)
        if is_held and hold is not None and not hold.applied:
            await _wait(hold)
        self.calls.append(Call(name, json.loads(raw or b"null")))
        answer = await self._answer(name, do)
        if is_held and hold is not None and hold.applied:
            await _wait(hold)
        if answer is None:
            return False
        await _send(writer, answer)
        return True

    async def _answer(self, name: str, do: Callable[[], _Answer]) -> _Answer | None:
        """Do it; None: the answer is lost."""
        fault = self.faults[name].popleft() if self.faults[name] else None
        failed = _Answer(500, {"error": {"code": "internal_server_error", "message": "An unexpected error occurred"}})
        if fault in (Fault.LOSE_REQUEST, Fault.FAIL):
            return None if fault is Fault.LOSE_REQUEST else failed
        try:
            self._check_rate(name, is_over=fault is Fault.RATE)
            answer = do()
        except ApiRefusal as refusal:
            answer = _Answer(refusal.status, refusal.document())
        await self._move()
        if fault is Fault.LOSE_ANSWER:
            return None
        return failed if fault is Fault.FAIL_AFTER else answer

    async def _move(self) -> None:
        """Have the traffic go where the machine says."""
        if self._traffic is None:
            return
        async with self._moving:
            shares = self.machine.shares
            if shares != self._moved:
                await self._traffic(shares)
                self._moved = shares

    def _check_rate(self, name: str, *, is_over: bool) -> None:
        now_s, recent = time.monotonic(), self._recent[name]
        while recent and recent[0] < now_s - self._window_s:
            recent.popleft()
        if is_over:
            raise rate_limited(time.time(), self._limit)
        if len(recent) >= self._limit:
            raise rate_limited(time.time() + recent[0] + self._window_s - now_s, self._limit)
        recent.append(now_s)

    def _understand(self, request: Head, raw: bytes) -> tuple[str, Callable[[], _Answer]]:
        """Return what is asked for: its name, and what does it. Raises ApiRefusal."""
        method, target, _ = request.first.decode("latin-1").split(" ", 2)
        path, _, query = target.partition("?")
        self._authorise(request, parse_qs(query))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            raise ApiRefusal(400, "bad_request", "Invalid JSON") from None
        match [method, *(unquote(part) for part in path.split("/")[1:])]:
            case ["GET", "v13", "deployments", deployment]:
                return "deployment", lambda: _Answer(200, self.machine.deployment_document(deployment))
            case [method, "v1" | "v9" | "v10", "projects", project, *rest]:
                self._check_project(project)
                return self._of_project(method, rest, body)
        raise ApiRefusal(404, "not_found", "The page could not be found")

    def _of_project(self, method: str, rest: list[str], body: Any) -> tuple[str, Callable[[], _Answer]]:
        machine = self.machine
        match [method, *rest]:
            case ["GET"]:
                return "project", lambda: _Answer(200, machine.project_document())
            case ["GET", "rolling-release"]:
                return "status", lambda: _Answer(200, machine.status())
            case ["GET", "rolling-release", "config"]:
                return "configured", lambda: _Answer(200, machine.configured())
            case ["PATCH", "rolling-release", "config"]:
                return "configure", lambda: _Answer(200, machine.configure(body))
            case ["POST", "rolling-release", "start"]:
                return "start", lambda: _Answer(200, machine.start(body))
            case ["POST", "rolling-release", "approve-stage"]:
                return "approve", lambda: _Answer(200, machine.approve(body))
            case ["POST", "rolling-release", "complete"]:
                return "complete", lambda: _Answer(200, machine.complete(body))
            case ["POST", "rollback", deployment]:
                return "rollback", lambda: _Answer(machine.rollback(deployment, body), None)
            case ["POST", "promote", deployment]:
                return "promote", lambda: _Answer(machine.promote(deployment, body), None)
        raise ApiRefusal(404, "not_found", "The page could not be found")

    def _authorise(self, request: Head, query: Mapping[str, list[str]]) -> None:
        given = request.get(b"authorization")
        if given is None:
            raise ApiRefusal(401, "unauthorized", "The request is missing an authentication token")
        if given.decode("latin-1") != f"Bearer {self._token}":
            raise ApiRefusal(403, "forbidden", "Not authorized", invalidToken=True)
        if query.get("teamId", [""])[0] != self.machine.team:
            raise ApiRefusal(403, "forbidden", "Not authorized: You don't have permission to access this team")

    def _check_project(self, project: str) -> None:
        if project != self.machine.project:
            raise ApiRefusal(404, "not_found", f"Could not find the project: {project}")


async def _wait(hold: Hold) -> None:
    hold.reached.set()
    await hold.go.wait()


async def _send(writer: asyncio.StreamWriter, answer: _Answer) -> None:
    body = b"" if answer.document is None else json.dumps(answer.document).encode()
    first = f"HTTP/1.1 {answer.status} {'OK' if answer.status < 400 else 'Refused'}".encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    writer.write(head_bytes(first, fields) + body)
    await writer.drain()
