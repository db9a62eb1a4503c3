"""
What is seen of one request while it is served: for its headers, its line in the log, its spans and the metrics.

    Observed        makes one for each request, and tells it (shared/http/observed.py)
    store_waits()   around each call to the store: what was waited for it counts for the request that asked

Requests that share a load share its time as well: it is counted for the one that started it.
"""

import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import cast

from shared.process import log
from shared.request.caller import KEY_PATTERN
from shared.request.invocation import Invocation
from shared.request.tracing import Kind, Span, Trace, Value, new_trace_id, part

UNANSWERED = HTTPStatus.INTERNAL_SERVER_ERROR.value
"""The status of a request until it is answered: what whoever catches an exception answers."""

ID_BYTES_MAX = 128
ID_BYTES = (string.ascii_letters + string.digits + "._:@/+=-").encode()


class Observation:
    """
    One request. Tasks that it starts add to it too.

    *ids*: what its line, and every other that is written for it, says of it. *around*: its span; where it has none, the
    trace that it is a part of, if any.
    *store_s*: what it waited for the store; *store_requests*: how many requests to the store its calls went with.
    *problem*: the type of the problem that it was answered with, *cause* why, where that is no fault of the caller's.
    *status* and *tier*, which its Cache-Status names, are those of the answer, which began at *answered_at_s* and was
    sent at *ended_at_s*, 0 until then. *is_partial*: the instance held a part of what another tier answered.
    """

    __slots__ = (
        *("answered_at_s", "answered_bytes", "around", "begun_at_s", "cause", "ended_at_s", "ids", "invocation"),
        *("is_partial", "problem", "received_bytes", "request_id", "status", "store_requests", "store_s", "tier"),
    )

    def __init__(self, request_id: str) -> None:
        self.begun_at_s = time.perf_counter()
        self.request_id = request_id
        self.ids = {"request_id": request_id}
        self.around: Span | Trace | None = None
        self.store_s = self.answered_at_s = self.ended_at_s = 0.0
        self.store_requests = self.received_bytes = self.answered_bytes = 0
        self.problem = self.cause = self.tier = ""
        self.is_partial = False
        self.status = UNANSWERED
        self.invocation: Invocation | None = None


OBSERVED = cast("ContextVar[Observation | None]", log.SERVED)
"""The request that is being served. One variable for all who look: to set another takes as long as to find the ids."""


def well_formed_id(given: bytes) -> str:
    """Return an id that a caller or a proxy gave, "" where it is none, too long, or may hold an API key."""
    if len(given) > ID_BYTES_MAX or given.translate(None, ID_BYTES):
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
