"""
Warmthread beside what else keeps conversations or caches in Redis: one run, one Valkey, the same 400 items.

Every contender reaches its server through the same proxy on loopback, which stands for a network of 1 and 5 ms round
trip and counts the round trips that were paid: those that speak Redis's protocol the Valkey itself, those that speak
HTTP the local Upstash server over it, whose own work is included. Contenders take turns, each in a process with one
warm connection, and end with Python objects. Two instances of each then append to one conversation.
"""

import argparse
import contextlib
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.benchmarks.delay_proxy import DelayProxy, Target
from scripts.benchmarks.store import HISTORY_ITEMS, KEY, items_file
from scripts.benchmarks.worker import ContenderError, Place, Worker
from scripts.measuring import environment
from scripts.measuring.counted_store import CountedStore, counted_store
from scripts.measuring.tables import each, markdown, spread

PINGS = 100


class Entry(NamedTuple):
    """A contender: its name, what it speaks, its opener in scripts/benchmarks/contenders.py, where it is installed."""

    name: str
    protocol: str
    opener: str
    place: environment.Environment | None
    skips: tuple[str, ...] = ()


ENTRIES = (
    Entry("Warmthread", "HTTP", "open_ours", None),
    Entry("Warmthread, `max-age=60`", "HTTP", "open_ours_lenient", None, skips=("append",)),
    Entry("openai-agents 0.24.0 RedisSession", "Redis", "open_agents", environment.AGENTS),
    Entry("langchain-community 0.4.2 RedisChatMessageHistory", "Redis", "open_langchain", environment.PEERS),
    Entry("langchain-community 0.4.2 UpstashRedis…", "HTTP", "open_langchain_upstash", environment.PEERS),
    Entry("cashews 7.6.0, client side", "Redis", "open_cashews", environment.PEERS),
    Entry("LiteLLM 1.106.2 DualCache", "Redis", "open_litellm", environment.PEERS),
)

SECTIONS = {
    "append": "append 2 items",
    "read last": "read the last 20 items",
    "read all": "read all 400 items",
    "context": "choose at most 8,000 tokens",
}
"""Operation -> the title of its table."""

SHARING = {
    "seen": ("reads that saw the other's append", 1),
    "seen later": ("20 ms later", 1),
    "kept": ("appends at once, kept", 2),
}
"""Operation -> the title of its column, and the most that one run of it can result in."""


class Figures(NamedTuple):
    """One operation of one contender at one delay."""

    samples_ms: list[float]
    results: list[int]
    round_trips: int
    commands: int


class Bench:
    """The store, a proxy before each of its two protocols, and the workers that still run."""

    def __init__(self, store: CountedStore, proxies: dict[str, DelayProxy]) -> None:
        self.workers: dict[Entry, Worker] = {}
        self.operations: dict[Entry, list[str]] = {}
        self.failures: dict[Entry, str] = {}
        self._store = store
        self._proxies = proxies

    def set_delay(self, delay_ms: float) -> None:
        for proxy in self._proxies.values():
            proxy.delay_ms = delay_ms

    def open(self, entry: Entry) -> None:
        """Wait until *entry* is ready, or note why it will not be."""
        self._noted(entry, lambda: self.operations.update({entry: self.workers[entry].open()}))

    def figures(self, entry: Entry, operation: str, runs: int) -> Figures | None:
        """Return what *runs* of *operation* cost, None when *entry* does not have it or fails."""
        if entry in self.failures or operation in entry.skips or operation not in self.operations[entry]:
            return None
        return self._noted(entry, lambda: self._measure(entry, operation, runs))

    def bare_round_trip_ms(self) -> float:
        """Return the time of a PING through the proxy: what the network alone costs."""
        samples_ms = []
        with socket.create_connection(("127.0.0.1", self._proxies["Redis"].port)) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(PINGS):
                begin_s = time.perf_counter()
                client.sendall(b"PING\r\n")
                client.recv(64)
                samples_ms.append((time.perf_counter() - begin_s) * 1000)
        return statistics.median(samples_ms)

    def _measure(self, entry: Entry, operation: str, runs: int) -> Figures:
        worker, proxy = self.workers[entry], self._proxies[entry.protocol]
        worker.prepare(operation, runs)
        before, paid = self._store.look(), proxy.round_trips
        measured = worker.run()
        return Figures(*measured, proxy.round_trips - paid, self._store.spent_since(before).commands)

    def _noted[T](self, entry: Entry, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except ContenderError as error:
            self.failures[entry] = str(error)
            self.workers[entry].stop()
            return None


type Results = dict[tuple[str, float, Entry], Figures]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=100, help="timed runs of each operation (100)")
    parser.add_argument("--delays", type=float, nargs="+", default=[1, 5], metavar="MS", help="round trips (1 5)")
    parser.add_argument("--quick", action="store_true", help="10 runs: rough figures")


