"""
What each operation on conversations costs: milliseconds, requests to the store, commands that it bills, bytes of its
replies.

The routes of one warm instance, called as an ASGI application, over the local Upstash server and a Valkey, each in a
process of its own; directly, and through a proxy on loopback that stands for a network of 1 and 5 ms round trip. The
conversation is recorded: customer service with tool calls, 400 items. The same by Redis' own protocol, without that
server, to the same Valkey. Then 100 reads at once, beside Upstash's own client doing the least that any design on it
can do: one LRANGE for each read.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.benchmarks.delay_proxy import DelayProxy, Target
from scripts.benchmarks.worker import Place, Worker
from scripts.measuring.counted_store import Cost, CountedStore, counted_store
from scripts.measuring.tables import each, markdown, spread

HISTORY_ITEMS = 400
KEY = "wt_bench_local-only"
OURS, STOCK = (f"scripts.benchmarks.store_operations:{name}" for name in ("open_ours", "open_stock"))
AT_ONCE, L1_READS = 100, 100

ROWS = {
    "append 2": "append 2 items",
    "append 10": "append 10 items",
    "read 20": "read a page of 20 items, no news",
    "read 20, cold": "the same on an instance that holds nothing",
    "read 20 of many, cold": "the same of 2,000 items",
    "context": "context of 8,000 tokens from 400 items",
    "item": "read one item, no news",
    "retrieve": "read the conversation without its items, no news",
    "create": "create with 2 items",
    "delete": "delete a conversation",
    "read 20, max-age": "page of 20 under `max-age=60`",
    "item, max-age": "one item under `max-age=60`",
    "retrieve, max-age": "the conversation under `max-age=60`",
    "context, max-age": "context under `max-age=60`",
}
"""Operation of scripts/benchmarks/store_operations.py -> its row."""

AT_ONCE_ROWS = {
    "at once, different": "100 conversations, 20 items of each",
    "at once, the same": "20 items of one conversation, 100 times",
    "at once, client": "an LRANGE of 20 items, 10 kB, each: the clients alone",
    "at once, small": "a GET of 100 bytes each: the clients alone",
}


class Figures(NamedTuple):
    """One operation at one delay: the milliseconds of each run, and what all of them asked of the store."""

    samples_ms: list[float]
    cost: Cost


type Results = dict[tuple[str, float], Figures]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=200, help="timed runs of each operation (200)")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds of 100 reads at once (15)")
    parser.add_argument("--delays", type=float, nargs="+", default=[0, 1, 5], metavar="MS", help="round trips (0 1 5)")
    parser.add_argument("--quick", action="store_true", help="20 runs and 3 rounds: seconds, and rough figures")


def run(arguments: argparse.Namespace) -> int:
    if min(arguments.delays) < 0:
        print("a round trip cannot take less than 0 ms", file=sys.stderr)
        return 2
    runs, rounds = (20, 3) if arguments.quick else (arguments.runs, arguments.rounds)
    print("\n\n".join(measure(arguments.delays, runs, rounds)))
    return 0


def measure(delays_ms: Sequence[float], runs: int, rounds: int) -> list[str]:
    """Return the tables as Markdown. Raises ContenderError when an operation fails."""
    from scripts.local.mint import mint

    ours: Results = {}
    resp: Results = {}
    stock: Results = {}
    with (
        counted_store() as store,
        DelayProxy(Target(port=store.port)) as proxy,
        DelayProxy(Target(path=store.path)) as resp_proxy,
        items_file(HISTORY_ITEMS) as path,
    ):
        mint(store.url, store.token, KEY)
        for port in (store.redis_port, resp_proxy.port):
            resp_proxy.delay_ms = 0
            with Worker(Path(sys.executable), OURS, Place(0, f"redis://127.0.0.1:{port}", "", KEY, path)) as worker:
                worker.open()
                for delay_ms in (each for each in delays_ms if (each > 0) == (port == resp_proxy.port)):
                    resp_proxy.delay_ms = delay_ms
                    for name in ROWS:
                        _say(f"{delay_ms:g} ms, RESP: {name}")
                        resp[name, delay_ms] = _figures(store, worker, name, runs)
        for url in (store.url, f"http://127.0.0.1:{proxy.port}"):
            delays = [delay_ms for delay_ms in delays_ms if (delay_ms > 0) == (url != store.url)]
            if not delays:
                continue
            proxy.delay_ms = 0
            place = Place(0, url, store.token, KEY, path)
            with Worker(Path(sys.executable), OURS, place) as our, Worker(Path(sys.executable), STOCK, place) as theirs:
                our.open()
                theirs.open()
                for proxy.delay_ms in delays:
                    for name in ROWS:
                        _say(f"{proxy.delay_ms:g} ms: {name}")
                        ours[name, proxy.delay_ms] = _figures(store, our, name, runs)
                    ours["cache", proxy.delay_ms] = _figures(store, our, "cache", runs)
                    for name in AT_ONCE_ROWS:
                        _say(f"{proxy.delay_ms:g} ms: 100 {name}")
                        ours[name, proxy.delay_ms] = _figures(store, our, name, rounds)
                        stock[name, proxy.delay_ms] = _figures(store, theirs, name, rounds)
    return [
        _operations_table(ours, delays_ms),
        _protocols_table(ours, resp, delays_ms),
        _l1_line(ours, delays_ms[0]),
        _at_once_table(ours, stock, delays_ms),
    ]


@contextlib.contextmanager
def items_file(count: int) -> Iterator[str]:
    """Write *count* items of the recorded conversation to a file for this block; yield its path."""
    from scripts.benchmarks.payload import history

    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(history(count), file)
        file.flush()
        yield file.name


def _figures(store: CountedStore, worker: Worker, name: str, runs: int) -> Figures:
    worker.prepare(name, runs)
    before = store.look()
    measured = worker.run()
    return Figures(measured.samples_ms, store.spent_since(before))


def _operations_table(results: Results, delays_ms: Sequence[float]) -> str:
    header = ["operation", "requests", "commands", "bytes replied"]
    header += [f"{delay_ms:g} ms: p50 / p95 ms" for delay_ms in delays_ms]
    header += [f"round trips of time at {delay_ms:g} ms" for delay_ms in delays_ms[-1:] if delay_ms]
    rows = []
    for name, title in ROWS.items():
        figures = [results[name, delay_ms] for delay_ms in delays_ms]
        count = sum(len(each_.samples_ms) for each_ in figures)
        row = [title, each(sum(each_.cost.requests for each_ in figures), count)]
        row.append(each(sum(each_.cost.commands for each_ in figures), count))
        row.append(f"{sum(each_.cost.reply_bytes for each_ in figures) / count:,.0f}")
        row += [spread(each_.samples_ms) for each_ in figures]
        if delays_ms[-1]:
            row.append(f"{statistics.median(figures[-1].samples_ms) / delays_ms[-1]:.2f}")
        rows.append(row)
    return markdown(header, rows)


def _protocols_table(ours: Results, resp: Results, delays_ms: Sequence[float]) -> str:
    header = ["operation: p50 / p95 ms", *(f"{ms:g} ms, {by}" for ms in delays_ms for by in ("HTTP", "RESP"))]
    rows = [
        [title, *(spread(results[name, ms].samples_ms) for ms in delays_ms for results in (ours, resp))]
        for name, title in ROWS.items()
    ]
    return markdown(header, rows)


def _l1_line(results: Results, delay_ms: float) -> str:
    samples_us = [sample_ms * 1000 / L1_READS for sample_ms in results["cache", delay_ms].samples_ms]
    return f"Of a context under `max-age=60`, the cache's part takes {spread(samples_us)} µs (p50 / p95)."


def _at_once_table(ours: Results, stock: Results, delays_ms: Sequence[float]) -> str:
    header = ["100 reads at once", "round trip", "Warmthread reads/s", "upstash-redis reads/s", "times"]
    header += ["requests", "its requests"]
    rows = []
    for name, title in AT_ONCE_ROWS.items():
        for delay_ms in delays_ms:
            pair = ours[name, delay_ms], stock[name, delay_ms]
            rates = [AT_ONCE * 1000 / statistics.median(figures.samples_ms) for figures in pair]
            row = [title, f"{delay_ms:g} ms", *(f"{rate:,.0f}" for rate in rates), f"{rates[0] / rates[1]:.1f}"]
            rows.append([*row, *(each(figures.cost.requests, len(figures.samples_ms)) for figures in pair)])
    return markdown(header, rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
