"""
Traces: what a caller's `traceparent` says, and the spans of a request where these are on.

    read_trace             W3C Trace Context, read strictly: what is malformed is as good as not there
    part(name, …)          a block that is a span of its own, below the one around it; nothing where spans are off
    note(…)                attributes of the span that is open
    outgoing_headers()     what a call to another function of ours says, so that its spans join this trace

What a span may say: times, templates, names out of the code, sizes and hashes; never content, keys, paths or names.
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from enum import IntEnum
from types import TracebackType
from typing import NamedTuple, Self

from shared.errors import ServiceError

PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
STATE_CHARS_MAX, STATE_MEMBERS_MAX = 512, 32
STATE_MEMBER = re.compile(r"[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{1,256}")
SAMPLED = 1

type Value = str | int
OPERATION, RECORDS = "gen_ai.operation.name", "gen_ai.memory.record.count"
"""An operation of a memory, and how many records it brought or made, by OpenTelemetry's conventions."""

NOTHING_SAID: Mapping[str, Value] = {}


class Trace(NamedTuple):
    """The caller's span: *span_id* is its id. *state* goes on as it came."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""

    @property
    def is_sampled(self) -> bool:
        return bool(self.flags & SAMPLED)

    def headers(self) -> dict[str, str]:
        """Return what says of another request that it is a part of this."""
        parent = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{self.flags & SAMPLED:02x}"}
        return parent | ({"tracestate": self.state} if self.state else {})


def read_trace(parents: Sequence[bytes], states: Sequence[bytes]) -> Trace | None:
    """Return what the headers `traceparent` and `tracestate` say, None where there is no valid parent."""
    if len(parents) != 1 or (match := PARENT.fullmatch(parents[0])) is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == b"ff" or (version == b"00" and more) or not (trace_id.strip(b"0") and span_id.strip(b"0")):
        return None
    return Trace(trace_id.decode(), span_id.decode(), int(flags, 16), _read_state(states))


def _read_state(states: Sequence[bytes]) -> str:
    state = b",".join(states).decode("latin-1")
    if not state or len(state) > STATE_CHARS_MAX:
        return ""
    members = [each for member in state.split(",") if (each := member.strip(" \t"))]
    if len(members) > STATE_MEMBERS_MAX or not all(map(STATE_MEMBER.fullmatch, members)):
        return ""
    return ",".join(members)


def new_trace_id() -> str:
    return os.urandom(16).hex()


def new_span_id() -> str:
    # Of the system, and not of a generator of this process: platforms start instances from copies of memory.
    return os.urandom(8).hex()


class Kind(IntEnum):
    """As OTLP numbers them."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span:
    """
    One span, from when it is made to `end`, which hands it to *keep*; as a context manager, for the time of a block, in
    which it is the one that is open. *began_at_ns* and *ended_at_ns*: Unix time, the differences measured by the
    monotonic clock. *error*: what went wrong, a word of the code; "" for nothing.
    """

    __slots__ = (
        *("_token", "attributes", "began_at_ns", "clock_ns", "ended_at_ns", "error", "has_remote_parent", "keep"),
        *("kind", "name", "parent_id", "span_id", "state", "trace_id"),
    )

    def __init__(
        self, name: str, kind: Kind, keep: "Callable[[Span], None]", trace_id: str, parent: "Span | Trace | None"
    ) -> None:
        self.name, self.kind, self.keep, self.trace_id = name, kind, keep, trace_id
        self.span_id = new_span_id()
        self.attributes: dict[str, Value] = {}
        self.ended_at_ns = 0
        self.error = self.parent_id = self.state = ""
        self.has_remote_parent = parent.__class__ is Trace
        now_ns = time.perf_counter_ns()
        self.clock_ns: int = parent.clock_ns if parent.__class__ is Span else time.time_ns() - now_ns
        if parent is not None:
            self.parent_id, self.state = parent.span_id, parent.state
        self.began_at_ns = self.clock_ns + now_ns

    def __enter__(self) -> Self:
        self._token = OPEN.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        OPEN.reset(self._token)
        if error is not None:
            self.error = error.slug if isinstance(error, ServiceError) else type(error).__name__
        self.end()

    def end(self) -> None:
        """It is over; once."""
        if not self.ended_at_ns:
            self.ended_at_ns = self.clock_ns + time.perf_counter_ns()
            self.keep(self)


OPEN: ContextVar[Span | None] = ContextVar("open", default=None)
"""The innermost span that is open, None where there are none."""

TRACE: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The trace that the current request is a part of, where it has no spans."""


class _Nothing:
    """What a block is where spans are off."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None


NOTHING = _Nothing()
"""A block that is no span."""


def part(name: str, kind: Kind = Kind.INTERNAL, attributes: Mapping[str, Value] = NOTHING_SAID) -> Span | _Nothing:
    """Return a context manager: its block is a span that is called *name*, if it is within one."""
    around = OPEN.get()
    if around is None:
        return NOTHING
    span = Span(name, kind, around.keep, around.trace_id, around)
    if attributes:
        span.attributes.update(attributes)
    return span


def note(attributes: dict[str, Value]) -> None:
    """Add *attributes* to the span that is open, if one is."""
    span = OPEN.get()
    if span is not None:
        span.attributes.update(attributes)


def outgoing_headers() -> dict[str, str]:
    """Return the headers by which a request to ourselves becomes a part of the current trace, {} without one."""
    span, trace = OPEN.get(), TRACE.get()
    if span is not None:
        return Trace(span.trace_id, span.span_id, SAMPLED, span.state).headers()
    return trace.headers() if trace is not None else {}
