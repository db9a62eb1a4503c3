"""
What the guard costs of a warm read, in microseconds: for tenants without limits, with a rate, with budgets as well.

One instance in this process, called as an ASGI application, beside the same endpoint without the guard: no admission,
no rate, no deadline, no look at memory; metrics and logging are on both sides. All of them share one memory, and take
turns request by request, so that the machine's moods meet them alike. A figure is the median of the differences of
medians of 100 requests each, and their 95th percentile. Then the guard's steps alone, on the same objects, and what it
costs that a request is told (telling.py).
"""

import argparse
import asyncio
import contextlib
import math
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from api.conversations import app
from scripts.benchmarks import telling
from scripts.benchmarks.instance import Instance
from scripts.benchmarks.store import HISTORY_ITEMS, KEY
from scripts.benchmarks.worker import Place
from scripts.local import tenants
from scripts.measuring.counted_store import CountedStore, counted_store
from scripts.measuring.tables import markdown, spread
from shared.context.wanted import PARAMETERS, read_context_request
from shared.conversations.contexts import Contexts
from shared.conversations.conversation import Conversation
from shared.http.answers import json_response
from shared.http.counted import Counted
from shared.http.guard import admit, complete
from shared.http.headers import provenance_headers, rate_headers, read_etags
from shared.http.observed import Observed
from shared.http.problems import Bugs
from shared.http.state import State
from shared.request.after_response import Later
from shared.request.caller import read_key
from shared.request.freshness import read_freshness
from shared.request.invocation import CURRENT, Invocation
from shared.request.parameters import read_query
from shared.request.permits import Rate
from shared.request.roles import READ
from shared.telemetry.telemetry import Ended, Telemetry

CONTEXT_PATH = "/v1/conversations/{conversation_id}/context"
QUERY = "budget=8000"
LENIENT = {"cache-control": "max-age=60"}
BLOCK = 100
STEP_RUNS, STEP_ROUNDS = 2_000, 15

LIMITS: Mapping[str, dict[str, str]] = {
    "no limits": {},
    # Used faster than it is earned, as lots are for, on a slow machine too; the burst lasts.
    "a rate": {"rate": "2400", "burst": "600000"},
    "a rate and budgets": {
        "rate": "2400",
        "burst": "600000",
        "tokens_day": "1000000000",
        "tokens_month": "1000000000",
        "usd_day": "1000",
        "usd_month": "1000",
    },
}
"""A tenant's limits, as scripts/keys takes them."""

BARE = "without the guard"

type Call = Callable[[], Awaitable[object]]


class Figures(NamedTuple):
    """By caller, the median microseconds of each block of requests; *asked*: what the store was asked meanwhile."""

    blocks_us: dict[str, list[float]]
    asked: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blocks", type=int, default=24, help=f"blocks of {BLOCK} requests for each caller (24)")
    parser.add_argument("--quick", action="store_true", help="5 blocks: seconds, and rough figures")


def run(arguments: argparse.Namespace) -> int:
    if arguments.blocks < 1:
        print("there has to be a block", file=sys.stderr)
        return 2
    print("\n\n".join(asyncio.run(measure(5 if arguments.quick else arguments.blocks))))
    return 0


async def measure(blocks: int) -> list[str]:
    """Return the tables as Markdown."""
    with counted_store() as store:
        async with _instance(store) as instance:
            callers = await _callers(instance)
            l0 = await _in_turns("from memory", store, {name: each[0] for name, each in callers.items()}, blocks)
            l1 = await _in_turns("asking the store", store, {name: each[1] for name, each in callers.items()}, blocks)
            told = await _told(store, instance, blocks)
            steps = await _steps_table(instance, min(STEP_ROUNDS, 3 * blocks))
            return [_table(l0, l1), _lots_line(l0, blocks), steps, told]


@contextlib.asynccontextmanager
async def _instance(store: CountedStore) -> AsyncIterator[Instance]:
    instance = await Instance(Place(0, store.url, store.token, KEY, ""), {}).start()
    try:
        yield instance
    finally:
        await instance.stop()


