"""
What a primary of a cluster carries: appends of 100 tenants, over clusters of one primary and of three.

One process sends appends of two messages, AT_ONCE at a time, through the routes of one warm instance; every tenant has
a conversation. Each primary has a replica; with and without WARMTHREAD_REPLICAS_ACKNOWLEDGE. What a server takes of a
processor is its own figure (INFO cpu), so that it holds though the machine has too few processors for three of them:
a server runs commands in one thread, and carries at most what fits into a second of it. Then one append alone, whose
time shows what waiting for a replica costs.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from typing import NamedTuple

from scripts.local.valkey_cluster import Server, ValkeyCluster, running_cluster
from scripts.measuring.tables import markdown, spread

TENANTS, AT_ONCE = 100, 50
ALONE = 300


class Figures(NamedTuple):
    """Of *primaries* with *acknowledge* replicas asked for; processor time in µs an append, of all of a kind."""

    primaries: int
    acknowledge: int
    rate: float
    alone_ms: list[float]
    primary_us: float
    replica_us: float
    client_us: float
    commands: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=20, help="rounds of one append a tenant (20)")
    parser.add_argument("--quick", action="store_true", help="two rounds: that it works, no figures")


def run(arguments: argparse.Namespace) -> int:
    rounds = 2 if arguments.quick else arguments.rounds
    found: list[Figures] = []
    for primaries in (1, 3):
        with running_cluster(primaries) as cluster:
            for acknowledge in (0, 1):
                print(f"{primaries} primaries, {acknowledge} to acknowledge", file=sys.stderr, flush=True)
                found.append(asyncio.run(_measure(cluster, primaries, acknowledge, rounds)))
    print(table(found))
    return 0


def table(found: list[Figures]) -> str:
    """Return the figures as Markdown."""
    header = ["primaries", "replicas to acknowledge", "appends/s here", "one append alone: p50 / p95 ms"]
    header += ["commands an append", "µs of a primary an append", "of its replica", "of the client"]
    header += ["appends/s that a primary's thread has room for"]
    rows = [
        [
            *(str(each.primaries), str(each.acknowledge), f"{each.rate:,.0f}", spread(each.alone_ms)),
            *(f"{each.commands:.1f}", f"{each.primary_us:.0f}", f"{each.replica_us:.0f}", f"{each.client_us:.0f}"),
            f"{1_000_000 / each.primary_us:,.0f}",
        ]
        for each in found
    ]
    return markdown(header, rows)


async def _measure(cluster: ValkeyCluster, primaries: int, acknowledge: int, rounds: int) -> Figures:
    from scripts.benchmarks.instance import Instance
    from scripts.benchmarks.worker import Place
    from scripts.local.tenants import mint
    from shared.request.caller import make_key

    os.environ["WARMTHREAD_REPLICAS_ACKNOWLEDGE"] = str(acknowledge)
    keys = [make_key(f"bench{acknowledge}x{number}") for number in range(TENANTS)]
    with tempfile.NamedTemporaryFile("w") as file:
        service = await Instance(Place(0, cluster.url, "", keys[0], file.name), {}).start()
    try:
        for key in keys:
            await mint(service.store, key)
        items = [{"role": "user", "content": "How are you today?"}, {"role": "assistant", "content": "Well, thanks."}]
        callers = [service.beside(key, {}) for key in keys]
        paths = [await caller.create(items) for caller in callers]
        permits = asyncio.Semaphore(AT_ONCE)

        async def append(number: int) -> float:
            async with permits:
                begin_s = time.perf_counter()
                await callers[number].call("POST", f"{paths[number]}/items", "", {"items": items})
                return (time.perf_counter() - begin_s) * 1_000

        await asyncio.gather(*map(append, range(TENANTS)))
        before, client_s, begin_s = _cpu(cluster), time.process_time(), time.perf_counter()
        for _ in range(rounds):
            await asyncio.gather(*map(append, range(TENANTS)))
        took_s, client_s = time.perf_counter() - begin_s, time.process_time() - client_s
        after, count = _cpu(cluster), rounds * TENANTS
        alone_ms = [await append(number % TENANTS) for number in range(ALONE if rounds > 2 else 3)]
        primary_s, replica_s, commands = (now - then for now, then in zip(after, before, strict=True))
        return Figures(
            primaries, acknowledge, count / took_s, alone_ms,
            primary_s / count * 1e6, replica_s / count * 1e6, client_s / count * 1e6, commands / count,
        )  # fmt: skip
    finally:
        await service.stop()
        os.environ.pop("WARMTHREAD_REPLICAS_ACKNOWLEDGE")


def _cpu(cluster: ValkeyCluster) -> tuple[float, float, int]:
    """Return the processor seconds of all primaries and of all replicas, and how many commands the former ran."""
    primaries = cluster.primaries()
    replicas = [server for server in cluster.living if server not in primaries]
    return (sum(map(_used_s, primaries)), sum(map(_used_s, replicas)), sum(map(_calls, primaries)))


def _used_s(server: Server) -> float:
    told = server.info("cpu")
    return float(told["used_cpu_user_main_thread"]) + float(told["used_cpu_sys_main_thread"])


def _calls(server: Server) -> int:
    told = server.info("commandstats")
    return sum(int(each.partition("calls=")[2].partition(",")[0]) for each in told.values())
