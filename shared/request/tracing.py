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

PARENT_BYTES, HEX_DIGITS, DASH = 55, b"0123456789abcdef", ord("-")
NO_TRACE_ID, NO_SPAN_ID = "0" * 32, "0" * 16
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


def read_trace(parents: Sequence[bytes], states: Sequence[bytes] = ()) -> Trace | None:
    """Return what the headers `traceparent` and `tracestate` say, None where there is no valid parent."""
    given = parents[0] if len(parents) == 1 else b""
    # By position: a pattern takes twice as long, and each request of a traced caller has one.
    if len(given) < PARENT_BYTES or given[:PARENT_BYTES].translate(None, HEX_DIGITS) != b"---":
        return None
    text = given.decode("latin-1")
    version, trace_id, span_id, more = text[:2], text[3:35], text[36:52], text[PARENT_BYTES:]
    if not given[2] == given[35] == given[52] == DASH or version == "ff":
        return None
    if trace_id == NO_TRACE_ID or span_id == NO_SPAN_ID or (more and (version == "00" or more[0] != "-")):
        return None
    return Trace(trace_id, span_id, int(text[53:PARENT_BYTES], 16), _read_state(states) if states else "")


def _read_state(states: Sequence[bytes]) -> str:
    state = b",".join(states).decode("latin-1")
    if not state or len(state) > STATE_CHARS_MAX:
        return ""
    members = [each for member in state.split(",") if (each := member.strip(" \t"))]
    if len(members) > STATE_MEMBERS_MAX or not all(map(STATE_MEMBER.fullmatch, members)):
        return ""
    return ",".join(members)


def new_trace_id() -> str:
    # Of the system, and not of a generator of this process: platforms start instances from copies of memory.
    return os.urandom(16).hex()


class Kind(IntEnum):
    """As OTLP numbers them."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span:
    """
    One span, from when it is made to `end`, which hands it to *keep*; as a context manager, for the time of a block, in
    which it is the one that is open. *began_at_ns* and *ended_at_ns*: by the monotonic clock, 0 until then; *clock_ns*
    is what makes Unix time of them. *error*: what went wrong, a word of the code; "" for nothing. *attributes* may be
    others' as well: nobody changes them.
    """

    __slots__ = (
        *("_id", "_token", "attributes", "began_at_ns", "clock_ns", "ended_at_ns", "error", "keep", "kind", "name"),
        *("parent", "state", "trace_id"),
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        keep: "Callable[[Span], None]",
        trace_id: str,
        parent: "Span | Trace | None",
        attributes: Mapping[str, Value] = NOTHING_SAID,
    ) -> None:
        self.name, self.kind, self.keep, self.trace_id = name, kind, keep, trace_id
        self.parent, self.attributes = parent, attributes
        self.state: str = parent.state if parent is not None else ""
        self.error = self._id = ""
        self.ended_at_ns = 0
        self.began_at_ns = now_ns = time.perf_counter_ns()
        self.clock_ns: int = parent.clock_ns if isinstance(parent, Span) else time.time_ns() - now_ns

    @property
    def span_id(self) -> str:
        """Its id, which is drawn for whoever asks first: of most spans that is who writes them all, behind answers."""
        if not self._id:
            self._id = os.urandom(8).hex()
        return self._id

    def __enter__(self) -> Self:
        self._token = OPEN.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        OPEN.reset(self._token)
        del self._token  # It holds all that the request knows, and spans wait to be sent.
        if error is not None:
            self.error = error.slug if isinstance(error, ServiceError) else type(error).__name__
        self.ended_at_ns = time.perf_counter_ns()
        self.keep(self)

    def end(self) -> None:
        """It is over; once."""
        if not self.ended_at_ns:
            self.ended_at_ns = time.perf_counter_ns()
            self.keep(self)


OPEN: ContextVar[Span | Trace | None] = ContextVar("open", default=None)
"""The innermost span that is open; where there are none, the trace that the request is a part of, if it is of one."""


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
    if not isinstance(around, Span):
        return NOTHING
    return Span(name, kind, around.keep, around.trace_id, around, attributes)


def note(attributes: Mapping[str, Value]) -> None:
    """Add *attributes* to the span that is open, if one is."""
    span = OPEN.get()
    if isinstance(span, Span):
        span.attributes = {**span.attributes, **attributes}


def outgoing_headers() -> dict[str, str]:
    """Return the headers by which a request to ourselves becomes a part of the current trace, {} without one."""
    around = OPEN.get()
    if isinstance(around, Span):
        around = Trace(around.trace_id, around.span_id, SAMPLED, around.state)
    return around.headers() if around is not None else {}