async def _callers(instance: Instance) -> dict[str, tuple[Call, Call]]:
    """Return each caller's read: from memory, and with a look at the store."""
    from scripts.benchmarks.payload import history

    items, made = history(HISTORY_ITEMS), {}
    for name, limits in LIMITS.items():
        key = f"wt_{name.replace(' ', '-')}_local-only"
        await tenants.mint(instance.store, key)
        path = await instance.beside(key, {}).create(items)
        await tenants.set_limits(instance.store, read_key(key).tenant, tenants.read_limits(limits))
        made[name] = _reads(instance.beside(key, LENIENT), instance.beside(key, {}), path)
        if not limits:
            bare = _bare(key)
            made[BARE] = _reads(instance.beside(key, LENIENT, bare), instance.beside(key, {}, bare), path)
    return made


def _bare(key: str) -> ASGIApp:
    """Return the function without its guard: what counts, times and logs is there."""
    routes = _routes(key)
    templates = {route.endpoint: route.path for route in routes if isinstance(route, Route)}
    return Observed(Bugs(Starlette(routes=routes, middleware=[Middleware(Counted, templates)])), templates)


def _reads(lenient: Instance, strict: Instance, path: str) -> tuple[Call, Call]:
    def read(instance: Instance) -> Call:
        return lambda: instance.call("GET", f"{path}/context", QUERY)

    return read(lenient), read(strict)


def _routes(key: str) -> list[BaseRoute]:
    """Return the function's routes, among which a request finds its own, that of contexts without the guard."""
    return [
        Route(route.path, _unguarded(key), methods=["GET"]) if route.path == CONTEXT_PATH else route
        for route in app.routes
        if isinstance(route, Route) and (route.path != CONTEXT_PATH or "GET" in (route.methods or ()))
    ]


def _unguarded(key: str) -> Callable[[Request[State]], Awaitable[Response]]:
    """Return what the route of a context does, for a caller that nobody asks who it is."""
    caller = read_key(key)

    async def context(request: Request[State]) -> Response:
        later, freshness, state = Later(), read_freshness(request.headers), request.state
        wanted = read_context_request(read_query(PARAMETERS, request.query_params))
        contexts = Contexts(state["store"], state["counter"], state["history"], state["documents"], state["pool"])
        known = read_etags(request.headers.get("if-none-match"))
        conversation = Conversation(caller, request.path_params["conversation_id"])
        answer = await contexts.context(conversation, wanted, freshness, known, later)
        assert answer.body is not None
        return json_response(answer.body, later, provenance_headers(answer.provenance, answer.etag))

    return context


