"""
How long the event loop is held: the largest requests, fifty small ones beside each, and the naive designs.

An instance in a process of its own serves every function over HTTP, as Vercel's launcher does; the local Upstash server
and Valkey have theirs. A probe in the instance is due every millisecond; how late it comes is the lag. While a large
request runs, fifty small ones, half of them reads of a context and half appends that are counted, come from as many
connections, 4 ms apart. Where the instance runs it has its processors for itself, so here it comes first: the store and
the client, which is this process, are niced. The naive designs parse the same body, encode it for the store and encode
the answer, without any store: inline, and in a thread, where they hold the interpreter just as long.

A machine with other work makes any loop late. "At most ours" is, of the waits, no more than the processor time that the
instance used meanwhile; time that a host took from a virtual machine counts as used. What that is, the first row shows:
the longest gap of processes that only spin, one for each processor.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import orjson
from pyreqwest.client import Client

from scripts.benchmarks.lag_bodies import SHORT_SHARE, Case, appends, counts, many, stored
from scripts.measuring.counted_store import counted_store
from scripts.measuring.served import KEY, Served, ask, client_of, create, instance_at, timed, watch, watched
from scripts.measuring.tables import markdown, percentile
from shared.process.lag import BOUNDS_MS, Lag

SMALL_REQUESTS, SMALL_REQUESTS_SHORT = 50, 10
SMALL_EVERY_S = 0.004
NICENESS = 10
NOTHING_LARGE = "nothing large"
ENCODING = "first long append: an encoding loads"
"""The one exception to what holds a loop at most; once an instance."""

THE_MACHINE = "the machine alone, all processors spinning"
SPIN_S = 20.0
SPIN = """
import sys, time
end_s, last_s, longest_s = time.perf_counter() + float(sys.argv[1]), time.perf_counter(), 0.0
while last_s < end_s:
    now_s = time.perf_counter()
    longest_s, last_s = max(longest_s, now_s - last_s), now_s
