"""
How one call travels: attempts within one deadline, over httpx, with or without asyncio.

    attempts()   decides: a generator that is told outcomes, and says when to send again
    send()       does what it says; asend() the same under asyncio

Only what cannot apply twice is sent again: reads, and writes with an Idempotency-Key, which every write has.
"""

import asyncio
import json
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from warmthread.errors import Problem, Unreachable, WarmthreadError, problem

type JSON = dict[str, Any]

ATTEMPTS_MAX = 3
PAUSE_S = 0.1
"""Before the second attempt, up to it by chance, and twice as long before the third."""

PIECE_BYTES = 64 * 1024
_AGAIN = (429, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: *path* with its query, *body* if it has one, *headers* beside the key."""

    method: str
    path: str
    body: JSON | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: *content* is the whole body."""

    status: int
    headers: httpx.Headers
    content: bytes


class Where(Protocol):
    """Whom a call goes to, and how long it may take."""

    url: str
    key: str
    timeout_s: float


type Outcome = Reply | httpx.TransportError | TimeoutError
type Attempts = Generator[tuple[float, float], Outcome, JSON]
"""Yields seconds to wait before the next attempt, and the instant (monotonic) at which that one is over."""


def attempts(call: Call, timeout_s: float) -> Attempts:
    """
    Send *call* until it is answered, and return the answer.

    Raises:   Problem, Unreachable.
    """
    deadline_s = time.monotonic() + timeout_s
    pause_s = 0.0
    may_be_stored = False
    number = 0
    while True:
        number += 1
        outcome = yield pause_s, deadline_s
        if not isinstance(outcome, Reply):
            may_be_stored |= call.writes and not _is_unsent(outcome)
            reason = str(outcome) or type(outcome).__name__
            failed: WarmthreadError = Unreachable(reason, outcome_unknown=may_be_stored)
            pause_s = _pause_s(number)
        elif outcome.status < 400:
            return _read(outcome)
        else:
            refused = _refused(outcome)
            refused.outcome_unknown |= may_be_stored
            if outcome.status not in _AGAIN or outcome.headers.get("x-should-retry") == "false":
                raise refused
            failed = refused
            pause_s = max(refused.retry_after_s or 0.0, _pause_s(number))
        if number == ATTEMPTS_MAX or time.monotonic() + pause_s >= deadline_s:
            raise failed


def send(http: httpx.Client, where: Where, call: Call) -> JSON:
    """Send *call*, and return its answer. Raises as attempts()."""
    course = attempts(call, where.timeout_s)
    pause_s, deadline_s = next(course)
    while True:
        time.sleep(pause_s)
        outcome: Outcome
        try:
            extensions = _waits(deadline_s)
            request = _request(where, call)
            with http.stream(call.method, where.url + call.path, **request, extensions=extensions) as response:
                content = bytearray()
                for piece in response.iter_bytes(PIECE_BYTES):
                    content += piece
                    _left_s(deadline_s)
                outcome = Reply(response.status_code, response.headers, bytes(content))
        except (httpx.TransportError, TimeoutError) as error:
            outcome = error
        try:
            pause_s, deadline_s = course.send(outcome)
        except StopIteration as stopped:
            answer: JSON = stopped.value
            return answer


async def asend(http: httpx.AsyncClient, where: Where, call: Call) -> JSON:
    """Send *call*, and return its answer. Raises as attempts()."""
    course = attempts(call, where.timeout_s)
    pause_s, deadline_s = next(course)
    while True:
        await asyncio.sleep(pause_s)
        outcome: Outcome
        try:
            async with asyncio.timeout(_left_s(deadline_s)):
                request = _request(where, call)
                response = await http.request(call.method, where.url + call.path, **request, timeout=where.timeout_s)
            outcome = Reply(response.status_code, response.headers, response.content)
        except (httpx.TransportError, TimeoutError) as error:
            outcome = error
        try:
            pause_s, deadline_s = course.send(outcome)
        except StopIteration as stopped:
            answer: JSON = stopped.value
            return answer


def _waits(deadline_s: float) -> dict[str, Any]:
    # httpx bounds each wait and not their sum: what each may take is what the waits before it have left.
    waits = dict.fromkeys(("connect", "read", "write", "pool"), _left_s(deadline_s))

    def shorten(_event: str, _details: object) -> None:
        left_s = max(deadline_s - time.monotonic(), 0.001)
        waits.update(dict.fromkeys(waits, left_s))

    return {"timeout": waits, "trace": shorten}


def _request(where: Where, call: Call) -> dict[str, Any]:
    return {
        "headers": {"authorization": f"Bearer {where.key}", **call.headers},
        "follow_redirects": False,
        **({} if call.body is None else {"json": call.body}),
    }


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the answer did not come in time")
    return left_s


def _pause_s(number: int) -> float:
    return random.uniform(0, PAUSE_S * 2 ** (number - 1))  # noqa: S311 - spreads retries, keeps no secret.


def _is_unsent(error: httpx.TransportError | TimeoutError) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def _read(reply: Reply) -> JSON:
    try:
        answer = json.loads(reply.content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unreachable("what answered is not Warmthread", outcome_unknown=True)
    return answer


def _refused(reply: Reply) -> Problem:
    try:
        fields = json.loads(reply.content)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):  # A proxy's page.
        fields = {"detail": reply.content[:200].decode(errors="replace")}
    retry_after = reply.headers.get("retry-after", "")
    if retry_after.isdecimal():
        fields.setdefault("retry_after_s", float(retry_after))
    return problem(reply.status, fields)