async def _in_turns(
    title: str,
    store: CountedStore,
    callers: Mapping[str, Call],
    blocks: int,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Figures:
    """Measure *callers* block by block, and say on standard error how far it is."""
    names, order = list(callers), random.Random(BLOCK)  # noqa: S311
    blocks_us: dict[str, list[float]] = {name: [] for name in names}
    before = store.look()
    for block in range(-1, blocks):  # The first one warms up.
        samples: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(BLOCK):
            # In any order: what runs behind the same other each time finds the caches as that one left them.
            for name in order.sample(names, len(names)):
                begun_at_ns = clock_ns()
                await callers[name]()
                samples[name].append((clock_ns() - begun_at_ns) / 1_000)
        print(f"\r{title}: block {block + 1} of {blocks}", end="", file=sys.stderr, flush=True)
        if block >= 0:
            for name in names:
                blocks_us[name].append(statistics.median(samples[name]))
    print(file=sys.stderr)
    return Figures(blocks_us, store.spent_since(before).requests)


def _table(l0: Figures, l1: Figures) -> str:
    header = ["context of 8,000 tokens from 400 items", "from memory, µs", "of which the guard"]
    header += ["asking the store, µs", "of which the guard"]
    rows = []
    for name in (BARE, *LIMITS):
        row = [name if name == BARE else f"a tenant with {name}"]
        for figures in (l0, l1):
            own, bare = figures.blocks_us[name], figures.blocks_us[BARE]
            row.append(f"{statistics.median(own):.0f}")
            row.append("" if name == BARE else spread([a - b for a, b in zip(own, bare, strict=True)]))
        rows.append(row)
    return markdown(header, rows)


def _lots_line(l0: Figures, blocks: int) -> str:
    requests = (blocks + 1) * BLOCK * len(l0.blocks_us)
    return f"Of {requests:,} reads from memory, {l0.asked} asked the store, for permits or to confirm a key."


async def _told(store: CountedStore, instance: Instance, blocks: int) -> str:
    """Measure what it costs that a request has ids, a line in the log, spans: the processor's time for it."""
    from scripts.benchmarks.payload import history

    await tenants.mint(instance.store, KEY)
    path = await instance.beside(KEY, {}).create(history(HISTORY_ITEMS))
    figures = []
    with telling.lines_to_nowhere():
        for title, headers in (("told, from memory", LENIENT), ("told, asking the store", {})):
            reads = telling.readings(instance, KEY, f"{path}/context", QUERY, headers)
            figures.append((await _in_turns(title, store, reads, blocks, time.thread_time_ns)).blocks_us)
    rows = []
    for name in figures[0]:
        row = [name]
        for blocks_us in figures:
            bare = blocks_us[telling.UNTOLD]
            row.append(f"{statistics.median(blocks_us[name]):.0f}")
            row.append("" if name == telling.UNTOLD else spread(_differences(blocks_us[name], bare)))
        rows.append(row)
    return markdown(["the same read", "from L1, µs of the processor", "more", "asking the store", "more"], rows)


def _differences(own: list[float], bare: list[float]) -> list[float]:
    return [a - b for a, b in zip(own, bare, strict=True)]


async def _steps_table(instance: Instance, rounds: int) -> str:
    """Time the guard's steps alone; what a step needs of those before it is there."""
    state, caller = instance.state, read_key(KEY)
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json", **LENIENT}
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/conversations/conv_1/context",
        "raw_path": b"/v1/conversations/conv_1/context",
        "query_string": QUERY.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "state": state,
    }
    pressure, deadlines, permits = state["pressure"], state["deadlines"], state["permits"]
    rate = Rate(6_000, 600_000, STEP_RUNS * STEP_ROUNDS, 500_000, 0, 1)
    invocation = Invocation(permits)
    CURRENT.set(invocation)

    async def limits() -> None:
        pressure.look()
        pressure.is_time_to_give_back()
        CURRENT.reset(CURRENT.set(Invocation(permits, deadlines.cut_at_s())))

    async def admission() -> None:
        admit(Request(scope), READ)

    async def in_time() -> None:
        async with asyncio.timeout_at(time.monotonic() + 30):  # noqa: ASYNC100  # What it costs is the question.
            pass

    async def permit() -> None:
        await complete(Request(scope))

    async def told() -> None:
        Response(b"").headers.update(rate_headers(invocation))

    async def script() -> None:
        fresh = Invocation(permits)
        fresh.caller = caller
        fresh.learn(fresh.ask(caller.key_hash), fresh.now(), "ok", rate)

    ended = Ended("GET", CONTEXT_PATH, 200, "L0", "", 0.0004, 0.0005)

    async def counted() -> None:
        telemetry: Telemetry = state["telemetry"]
        telemetry.note_budgets({"tokens-day": 500_000})
        telemetry.record(ended)
        telemetry.is_to_be_handed_over(math.inf)

    steps = {
        "memory, deadline, the invocation's own record": limits,
        "target, headers, key and its hash, refusals remembered, a permit of the lot": admission,
        "the time limit around the endpoint": in_time,
        "whether a permit is still to be taken": permit,
        "headers that tell the rate": told,
        "what a script asks and learns of the rate (not from memory)": script,
        "metrics: all that is counted of a request": counted,
    }
    permits.learn(caller, permits.now(), rate)
    rows = []
    for title, step in steps.items():
        rows.append([title, f"{await _step_us(step, rounds):.1f}"])
    return markdown(["step", "µs"], rows)


async def _step_us(step: Callable[[], Awaitable[None]], rounds: int) -> float:
    """Return the median of microseconds that *step* takes, less those of awaiting nothing."""

    async def nothing() -> None:
        pass

    async def once(work: Callable[[], Awaitable[None]]) -> float:
        begun_at_ns = time.perf_counter_ns()
        for _ in range(STEP_RUNS):
            await work()
        return (time.perf_counter_ns() - begun_at_ns) / STEP_RUNS / 1_000

    return statistics.median([await once(step) - await once(nothing) for _ in range(rounds)])
