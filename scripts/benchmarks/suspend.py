"""
What an instance does after its process was stopped for a while, as the platform does between requests.

It is stopped and continued; then the probe tells how many timers fired, and a count, an append and a context tell
whether pool, connections and encodings still work.
"""

import argparse
import asyncio
import os
import signal
import time
from typing import NamedTuple

import orjson

from scripts.measuring.counted_store import counted_store
from scripts.measuring.served import KEY, Served, ask, client_of, create, instance_at, watch, watched
from scripts.measuring.tables import markdown

TEXT = "It was a bright cold day in April. " * 3_000


class Woken(NamedTuple):
    """
    What was seen: *looks* of a timer that is due every millisecond, in *awake_ms* without the pause; the longest wait
    between two; and the milliseconds of each of the first requests.
    """

    looks: int
    awake_ms: float
    longest_ms: float
    first_ms: dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=60, help="how long the process is stopped (60)")


def run(arguments: argparse.Namespace) -> int:
    woken = measure(arguments.seconds)
    rows = [["timer", f"{woken.looks} times in {woken.awake_ms:.0f} ms awake; longest wait {woken.longest_ms:.0f} ms"]]
    rows += [[name, f"{took_ms:.1f} ms"] for name, took_ms in woken.first_ms.items()]
    print(markdown([f"after {arguments.seconds:g} s", "seen"], rows))
    return 0


def measure(seconds: float) -> Woken:
    """Return what was seen after a pause of *seconds*. Raises OSError: a request failed."""
    from scripts.local.mint import mint

    with counted_store() as store, instance_at(store) as served:
        mint(store.url, store.token, KEY)
        return asyncio.run(_measure(served, seconds))


async def _measure(served: Served, seconds: float) -> Woken:
    count = orjson.dumps({"model": "gpt-4o", "input": TEXT})
    batch = orjson.dumps({"items": [{"role": "user", "content": TEXT}]})
    async with client_of(served) as client:
        path = await create(client, batch)
        before = await ask(client, "POST", "/v1/tokens/count", count)
        begin_s = time.monotonic()
        await watch(client)
        os.kill(served.pid, signal.SIGSTOP)
        stopped_s = time.monotonic()
        await asyncio.sleep(seconds)
        os.kill(served.pid, signal.SIGCONT)
        pause_s = time.monotonic() - stopped_s
    # New connections: the old ones are idle for longer than a server keeps them.
    async with client_of(served) as client:
        first_ms: dict[str, float] = {}
        for name, method, target, body in (
            ("count", "POST", "/v1/tokens/count", count),
            ("append", "POST", f"{path}/items", batch),
            ("context", "GET", f"{path}/context?budget=100000", b""),
        ):
            asked_s = time.perf_counter()
            answer = await ask(client, method, target, body)
            first_ms[name] = (time.perf_counter() - asked_s) * 1000
            if name == "count" and answer != before:
                raise OSError(f"the count is another one now: {answer!r} instead of {before!r}")
        lag = await watched(client)
        awake_ms = (time.monotonic() - begin_s - pause_s) * 1000
    return Woken(lag.looks, awake_ms, lag.max_ms, first_ms)
