"""
How long the event loop is held: the largest requests, fifty small ones beside each, and the naive designs.

An instance in a process of its own serves every function over HTTP, as Vercel's launcher does; the local Upstash server
and Valkey have theirs. A probe in the instance is due every millisecond; how late it comes is the lag. While a large
request runs, fifty small ones, half of them reads of a context and half appends that are counted, come from as many
connections, 4 ms apart. The naive designs parse the same body, encode it for the store and encode the answer, without
any store: inline, and in a thread, where they hold the interpreter just as long.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

import orjson
from pyreqwest.client import Client, ClientBuilder

from scripts.benchmarks.counted_store import CountedStore, counted_store
from scripts.benchmarks.environment import ROOT
from scripts.benchmarks.lag_bodies import SHORT_SHARE, Case, appends, counts, stored
from scripts.benchmarks.tables import markdown, percentile
from shared.lag import Lag

KEY = "wt_bench_local-only"
SMALL_REQUESTS = 50
SMALL_EVERY_S = 0.004
TIMEOUT_S = 60.0
NAIVE_DESIGNS = {"orjson": "orjson inline", "orjson-thread": "orjson in a thread", "json-thread": "json in a thread"}
NAIVE_ROWS = ("append: 4.5 MB as 100 items", "append: tiny objects", "append: all quotes")
READ_QUERIES = {
    "list of 4 MB": "items?limit=100",
    "context of 4 MB, items": "context?budget=4000000",
    "context of 4 MB, chat": "context?budget=4000000&format=chat",
    "context of 4 MB, anthropic": "context?budget=4000000&format=anthropic",
}


class Figures(NamedTuple):
    """One row: milliseconds of lag, of the large request, of the small ones; and its statuses, wrong ones negative."""

    lags: list[Lag]
    large_ms: list[float]
    small_ms: list[float]
    statuses: set[int]

    @property
    def max_ms(self) -> float:
        return max(lag.max_ms for lag in self.lags)

    @property
    def p999_ms(self) -> float:
        looks = sum(lag.looks for lag in self.lags)
        counts_ = [sum(column) for column in zip(*(lag.counts for lag in self.lags), strict=True)]
        return Lag(looks, self.max_ms, counts_).share_ms(0.999)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=5, help="times that each large request is sent (5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the rows whose name holds TEXT")
    parser.add_argument(
        "--short", action="store_true", help="bodies of a sixteenth, one run: that it works, no figures"
    )


def run(arguments: argparse.Namespace) -> int:
    runs, share = (1, SHORT_SHARE) if arguments.short else (arguments.runs, 1)
    rows = measure(runs, share, arguments.only)
    print(table(rows))
    return int(any(status < 0 for figures in rows.values() for status in figures.statuses))


def measure(runs: int, share: int = 1, only: str = "") -> dict[str, Figures]:
    """Return the figures by row. Raises OSError: something did not start or answer."""
    from scripts.local.mint import mint

    with counted_store() as store, _instance(store) as url, _instance(store, WARMTHREAD_L1_BYTES_MAX="0") as cold_url:
        mint(store.url, store.token, KEY)
        return asyncio.run(_Bench(url, cold_url, runs, share, only).rows())


def table(rows: dict[str, Figures]) -> str:
    """Return *rows* as Markdown."""
    header = ["request", "status", "max lag ms", "p99.9 lag ms", "large ms", "50 small: p99 ms"]
    return markdown(
        header,
        [
            [
                name,
                "/".join(map(str, sorted(figures.statuses))) or "",
                f"{figures.max_ms:.1f}",
                f"{figures.p999_ms:.1f}",
                f"{percentile(figures.large_ms, 0.5):.0f}" if figures.large_ms else "",
                f"{percentile(figures.small_ms, 0.99):.1f}" if figures.small_ms else "",
            ]
            for name, figures in rows.items()
        ],
    )


class _Bench:
    """One run of the benchmark. Each read at L2 goes to *cold_url*, whose L1 is too small to hold anything."""

    def __init__(self, url: str, cold_url: str, runs: int, share: int, only: str) -> None:
        self._urls = {False: url, True: cold_url}
        self._runs = runs
        self._share = share
        self._only = only

    async def rows(self) -> dict[str, Figures]:
        rows: dict[str, Figures] = {}
        async with _client(self._urls[False]) as client, _client(self._urls[True]) as cold:
            for each in (client, cold):
                await _wait_for(each)
                # The encoding's load is the one stall that is allowed, once; it is a row of its own.
                lag = await self._encoding_load(each)
                rows.setdefault("first append: an encoding loads", Figures([], [], [], set())).lags.append(lag)
            large = await _create(client, stored(self._share))
            small = await _create(client, [orjson.dumps({"items": [{"role": "user", "content": "hi"}] * 20})])
            empty = Case(f"{small}/context?budget=2000", b"", 200)
            await self._row(rows, "nothing large", client, small, empty)
            for name, query in READ_QUERIES.items():
                case = Case(f"{large}/{query}", b"", 200)
                await self._row(rows, f"{name}, L2", cold, small, case)
                await self._row(rows, f"{name}, L1", client, small, case)
                await self._row(rows, f"{name}, L0", client, small, case, {"cache-control": "max-age=60"})
            for name, case in counts(self._share).items():
                await self._row(rows, name, client, small, case)
            bodies = appends(self._share)
            for name, case in bodies.items():
                target = await _create(client, [])
                await self._row(rows, name, client, small, case._replace(path=f"{target}/items"))
            for name in NAIVE_ROWS:
                for design, title in NAIVE_DESIGNS.items():
                    case = Case(f"/naive/{design}", bodies[name].body, 200)
                    await self._row(rows, f"{name}: {title}", client, small, case)
        return rows

    async def _encoding_load(self, client: Client) -> Lag:
        await _send(client, "POST", "/-/lag")
        await _create(client, [orjson.dumps({"items": [{"role": "user", "content": "hi"}]})])
        lag = _lag(await _send(client, "GET", "/-/lag"))
        # Each function has its own encodings.
        await _send(client, "POST", "/v1/tokens/count", orjson.dumps({"model": "gpt-4o", "input": "hi"}))
        return lag

    async def _row(
        self,
        rows: dict[str, Figures],
        name: str,
        client: Client,
        small: str,
        case: Case,
        headers: dict[str, str] | None = None,
    ) -> None:
        if self._only and self._only not in name:
            return
        print(name, file=sys.stderr, flush=True)
        figures = Figures([], [], [], set())
        method = "POST" if case.body else "GET"
        # What only the first of its kind costs, pydantic's import for instance, is not what is asked here.
        await _send(client, method, case.path, case.body, headers)
        for _ in range(self._runs):
            await _send(client, "POST", "/-/lag")
            begin_s = time.perf_counter()
            smalls = asyncio.gather(*(_small(client, small, number) for number in range(SMALL_REQUESTS)))
            await asyncio.sleep(SMALL_EVERY_S * 5)
            status, large_ms, _ = await _timed(client, method, case.path, case.body, headers)
            while time.perf_counter() - begin_s < SMALL_REQUESTS * SMALL_EVERY_S and not name.startswith("nothing"):
                status, large_ms, _ = await _timed(client, method, case.path, case.body, headers)
            figures.small_ms.extend(await smalls)
            figures.lags.append(_lag(await _send(client, "GET", "/-/lag")))
            figures.large_ms.append(large_ms)
            figures.statuses.add(status if status == case.status else -status)
        rows[name] = figures


async def _small(client: Client, conversation: str, number: int) -> float:
    await asyncio.sleep(number * SMALL_EVERY_S)
    if number % 2:
        body = orjson.dumps({"items": [{"role": "user", "content": "How are you today? " * 50}]})
        status, took_ms, raw = await _timed(client, "POST", f"{conversation}/items", body)
    else:
        status, took_ms, raw = await _timed(client, "GET", f"{conversation}/context?budget=2000")
    if status != 200:
        raise OSError(f"a small request was answered {status}: {raw[:200]!r}")
    return took_ms


async def _create(client: Client, batches: Sequence[bytes]) -> str:
    made = orjson.loads(await _send(client, "POST", "/v1/conversations", b"{}"))
    path = f"/v1/conversations/{made['id']}"
    for batch in batches:
        await _send(client, "POST", f"{path}/items", batch)
    return path


def _lag(raw: bytes) -> Lag:
    return Lag(*orjson.loads(raw))


async def _send(
    client: Client, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    return (await _timed(client, method, path, body, headers))[2]


async def _timed(
    client: Client, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, float, bytes]:
    begin_s = time.perf_counter()
    request = client.request(method, path).headers(headers or {}).body_bytes(body).build()
    response = await request.send()
    raw = bytes(await response.bytes())
    return response.status, (time.perf_counter() - begin_s) * 1000, raw


@contextlib.asynccontextmanager
async def _client(url: str) -> AsyncIterator[Client]:
    builder = ClientBuilder().base_url(url).default_headers({"authorization": f"Bearer {KEY}"}).http1_only()
    async with builder.timeout(timedelta(seconds=TIMEOUT_S)).build() as client:
        yield client


async def _wait_for(client: Client) -> None:
    status, _, raw = await _timed(client, "GET", "/v1/conversations")
    if status != 200:
        raise OSError(f"the instance answered {status}: {raw[:200]!r}")


@contextlib.contextmanager
def _instance(store: CountedStore, **variables: str) -> Iterator[str]:
    environ = {
        **os.environ,
        **variables,
        "UPSTASH_REDIS_REST_URL": store.url,
        "UPSTASH_REDIS_REST_TOKEN": store.token,
    }
    command = [sys.executable, "-m", "scripts.benchmarks.lag_server"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            if not url:
                raise OSError("the instance did not start")
            yield url
        finally:
            server.terminate()
