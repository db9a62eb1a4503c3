"""
Spans on their way out: OTLP as JSON over HTTP. Imported only where an endpoint is set.

    a request begins        sampled? -> its server span (shared/request/tracing.py)
    a span ends             it is kept
    after a response        when there are many, or some seconds are over: they are written as JSON, 5 µs each, and sent

What is kept is bounded, and what finds no room is counted; a request has a time limit and is never sent twice. What is
lost is told once, until the endpoint takes spans again.
"""

import os
import time
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from urllib.parse import unquote

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from shared.config import Settings
from shared.process import log
from shared.request.tracing import SAMPLED, Kind, Span, Trace, Value, new_trace_id

PATH = "/v1/traces"
"""Below OTEL_EXPORTER_OTLP_ENDPOINT."""

SPANS_MAX, BATCH_SPANS = 2_048, 512
"""As the batch processors of OpenTelemetry's SDKs have it: what is kept, and what one request takes."""

TIMEOUT_S = 2.0
"""The invocation stays open for it, and its caller has the answer already."""

TEXT_CHARS_MAX, TEXTS_KEPT = 512, 512
RATIO_BITS = 64
RATIO_DIGITS = RATIO_BITS // 4
SERVICE = "warmthread"
HAS_REMOTE_BIT, IS_REMOTE_BIT = 0x100, 0x200
STATUS_ERROR = 2


class Exporter:
    """What one instance knows of spans, and sends. *timeout_s*: how long one request may take."""

    timeout_s = TIMEOUT_S

    def __init__(self, settings: Settings) -> None:
        self._url = settings.otlp_traces_endpoint or settings.otlp_endpoint + PATH
        self._headers = {"content-type": "application/json", **_pairs(settings.otlp_headers)}
        self._is_by_parent = settings.traces_sampler.startswith("parentbased_")
        self._ratio_bound = _ratio_bound(settings)
        self._delay_s = settings.spans_delay_ms / 1_000
        self._head = _head(settings)
        self._spans: list[Span] = []
        self._dropped = 0
        self._due_at_s = 0.0
        self._is_failing = False
        self._client: Client | None = None

    def begin(self, trace: Trace | None) -> Span | None:
        """Return the server span of a request that came with *trace*, None where it is not sampled."""
        trace_id = trace.trace_id if trace is not None else new_trace_id()
        if trace is not None and self._is_by_parent:
            is_wanted = trace.is_sampled
        else:
            is_wanted = int(trace_id[-RATIO_DIGITS:], 16) < self._ratio_bound
        return Span("", Kind.SERVER, self.keep, trace_id, trace) if is_wanted else None

    def keep(self, span: Span) -> None:
        """Keep *span* until it is sent, if there is room."""
        if len(self._spans) < SPANS_MAX:
            self._spans.append(span)
        else:
            self._dropped += 1

    def is_due(self) -> bool:
        """Tell whether it is time to send."""
        count = len(self._spans)
        return count >= BATCH_SPANS or (count > 0 and time.monotonic() >= self._due_at_s)

    async def flush(self) -> None:
        """Send what is kept, some spans at a time. What fails is lost."""
        self._due_at_s = time.monotonic() + self._delay_s
        while self._spans:
            spans, self._spans = self._spans[:BATCH_SPANS], self._spans[BATCH_SPANS:]
            if reason := await self._send(spans):
                self._dropped += len(spans)
                if not self._is_failing:
                    log.warning(f"spans: {reason}", spans_lost=self._dropped)
                self._is_failing = True
                return
            if self._is_failing or self._dropped:
                log.warning("spans: taken again", spans_lost=self._dropped)
            self._is_failing, self._dropped = False, 0

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _send(self, spans: list[Span]) -> str:
        """Send *spans*; return why that failed, "" if it did not."""
        if self._client is None:
            self._client = ClientBuilder().timeout(timedelta(seconds=TIMEOUT_S)).follow_redirects(False).build()
        body = self._head + ",".join(map(_encoded, spans)).encode() + b"]}]}]}"
        try:
            answer = await self._client.post(self._url).headers(self._headers).body_bytes(body).build().send()
        except PyreqwestError as error:
            return type(error).__name__
        return "" if answer.status < 300 else f"status {answer.status}"


def _pairs(text: str) -> dict[str, str]:
    """Return what `name=value,name=value` says."""
    pairs = (each.partition("=") for each in text.split(",") if each.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _ratio_bound(settings: Settings) -> int:
    """Return below what a trace's number has to be for it to be sampled where no parent decides."""
    if settings.traces_sampler.endswith("always_off"):
        return 0
    share = settings.traces_sampler_arg if settings.traces_sampler.endswith("traceidratio") else 1.0
    return int(share * float(2**RATIO_BITS))


def _head(settings: Settings) -> bytes:
    """Return the beginning of each request, up to its first span."""
    said = {"service.name": SERVICE, **_pairs(settings.resource_attributes)}
    if settings.service_name:
        said["service.name"] = settings.service_name
    said |= {"service.version": settings.deployment, "service.instance.id": os.urandom(16).hex()}
    resource = f'{{"attributes":[{_attributes(said)}]}}'.encode()
    return b'{"resourceSpans":[{"resource":' + resource + b',"scopeSpans":[{"scope":{"name":"warmthread"},"spans":['


def _attributes(said: Mapping[str, Value]) -> str:
    """Return the members of a list of attributes, as JSON; 64-bit integers are texts in it."""
    return ",".join(
        [
            f'{{"key":"{name}","value":{{"stringValue":{_text(value)}}}}}'
            if value.__class__ is str
            else f'{{"key":"{name}","value":{{"intValue":"{value}"}}}}'
            for name, value in said.items()
        ]
    )


@lru_cache(TEXTS_KEPT)
def _text(text: str) -> str:
    return orjson.dumps(text[:TEXT_CHARS_MAX]).decode()


def _encoded(span: Span) -> str:
    """Return *span* as JSON. Written by hand: 512 of them hold the loop for 3 ms, from dictionaries for 8."""
    said = span.attributes if not span.error else {**span.attributes, "error.type": span.error}
    parent = f'"parentSpanId":"{span.parent.span_id}",' if span.parent is not None else ""
    state = f'"traceState":{_text(span.state)},' if span.state else ""
    status = f'"status":{{"code":{STATUS_ERROR}}},' if span.error else ""
    flags = SAMPLED | HAS_REMOTE_BIT | (IS_REMOTE_BIT if isinstance(span.parent, Trace) else 0)
    return (
        f'{{"traceId":"{span.trace_id}","spanId":"{span.span_id}",{parent}{state}{status}"flags":{flags},'
        f'"name":{_text(span.name)},"kind":{span.kind.value},'
        f'"startTimeUnixNano":"{span.clock_ns + span.began_at_ns}",'
        f'"endTimeUnixNano":"{span.clock_ns + span.ended_at_ns}","attributes":[{_attributes(said)}]}}'
    )
