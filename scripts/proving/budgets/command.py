"""
Many processes spend one tenant's budget at once, partly for users and agents of it that have budgets of their own,
crash, repeat and reorder what they say; the books must be right.

All the while: settled - overrun + reserved <= limit, which holds as long as every grant found settled + reserved +
asked <= limit; of the tenant, of each user and of each agent. In the end, when what crashed processes were about to say
has been said again and all that was forgotten has run out: settled is the sum of the settlements, each once, and
nothing is reserved, in every book. A grant of exactly what is left to the tenant must succeed then, and one token more
be refused.

With --halfway the store refuses one write of about every tenth script, which ends there; the callers say the same
again. With --store cluster the tenant's primary is killed and its slot moved, again and again until they are done.
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import uuid4

from scripts.faults.halfway import drawn
from scripts.faults.server import FaultyServer
from scripts.local.tenants import mint, set_limits
from scripts.local.upstash import LocalUpstash
from scripts.local.valkey_cluster import ValkeyCluster, running_cluster
from scripts.proving.budgets.worker import CRASHED, NOT_KEYED, OTHERS, amount
from scripts.proving.changes import CLUSTER, HELP, HTTP, STORES, Changes, settings_of
from scripts.proving.fleet import environment_without_store
from shared.budgets.reservations import Budgets
from shared.environment import read_settings
from shared.errors import BudgetExceeded, StoreUnavailable
from shared.request.caller import Caller, make_key, read_key
from shared.request.owners import Owners
from shared.store.upstash import Store

ROOT = Path(__file__).parents[3]
LIMIT_TOKENS = 150_000
LEAST_OF_EACH = {"user": 6_000, "agent": 8_000}
"""Limits of each user and agent, and half a token more for each operation: so that they are reached all the time."""
LIFE_S = 1
LOOK_S = 0.02
PAUSE_S = 0.5
"""Between two changes of a cluster."""


async def verify(
    environ: dict[str, str],
    operations: int,
    processes: int,
    folder: Path,
    of_callers: Mapping[str, str] | None = None,
    cluster: ValkeyCluster | None = None,
) -> list[str]:
    """
    Run the experiment; return what was wrong. Variables *of_callers* are others than those of *environ*; *cluster*:
    the store, which changes meanwhile.
    """
    settings = read_settings(environ)
    store = Store(settings)
    budgets, key = Budgets(store, settings), make_key(f"t{uuid4().hex[:20]}")
    caller = read_key(key)
    limits = {kind: least + operations // 2 for kind, least in LEAST_OF_EACH.items()}
    of_each = {f"per-{kind}:limit:tokens-month": str(limit) for kind, limit in limits.items()}
    await set_limits(store, caller.tenant, {"limit:tokens-month": str(LIMIT_TOKENS), **of_each})
    await mint(store, key)
    looks: list[int] = []
    problems: list[str] = []
    watches = [asyncio.ensure_future(watch_books(budgets, caller, LIMIT_TOKENS, looks, problems))]
    looks_at = {each: list[int]() for each in OTHERS}
    for (kind, name), seen in looks_at.items():
        watching = watch_books(budgets, caller, limits[kind], seen, problems, kind, name)
        watches.append(asyncio.ensure_future(watching))
    began_at_s = time.monotonic()
    each = -(-operations // processes)
    environ = {**environ, **(of_callers or {})}
    workers = [_work(environ, key, each, seed, folder / f"{seed}.log") for seed in range(processes)]
    async with _changing(cluster, caller.tenant):
        crashes = sum(await asyncio.gather(*workers))
    took_s = time.monotonic() - began_at_s
    for watch in watches:
        watch.cancel()
    lines = _read_said(folder)
    said = {name: int(used) for name, used, *_ in lines}
    problems += await settle_books(budgets, caller, LIMIT_TOKENS, LIFE_S, said)
    problems += await check_others(budgets, caller, limits, lines)
    for (kind, name), seen in looks_at.items():
        print(f"{kind} {name}: up to {max(seen)} of {limits[kind]} tokens reserved at once")
    print(
        f"{each * processes} operations of {processes} processes in {took_s:.1f} s; {crashes} crashes; "
        f"{len(looks)} looks, up to {max(looks)} tokens reserved at once"
    )
    await store.close()
    return problems


@contextlib.asynccontextmanager
async def _changing(cluster: ValkeyCluster | None, tenant: str) -> AsyncIterator[None]:
    """Have *cluster* change until the block is over: each change once at least."""
    if cluster is None:
        yield
        return
    changes, is_over = Changes(cluster, tenant), threading.Event()

    def change() -> None:
        while not changes.happened or not is_over.is_set():
            for each in (changes.kill_primary, changes.move_by_keys, changes.move_as_a_whole):
                each()
                is_over.wait(PAUSE_S)

    changing = asyncio.create_task(asyncio.to_thread(change))
    try:
        yield
    finally:
        is_over.set()
        await changing
    print(", ".join(f"{what}: {count}" for what, count in changes.happened.items()))


async def watch_books(
    budgets: Budgets, caller: Caller, limit_tokens: int, looks: list[int], wrong: list[str], *of: str
) -> None:
    """
    Look at the books, the tenant's or those *of* another (kind, name), until this is cancelled: tokens reserved go to
    *looks*, what is over the limit to *wrong*. Where a busy store does not answer, the next look sees as much.
    """
    while True:
        with contextlib.suppress(StoreUnavailable):
            shown = (await budgets.usage(caller, *of))["month"]["tokens"]
            looks.append(shown["reserved"])
            if shown["settled"] - shown["overrun"] + shown["reserved"] > limit_tokens:
                wrong.append(f"over the limit{' of ' if of else ''}{' '.join(of)}: {shown}")
        await asyncio.sleep(LOOK_S)


async def _work(environ: dict[str, str], key: str, operations: int, seed: int, log: Path) -> int:
    """Run one worker, again and again until it has done its share; return how often it crashed."""
    crashes = 0
    while operations > 0:
        arguments = [key, str(operations), str(seed + 1_000 * crashes), str(log)]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scripts.proving.budgets.worker",
            *arguments,
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
        )
        await process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == CRASHED, "a worker failed"
        crashes += 1
        operations -= operations // 3 or 1
    return crashes


def _read_said(folder: Path) -> list[list[str]]:
    """Return of each settlement its reservation, tokens, user and agent."""
    return [line.split() for log in folder.glob("*.log") for line in log.read_text().splitlines()]


async def check_others(budgets: Budgets, caller: Caller, limits: Mapping[str, int], said: list[list[str]]) -> list[str]:
    """Return what is wrong in the books of users and agents, when all of *said* is settled and nothing lives."""
    wrong = []
    for kind, name in OTHERS:
        used = {line[0]: int(line[1]) for line in said if line[2 if kind == "user" else 3] == name}
        shown = (await budgets.usage(caller, kind, name))["month"]["tokens"]
        print(f"{kind} {name}: {len(used)} settlements of {sum(used.values())} tokens; the book says {shown}")
        if (shown["settled"], shown["reserved"]) != (sum(used.values()), 0):
            wrong.append(f"{kind} {name}: {shown} instead of {sum(used.values())} settled and 0 reserved")
        left = max(0, limits[kind] - sum(used.values()))
        try:
            await budgets.reserve(caller, NOT_KEYED, amount(left + 1), Owners(**{kind: name}))
            wrong.append(f"a grant over the limit of {kind} {name}")
        except BudgetExceeded:
            pass
    return wrong


async def settle_books(
    budgets: Budgets, caller: Caller, limit_tokens: int, life_s: int, said: Mapping[str, int]
) -> list[str]:
    """
    Say all settlements in *said* again, wait until what was forgotten has run out, and return what is wrong then.

    It takes a little longer than a reservation lives.
    """
    for name, tokens in said.items():
        await budgets.settle(caller, name, amount(tokens))
    await asyncio.sleep(life_s + 1.1)
    shown = (await budgets.usage(caller))["month"]["tokens"]
    wrong, settled = [], sum(said.values())
    print(f"{len(said)} settlements of {settled} tokens, {shown['overrun']} of them overrun; the books say {shown}")
    if shown["settled"] != settled:
        wrong.append(f"{shown['settled']} tokens are settled instead of {settled}")
    if shown["reserved"] != 0:
        wrong.append(f"{shown['reserved']} tokens are reserved by nobody")
    left = limit_tokens - settled
    if left >= 0:
        await budgets.reserve(caller, NOT_KEYED, amount(left))
    try:
        await budgets.reserve(caller, NOT_KEYED, amount(1))
        wrong.append("a grant over the limit")
    except BudgetExceeded:
        pass
    return wrong


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--operations", type=int, default=50_000)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--halfway", action="store_true", help="refuse a write in the middle of some scripts")
    parser.add_argument("--store", choices=STORES, default=HTTP, help=HELP)


def run(arguments: argparse.Namespace) -> int:
    if arguments.halfway and arguments.store == CLUSTER:
        print("--halfway is of a store that speaks HTTP", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        on = _on_a_cluster if arguments.store == CLUSTER else _over_http
        wrong = on(arguments, Path(folder))
    for each in wrong[:20]:
        print(f"WRONG: {each}")
    print("wrong" if wrong else "The books are right.")
    return bool(wrong)


def _over_http(arguments: argparse.Namespace, folder: Path) -> list[str]:
    with LocalUpstash() as upstash, FaultyServer(upstash.url) as server:
        of_callers = {}
        if arguments.halfway:
            server.nth_write = drawn(time.time_ns())
            of_callers["UPSTASH_REDIS_REST_URL"] = server.url
        environ = _environ(UPSTASH_REDIS_REST_URL=upstash.url, UPSTASH_REDIS_REST_TOKEN=upstash.token)
        wrong = asyncio.run(verify(environ, arguments.operations, arguments.processes, folder, of_callers))
        if arguments.halfway:
            print(f"{server.ended_half_way} scripts ended half-way")
    return wrong


def _on_a_cluster(arguments: argparse.Namespace, folder: Path) -> list[str]:
    with running_cluster() as cluster:
        environ = _environ(**settings_of(cluster))
        return asyncio.run(verify(environ, arguments.operations, arguments.processes, folder, cluster=cluster))


def _environ(**store: str) -> dict[str, str]:
    environment = environment_without_store()
    return {**environment, **store, "WARMTHREAD_RESERVATION_S": str(LIFE_S), "WARMTHREAD_STORE_TIMEOUT_S": "20"}
