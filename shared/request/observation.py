"""
What is seen of one request while it is served: for its headers, its line in the log, its spans and the metrics.

    Observed        makes one for each request, and tells it (shared/http/observed.py)
    store_waits()   around each call to the store: what was waited for it counts for the request that asked

Requests that share a load share its time as well: it is counted for the one that started it.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus

from shared.request.caller import KEY_PATTERN
from shared.request.invocation import Invocation
from shared.request.tracing import Kind, Value, new_trace_id, part

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:@/+=-]{1,128}")


class Observation:
    """
    One request. Tasks that it starts add to it too.

    *store_s*: what it waited for the store; *store_requests*: how many requests to the store its calls went with.
    *problem*: the type of the problem that it was answered with, *cause* why, where that is no fault of the caller's.
    *status* and *tier*, which its Cache-Status names, are those of the answer, which began at *answered_at_s* and was
    sent at *ended_at_s*, 0 until then.
    """

    __slots__ = (
        *("answered_at_s", "begun_at_s", "cause", "ended_at_s", "invocation", "problem", "request_id", "status"),
        *("store_requests", "store_s", "tier"),
    )

    def __init__(self, request_id: str) -> None:
        self.begun_at_s = time.perf_counter()
        self.request_id = request_id
        self.store_s = 0.0
        self.store_requests = 0
        self.problem = self.cause = self.tier = ""
        self.status = HTTPStatus.INTERNAL_SERVER_ERROR.value  # What whoever catches an exception answers.
        self.answered_at_s = self.ended_at_s = 0.0
        self.invocation: Invocation | None = None


OBSERVED: ContextVar[Observation | None] = ContextVar("observed", default=None)


def well_formed_id(given: bytes) -> str:
    """Return an id that a caller or a proxy gave, "" where it is none, too long, or may hold an API key."""
    if REQUEST_ID.fullmatch(given) is None:
        return ""
    text = given.decode()
    return "" if "wt_" in text and KEY_PATTERN.search(text) else text


def new_request_id() -> str:
    return f"req_{new_trace_id()}"


@contextmanager
def store_waits(said: tuple[str, Mapping[str, Value]]) -> Iterator[None]:
    """
    Count the time spent inside for the request that this is done for, and make a span of it: *said* are its name and
    attributes.
    """
    observed = OBSERVED.get()
    if observed is None:
        yield
        return
    with part(said[0], Kind.CLIENT, said[1]):
        begun_at_s = time.perf_counter()
        try:
            yield
        finally:
            observed.store_s += time.perf_counter() - begun_at_s