print(longest_s * 1000)
"""
NAIVE_DESIGNS = {"orjson": "orjson inline", "orjson-thread": "orjson in a thread", "json-thread": "json in a thread"}
NAIVE_ROWS = ("append: 4.5 MB as 100 items", "append: tiny objects", "append: all quotes")
READ_QUERIES = {
    "list of 4 MB": "items?limit=100",
    "context of 4 MB, items": "context?budget=4000000",
    "context of 4 MB, chat": "context?budget=4000000&format=chat",
    "context of 4 MB, anthropic": "context?budget=4000000&format=anthropic",
}

MANY_QUERIES = {
    "context of 10,000 items, all": "context?budget=4000000",
    "context of 10,000 items, all, chat": "context?budget=4000000&format=chat",
    "context of 10,000 items, 8,000 tokens": "context?budget=8000",
    "context of 10,000 items, explained": "context?budget=8000&explain=true",
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
    def ran_max_ms(self) -> float:
        return max(lag.ran_max_ms for lag in self.lags)

    @property
    def p999_ms(self) -> float:
        looks = sum(lag.looks for lag in self.lags)
        counts_ = [sum(column) for column in zip(*(lag.counts for lag in self.lags), strict=True)]
        return Lag(looks, self.max_ms, counts_).share_ms(0.999)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=5, help="times that each large request is sent (5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the rows whose name holds TEXT")
    parser.add_argument(
        "--short", action="store_true", help="bodies of a sixteenth, few small ones, one run: that it works, no figures"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the longest waits there")


def run(arguments: argparse.Namespace) -> int:
    runs, share = (1, SHORT_SHARE) if arguments.short else (arguments.runs, 1)
    rows = {} if arguments.short or arguments.only else {THE_MACHINE: the_machine(SPIN_S)}
    rows |= measure(runs, share, arguments.only, is_nice=not arguments.short)
    print(table(rows))
    if arguments.json:
        arguments.json.write_bytes(orjson.dumps(document(rows), option=orjson.OPT_INDENT_2) + b"\n")
    return int(any(status < 0 for figures in rows.values() for status in figures.statuses))


def measure(runs: int, share: int = 1, only: str = "", *, is_nice: bool = False) -> dict[str, Figures]:
    """
    Return the figures by row. With *is_nice* this process and the store give way to the instance, from then on.

    Raises:  OSError: something did not start or answer.
    """
    from scripts.local.mint import mint

    with (
        counted_store() as store,
        instance_at(store) as url,
        instance_at(store, WARMTHREAD_L1_BYTES_MAX="0") as cold_url,
    ):
        mint(store.url, store.token, KEY)
        for pid in (0, store.pid) if is_nice else ():
            os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
        return asyncio.run(_Bench(url, cold_url, runs, share, only).rows())


def the_machine(seconds: float) -> Figures:
    """Return the longest gap that a process which does nothing but look at the clock saw, with all processors busy."""
    print(THE_MACHINE, file=sys.stderr, flush=True)
    command = [sys.executable, "-c", SPIN, str(seconds)]
    spinning = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count() or 1)]
    try:
        longest_ms = max(float(process.communicate()[0]) for process in spinning)
    finally:
        for process in spinning:
            process.kill()
    return Figures([Lag(0, longest_ms, [0] * len(BOUNDS_MS))], [], [], set())


def document(rows: dict[str, Figures]) -> dict[str, object]:
    """Return the longest wait of each of our rows, and of it at most ours; the machine's, and an encoding's."""
    apart = {"machine_ms": THE_MACHINE, "encoding_ms": ENCODING}
    naive = {f"{name}: {title}" for name in NAIVE_ROWS for title in NAIVE_DESIGNS.values()}
    ours = {name: each for name, each in rows.items() if name not in {*apart.values(), *naive}}
    return {
        "what": "lag",
        "rows": {name: {"max_ms": each.max_ms, "ours_ms": each.ran_max_ms} for name, each in ours.items()},
        **{field: rows[name].max_ms if name in rows else None for field, name in apart.items()},
    }


def table(rows: dict[str, Figures]) -> str:
    """Return *rows* as Markdown."""
    header = ["request", "status", "max lag ms", "of it at most ours", "p99.9 lag ms", "large ms", "50 small: p99 ms"]
    return markdown(
        header,
        [
            [
                name,
                "/".join(map(str, sorted(figures.statuses))) or "",
                f"{figures.max_ms:.1f}",
                f"{figures.ran_max_ms:.1f}",
                f"{figures.p999_ms:.1f}",
                f"{percentile(figures.large_ms, 0.5):.0f}" if figures.large_ms else "",
                f"{percentile(figures.small_ms, 0.99):.1f}" if figures.small_ms else "",
            ]
            for name, figures in rows.items()
        ],
    )


class _Bench:
    """One run of the benchmark. Each read at L2 goes to *cold*, whose L1 is too small to hold anything."""

    def __init__(self, warm: Served, cold: Served, runs: int, share: int, only: str) -> None:
        self._warm = warm
        self._cold = cold
        self._runs = runs
        self._share = share
        self._small_requests = SMALL_REQUESTS if share == 1 else SMALL_REQUESTS_SHORT
        self._only = only

    async def rows(self) -> dict[str, Figures]:
        rows: dict[str, Figures] = {}
        async with client_of(self._warm) as client, client_of(self._cold) as cold:
            loads = [await _load_encodings(each) for each in (client, cold)]
            rows[ENCODING] = Figures(loads, [], [], set())
            large = await create(client, *stored(self._share))
            small = await create(client, orjson.dumps({"items": [{"role": "user", "content": "hi"}] * 20}))
            empty = Case(f"{small}/context?budget=2000", b"", 200)
            await self._row(rows, NOTHING_LARGE, client, small, empty)
            tiny = await create(client, *many(self._share))
            # A page fills no memory, but is read from it.
            await ask(client, "GET", f"{large}/context?budget=4000000")
            for name, query in READ_QUERIES.items():
                case = Case(f"{large}/{query}", b"", 200)
                await self._row(rows, f"{name}, L2", cold, small, case)
                await self._row(rows, f"{name}, L1", client, small, case)
                await self._row(rows, f"{name}, L0", client, small, case, {"cache-control": "max-age=60"})
            for name, query in MANY_QUERIES.items():
                case = Case(f"{tiny}/{query}", b"", 200)
                await self._row(rows, f"{name}, L2", cold, small, case)
                await self._row(rows, f"{name}, L1", client, small, case)
            for name, case in counts(self._share).items():
                await self._row(rows, name, client, small, case)
            bodies = appends(self._share)
            for name, case in bodies.items():
                target = await create(client)
                await self._row(rows, name, client, small, case._replace(path=f"{target}/items"))
            for name in NAIVE_ROWS:
                for design, title in NAIVE_DESIGNS.items():
                    case = Case(f"/naive/{design}", bodies[name].body, 200)
                    await self._row(rows, f"{name}: {title}", client, small, case)
        return rows

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
        await timed(client, method, case.path, case.body, headers)
        for _ in range(self._runs):
            await watch(client)
            begin_s = time.perf_counter()
            smalls = asyncio.gather(*(_small(client, small, number) for number in range(self._small_requests)))
            await asyncio.sleep(SMALL_EVERY_S * 5)
            large = await timed(client, method, case.path, case.body, headers)
            while time.perf_counter() - begin_s < self._small_requests * SMALL_EVERY_S and name != NOTHING_LARGE:
                large = await timed(client, method, case.path, case.body, headers)
            figures.small_ms.extend(await smalls)
            figures.lags.append(await watched(client))
            figures.large_ms.append(large.took_ms)
            figures.statuses.add(large.status if large.status == case.status else -large.status)
        rows[name] = figures


async def _load_encodings(client: Client) -> Lag:
    """
    Append a long text for the first time, and return the lag: loading an encoding is the one stall that is allowed,
    once.
    """
    long = "How are you today? " * 500
    await watch(client)
    await create(client, orjson.dumps({"items": [{"role": "user", "content": long}]}))
    lag = await watched(client)
    # Each function has its own encodings.
    await ask(client, "POST", "/v1/tokens/count", orjson.dumps({"model": "gpt-4o", "input": long}))
    return lag


async def _small(client: Client, conversation: str, number: int) -> float:
    await asyncio.sleep(number * SMALL_EVERY_S)
    if number % 2:
        body = orjson.dumps({"items": [{"role": "user", "content": "How are you today? " * 50}]})
        answer = await timed(client, "POST", f"{conversation}/items", body)
    else:
        answer = await timed(client, "GET", f"{conversation}/context?budget=2000")
    if answer.status != 200:
        raise OSError(f"a small request was answered {answer.status}: {answer.body[:200]!r}")
    return answer.took_ms
