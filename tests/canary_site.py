"""
The metrics of two deployments, as `/api/metrics` tells of them, that grow with each scrape as a kind of canary would
have them grow: what a judge is given where no instances run.
"""

import asyncio
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from scripts.local.messages import BadMessage, head_bytes, read_body, read_head
from scripts.releasing.fake.server import Hold
from shared.telemetry.fleet import exposition
from shared.telemetry.series import DURATION_BOUNDS_S

METHOD_AND_ROUTE = "GET /v1/conversations/{id}/context"
MEDIAN_S, SPREAD = 0.004, 0.15
REQUESTS = 1_000
"""Of each side, at each scrape: enough for a stage to be judged in a few."""


class Kind(Enum):
    """How a canary differs: every request fails so often, or takes so many times as long."""

    GOOD = (0.0, 1.0)
    ERRING = (0.08, 1.0)
    SLOW = (0.0, 1.6)
    SILENT = (0.0, 0.0)
    """Counts nothing."""


@dataclass
class Fields:
    """What one deployment has in the store."""

    kind: Kind
    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    def grow(self, requests: int) -> None:
        failing, slowness = self.kind.value
        if not slowness:
            return
        failed = sum(self.dice.random() < failing for _ in range(requests))
        self.counts[f"requests {METHOD_AND_ROUTE} 5xx"] += failed
        self.counts[f"requests {METHOD_AND_ROUTE} 2xx"] += requests - failed
        for _ in range(requests):
            seconds = MEDIAN_S * slowness * self.dice.lognormvariate(0, SPREAD)
            bucket = bisect_left(DURATION_BOUNDS_S, seconds)
            self.counts[f"duration {METHOD_AND_ROUTE} {bucket}"] += 1
            self.counts[f"duration {METHOD_AND_ROUTE} sum"] += int(seconds * 1e6)
        self.counts["lag 0"] += requests

    def stored(self) -> dict[str, str]:
        return {name: str(count) for name, count in self.counts.items()}


class Site:
    """Answers at `url` with the metrics; *shares* tells who gets traffic. `refuses`: it does not answer."""

    def __init__(self, kinds: Mapping[str, Kind], secret: str, shares: Callable[[], Mapping[str, float]]) -> None:
        self.url = ""
        self.scrapes = 0
        self.refuses = False
        self.hold: Hold | None = None
        self.fields = {name: Fields(kind, random.Random(f"7 {name}")) for name, kind in kinds.items()}
        self._secret = secret
        self._shares = shares
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def text(self) -> bytes:
        """Return the next exposition."""
        self.scrapes += 1
        for name in self.fields.keys() & self._shares():  # One that has just begun has counted nothing.
            self.fields[name].grow(REQUESTS)
        return exposition({name: each.stored() for name, each in self.fields.items() if each.counts})

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await read_head(reader)
                async for _ in read_body(reader, request.size_bytes):
                    pass
                if self.refuses:
                    return
                is_known = request.get(b"authorization") == f"Bearer {self._secret}".encode()
                is_scrape = request.first.startswith(b"GET /api/metrics")
                if self.hold is not None and is_scrape:
                    self.hold.reached.set()
                    await self.hold.go.wait()
                body = self.text() if is_known and is_scrape else b""
                first = b"HTTP/1.1 200 OK" if body else b"HTTP/1.1 404 Not Found"
                length, cookie = (b"content-length", b"%d" % len(body)), (b"set-cookie", b"_vcrr=1; Path=/")
                writer.write(head_bytes(first, [length, cookie]) + body)
                await writer.drain()
        except (EOFError, BadMessage, OSError):
            pass  # The caller has gone.
        finally:
            writer.transport.abort()
