"""
What callers were answered, each request as it was sent, and what of it may never be.

    Recorder      all answers of a run; `gone`: it is over, and requests end where they stand
    Line          one caller's transport for httpx: it records, and sends twice while requests are delivered twice

What the platform's router answers by itself (an instance was killed, none had room) is no answer of the service: for
the caller the connection broke.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import httpx
import orjson

DEADLINE_S = 30.0
"""What the platform gives a request (vercel.json)."""

TIMEOUT_S = DEADLINE_S + 5.0
ROUTER, NO_ANSWER = "router", "none"
DEPLOYMENT_HEADER = "x-fleet-deployment"
PROBLEM = "application/problem+json"
UNKNOWN_DEATHS = ("NO_RESPONSE_FROM_FUNCTION", "FUNCTION_INVOCATION_TIMEOUT")


class RunIsOver(Exception):
    """The run has ended; who is asked for something leaves off."""


class Answer(NamedTuple):
    """*by* is the instance, ROUTER or NO_ANSWER (then *status* is 0); *slug* what kind of problem it is."""

    what: str
    begin_ns: int
    end_ns: int
    status: int
    by: str
    slug: str = ""
    is_problem: bool = False
    request_id: str = ""

    @property
    def took_s(self) -> float:
        return (self.end_ns - self.begin_ns) / 1e9

    @property
    def is_refusal(self) -> bool:
        """Whether it came of a fault, as far as one answer tells."""
        return self.status == 0 or self.status >= httpx.codes.INTERNAL_SERVER_ERROR or self.by == ROUTER


class Recorder:
    """What is answered; several threads add to it."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.gone = threading.Event()
        self.is_doubling = threading.Event()
        self.doubled = 0
        self.choose: Callable[[httpx.Request], str] = lambda request: ""
        """Says which deployment a request is for; "" leaves that to the router."""
        self.hear: Callable[[httpx.Request, httpx.Response], None] = lambda request, response: None
        """Is told what instances answered."""

    def rest(self, seconds: float) -> None:
        """Wait so long. Raises RunIsOver."""
        if self.gone.wait(seconds):
            raise RunIsOver


class Line(httpx.BaseTransport):
    """*last* is the instance that gave the newest answer."""

    def __init__(self, recorder: Recorder) -> None:
        self.last = ""
        self._recorder = recorder
        self._http = httpx.HTTPTransport()

    @property
    def is_doubling(self) -> bool:
        return self._recorder.is_doubling.is_set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises RunIsOver, and httpx.TransportError where there was no answer, or the router's."""
        if self._recorder.gone.is_set():
            raise RunIsOver
        if self.is_doubling and "idempotency-key" in request.headers:
            return self._send_twice(request)
        return self._send(request)

    def _send_twice(self, request: httpx.Request) -> httpx.Response:
        """Send it twice at once. The caller sees the answer that says more: what both may have done, it may have."""
        self._recorder.doubled += 1
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(self._send, each) for each in (request, copy)]
        best = max(sent, key=_told)
        return best.result()

    def _send(self, request: httpx.Request) -> httpx.Response:
        what = f"{request.method} {_shape(request.url.path)}"
        if name := self._recorder.choose(request):
            request.headers[DEPLOYMENT_HEADER] = name
        begin_ns = time.monotonic_ns()
        try:
            response = self._http.handle_request(request)
            response.read()
        except httpx.TransportError:
            if self._recorder.gone.is_set():
                raise RunIsOver from None
            self._recorder.answers.append(Answer(what, begin_ns, time.monotonic_ns(), 0, NO_ANSWER))
            raise
        end_ns, code = time.monotonic_ns(), response.headers.get("x-vercel-error")
        if code is not None:
            self._recorder.answers.append(Answer(what, begin_ns, end_ns, response.status_code, ROUTER, code))
            kind = httpx.RemoteProtocolError if code in UNKNOWN_DEATHS else httpx.ConnectError
            raise kind(f"the router answered {code}")
        self.last = response.headers.get("x-fleet-instance", "")
        is_problem = response.headers.get("content-type", "").startswith(PROBLEM)
        slug = _slug(response.content) if is_problem else ""
        request_id = response.headers.get("x-request-id", "")
        self._recorder.answers.append(
            Answer(what, begin_ns, end_ns, response.status_code, self.last, slug, is_problem, request_id)
        )
        self._recorder.hear(request, response)
        return response

    def close(self) -> None:
        self._http.close()


def _told(sent: "Future[httpx.Response]") -> int:
    """Return 2 where it was done, 1 where it may have been, 0 where it was refused."""
    error = sent.exception()
    if error is not None:
        return 0 if isinstance(error, httpx.ConnectError) else 1
    answer = sent.result()
    if answer.is_success:
        return 2
    is_unknown = (
        answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR and b'"outcome_unknown":false' not in answer.content
    )
    return 1 if is_unknown else 0


def _shape(path: str) -> str:
    """Return *path* without ids."""
    parts = path.removeprefix("/v1/").split("/")
    return "/".join("…" if at % 2 else part for at, part in enumerate(parts))


def _slug(body: bytes) -> str:
    try:
        return str(orjson.loads(body).get("type", "")).rpartition(":")[2]
    except (ValueError, AttributeError):
        return ""


def broken_answers(answers: Iterable[Answer]) -> list[str]:
    """Return the answers that may not be, whatever goes on: `<kind>: <what happened>`."""
    return [found for each in answers if each.by not in (ROUTER, NO_ANSWER) for found in _broken(each)]


def _broken(answer: Answer) -> list[str]:
    who = f"{answer.what} at {answer.by} ({answer.request_id})"
    found = []
    if answer.status in (401, 403):
        found.append(f"turned away: {who} was answered {answer.status} to a key that is valid")
    if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR:
        if answer.status not in (503, 504):
            found.append(f"error: {who} was answered {answer.status} {answer.slug}")
        if not answer.is_problem:
            found.append(f"no problem: {who} was answered {answer.status} without saying what is wrong")
    if answer.took_s > DEADLINE_S:
        found.append(f"late: {who} took {answer.took_s:.1f} s")
    return found