def run(arguments: argparse.Namespace) -> int:
    from scripts.local.mint import mint

    if min(arguments.delays) <= 0:
        print("a round trip must take more than 0 ms", file=sys.stderr)
        return 2
    pythons = {place: environment.prepare(place) for place in {entry.place for entry in ENTRIES} if place}
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(counted_store())
        mint(store.url, store.token, KEY)
        redis = stack.enter_context(DelayProxy(Target(path=store.path)))
        http = stack.enter_context(DelayProxy(Target(port=store.port)))
        path = stack.enter_context(items_file(HISTORY_ITEMS))
        place = Place(redis.port, f"http://127.0.0.1:{http.port}", store.token, KEY, path)
        bench = Bench(store, {"Redis": redis, "HTTP": http})
        for entry in ENTRIES:
            python = pythons[entry.place] if entry.place else Path(sys.executable)
            worker = Worker(python, f"scripts.benchmarks.contenders:{entry.opener}", place)
            bench.workers[entry] = stack.enter_context(worker)
        print("\n\n".join(_measure(bench, arguments.delays, 10 if arguments.quick else arguments.runs)))
    return 0


def _measure(bench: Bench, delays_ms: Sequence[float], runs: int) -> list[str]:
    for entry in ENTRIES:
        _say(f"opening {entry.name}")
        bench.open(entry)
    results: Results = {}
    bare = []
    for delay_ms in delays_ms:
        bench.set_delay(delay_ms)
        bare.append(f"{bench.bare_round_trip_ms():.2f} ms at {delay_ms:g} ms")
        for operation in (*SECTIONS, *SHARING):
            for entry in ENTRIES:
                _say(f"{delay_ms:g} ms: {operation}, {entry.name}")
                figures = bench.figures(entry, operation, runs if operation in SECTIONS else max(5, runs // 5))
                if figures:
                    results[operation, delay_ms, entry] = figures
    texts = [f"A bare PING through the proxy takes {', '.join(bare)}."]
    texts += [section_table(results, operation, delays_ms) for operation in SECTIONS]
    texts.append(_sharing_table(results, delays_ms))
    texts += [f"Not measured, or not to its end: {entry.name}: {why}" for entry, why in bench.failures.items()]
    return texts


def section_table(results: Results, operation: str, delays_ms: Sequence[float]) -> str:
    """Return the table of one operation, a row for each contender that was measured at every delay."""
    header = [SECTIONS[operation], "speaks", "round trips", "commands"]
    for delay_ms in delays_ms:
        header += [f"{delay_ms:g} ms: p50 / p95 ms", "in round trips"]
    rows = []
    for entry in ENTRIES:
        figures = [results[key] for delay_ms in delays_ms if (key := (operation, delay_ms, entry)) in results]
        if len(figures) < len(delays_ms):
            continue
        count = sum(len(at.samples_ms) for at in figures)
        row = [entry.name, entry.protocol, each(sum(at.round_trips for at in figures), count)]
        row.append(each(sum(at.commands for at in figures), count))
        for delay_ms, at in zip(delays_ms, figures, strict=True):
            row += [spread(at.samples_ms), f"{statistics.median(at.samples_ms) / delay_ms:.2f}"]
        rows.append(row)
    return markdown(header, rows)


def _sharing_table(results: Results, delays_ms: Sequence[float]) -> str:
    header = ["two instances, one conversation", *(title for title, _ in SHARING.values())]
    rows = []
    for entry in ENTRIES:
        row = [entry.name]
        for operation, (_, possible) in SHARING.items():
            figures = [results[key] for delay_ms in delays_ms if (key := (operation, delay_ms, entry)) in results]
            outcomes = [outcome for at in figures for outcome in at.results]
            row.append(f"{sum(outcomes)} of {len(outcomes) * possible}")
        if any((operation, delays_ms[0], entry) in results for operation in SHARING):
            rows.append(row)
    return markdown(header, rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
