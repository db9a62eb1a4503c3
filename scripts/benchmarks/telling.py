"""
What it costs a warm read that it is told: ids and headers, a line in the log, spans. For `scripts/bench guard`.

One instance in this process, in turns as the guard's callers. All of them send the same headers, and what is done
behind an answer counts: the line, and the end of the server's span. Lines go to /dev/null, and spans are made, but
neither written as JSON nor sent: that is done for many at once.
"""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from api.conversations import app
from scripts.benchmarks.instance import Instance
from shared.environment import read_settings
from shared.http.problems import Bugs
from shared.process import log
from shared.request.observation import OBSERVED, Observation
from shared.telemetry.otlp import Exporter

TRACED = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "x-request-id": "bench",
    "x-vercel-id": "iad1::iad1::x7kqp-1764363011120-1c2d3e4f5a6b",
}
UNTOLD, IDS, LINE, SPANS = "not told", "ids, and headers that say how long it took", "and its line", "and its spans"

type Call = Callable[[], Awaitable[object]]


class _Unsent(Exporter):
    """Makes spans and keeps them; what would be sent is thrown away."""

    async def flush(self) -> None:
        self._spans.clear()


class _Untold:
    """An app whose requests are counted, and told of by nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = OBSERVED.set(Observation(""))
        try:
            await self._app(scope, receive, send)
        finally:
            OBSERVED.reset(token)


@contextlib.contextmanager
def lines_to_nowhere() -> Iterator[None]:
    """Have lines of the log written where nobody reads them, while tables go to standard output."""
    with Path("/dev/null").open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def readings(instance: Instance, key: str, path: str, query: str, headers: dict[str, str]) -> dict[str, Call]:
    """Return a read of the context at *path* for each of what is told; *headers* go with all of them."""
    untold = _Untold(Bugs(app.build_middleware_stack()))
    exporter = _Unsent(read_settings({"UPSTASH_REDIS_REST_URL": "https://x", "UPSTASH_REDIS_REST_TOKEN": "t"}))
    sent = headers | TRACED
    told, spanned = instance.beside(key, sent), instance.beside(key, sent, state={"spans": exporter})

    def read(instance: Instance, level: str) -> Call:
        async def call() -> None:
            log.limit(level)
            try:
                await instance.call("GET", path, query)
                await instance.settle()
            finally:
                log.limit("off")

        return call

    return {
        UNTOLD: read(instance.beside(key, sent, untold), "off"),
        IDS: read(told, "off"),
        LINE: read(told, "info"),
        SPANS: read(spanned, "info"),
    }
