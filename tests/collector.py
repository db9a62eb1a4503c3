"""A collector of spans: an HTTP server that reads OTLP with OpenTelemetry's own messages."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WAIT_S = 10.0
IDS = ("traceId", "spanId", "parentSpanId")
KINDS = {1: "internal", 2: "server", 3: "client"}
OK, ERROR = 0, 2


class Seen(NamedTuple):
    """A span as it was read."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    status: int
    began_at_ns: int
    ended_at_ns: int
    state: str
    flags: int
    resource: dict[str, Any]


class Posted(NamedTuple):
    """A request to the collector."""

    path: str
    headers: dict[str, str]
    spans: list[Seen]


class Collector:
    """What came; it answers with *status*, after *delay_s*."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.delay_s = 0.0
        self.posted: list[Posted] = []
        self.refused = 0

    def spans(self, is_wanted: Callable[[Seen], object] = lambda span: True) -> list[Seen]:
        return [span for posted in self.posted for span in posted.spans if is_wanted(span)]

    def wait_for(self, is_wanted: Callable[[Seen], object], least: int = 1) -> list[Seen]:
        """Return the spans that are wanted, once there are *least*, as they began: what is sent may overtake."""
        give_up_at_s = time.monotonic() + WAIT_S
        while len(found := self.spans(is_wanted)) < least:
            assert time.monotonic() < give_up_at_s, [span.name for span in self.spans()]
            time.sleep(0.005)
        return sorted(found, key=lambda span: span.began_at_ns)

    def wait_for_refused(self, least: int) -> None:
        give_up_at_s = time.monotonic() + WAIT_S
        while self.refused < least:
            assert time.monotonic() < give_up_at_s
            time.sleep(0.005)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _in_base64(body: bytes) -> str:
    """Return OTLP's JSON as protobuf's parser takes it: ids are hex in the one, base64 in the other."""
    document = json.loads(body)
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in IDS:
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json.dumps(document)


def _read(body: bytes) -> list[Seen]:
    request = Parse(_in_base64(body), ExportTraceServiceRequest())
    return [
        Seen(
            span.name,
            KINDS[span.kind],
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            _attributes(span.attributes),
            span.status.code,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.trace_state,
            span.flags,
            _attributes(resource.resource.attributes),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@contextlib.contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(collector.delay_s)
            if collector.status < 300:
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.posted.append(Posted(self.path, headers, _read(body)))
            else:
                collector.refused += 1
            with contextlib.suppress(OSError):
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # As the library calls it.
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
