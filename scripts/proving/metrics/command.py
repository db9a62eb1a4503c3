"""
Instances under Vercel's launcher answer a load, two are killed and replaced; then nothing more comes. 15 s later the
metrics must say what the load counted itself, but for what the killed had not handed over, and a second look the same.

Those that are not killed are a deployment of their own, whose counts have to be exact, and whose percentiles within 5 %
of those of the times that its answers name.
"""

import argparse
import asyncio
import contextlib
import re
import secrets
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

import httpx

from scripts.local.launching import invocation
from scripts.local.mint import mint
from scripts.local.upstash import LocalUpstash
from scripts.measuring.environment import ROOT
from scripts.measuring.launched import Launched, launched
from scripts.measuring.tables import percentile
from scripts.proving.metrics.read import buckets_of, quantile, total_of
from shared.environment import read_settings
from shared.request.caller import make_key
from shared.store.upstash import Store
from shared.telemetry.fleet import exposition, read_fleet

STAYS, DIES = "dpl_stays", "dpl_dies"
FUNCTION = "api/conversations.py"
SETTLED_S = 5.0
"""Beyond the interval of hand-overs, after which all must be there: 15 s with the default."""

PERCENTILES = (0.5, 0.9, 0.95, 0.99)
ERROR_MAX, SAMPLES_MIN = 0.05, 400
TOTAL = re.compile(r"total;dur=([\d.]+)")
ITEMS = {"items": [{"role": "user", "content": "What is the weather in Paris?"}] * 10}


class Plan(NamedTuple):
    """How many *instances* of each deployment, with how many callers each, for how long, how often they hand over."""

    instances: int
    callers: int
    seconds: float
    flush_s: int
    delay_ms: float


class Answered(NamedTuple):
    """An answer of *deployment*'s *instance* at an instant, and how long it says it took."""

    deployment: str
    instance: Launched
    at_s: float
    took_s: float


class Load:
    """Reads by several callers of each instance, counted here."""

    def __init__(self, key: str, path: str) -> None:
        self.answers: list[Answered] = []
        self.sent: dict[Launched, int] = {}
        self._key = key
        self._path = path

    async def call(self, deployment: str, instance: Launched, until_s: float, *, is_lenient: bool) -> None:
        headers = {"authorization": f"Bearer {self._key}", "cache-control": "max-age=60" if is_lenient else "no-cache"}
        async with httpx.AsyncClient(base_url=instance.url, headers=headers, timeout=30) as client:
            while time.monotonic() < until_s:
                number = str(self.sent.get(instance, 0))
                self.sent[instance] = int(number) + 1
                try:
                    answer = await client.get(self._path, headers=invocation(number))
                except httpx.TransportError:
                    return  # It was killed.
                took_s = float(TOTAL.findall(answer.headers["server-timing"])[0]) / 1_000
                self.answers.append(Answered(deployment, instance, time.monotonic(), took_s))
                await asyncio.sleep(0.002)


class Seen(NamedTuple):
    """What came of it: the *load*, when each of the *killed* was, the metrics once and again, how many still ran."""

    load: Load
    killed: Mapping[Launched, float]
    first: str
    second: str
    open: int


async def experiment(plan: Plan) -> Seen:
    with contextlib.ExitStack() as stack:
        upstash = stack.enter_context(LocalUpstash(delay_ms=plan.delay_ms))
        key = make_key(f"t{secrets.token_hex(10)}")
        await asyncio.to_thread(mint, upstash.url, upstash.token, key)
        variables = {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}

        def start(deployment: str) -> Launched:
            named = {"VERCEL_DEPLOYMENT_ID": deployment, "WARMTHREAD_METRICS_FLUSH_S": str(plan.flush_s)}
            return stack.enter_context(launched(ROOT, FUNCTION, variables | named))

        stay = [start(STAYS) for _ in range(plan.instances)]
        die = [start(DIES) for _ in range(plan.instances)]
        load = Load(key, await _make_conversation(start("dpl_other"), key))
        until_s = time.monotonic() + plan.seconds

        def callers(deployment: str, instance: Launched) -> list["asyncio.Task[None]"]:
            each = range(plan.callers)
            return [asyncio.create_task(load.call(deployment, instance, until_s, is_lenient=n % 2 == 1)) for n in each]

        tasks = [task for each in stay for task in callers(STAYS, each)]
        tasks += [task for each in die for task in callers(DIES, each)]
        killed = {}
        for number, each in enumerate(die):
            await asyncio.sleep(plan.seconds / (len(die) + 2))
            each.process.kill()
            killed[each] = time.monotonic()
            _say(f"killed {number + 1} of {len(die)}, after {len(load.answers):,} answers")
            tasks += callers(DIES, await asyncio.to_thread(start, DIES))
        await asyncio.gather(*tasks)
        _say(f"{len(load.answers):,} answers; waiting {plan.flush_s + SETTLED_S:.0f} s without another request")
        await asyncio.sleep(plan.flush_s + SETTLED_S)
        running = [each for each in load.sent if each not in killed]
        open_ = sum(
            load.sent[each] - len(each.ended.keys() & set(map(str, range(load.sent[each])))) for each in running
        )
        store = Store(read_settings(variables))
        first, second = [exposition(await read_fleet(store)).decode() for _ in range(2)]
        await store.close()
    return Seen(load, killed, first, second, open_)


async def _make_conversation(instance: Launched, key: str) -> str:
    headers = {"authorization": f"Bearer {key}", **invocation()}
    async with httpx.AsyncClient(base_url=instance.url, headers=headers, timeout=30) as client:
        made = await client.post("/v1/conversations", json=ITEMS)
        return f"/v1/conversations/{made.raise_for_status().json()['id']}/items"


def violations(plan: Plan, seen: Seen) -> list[str]:
    """Print what the load and the metrics say, and return what must not be."""
    found = []
    own = {name: [each for each in seen.load.answers if each.deployment == name] for name in (STAYS, DIES)}
    told = {name: total_of(seen.first, "warmthread_requests_total", deployment=name) for name in own}
    unsure = [
        each for each in own[DIES] if each.instance in seen.killed
        and each.at_s > seen.killed[each.instance] - plan.flush_s - SETTLED_S
    ]  # fmt: skip
    tail = len(own[DIES]) - told[DIES]
    print(f"{STAYS}: {len(own[STAYS]):,} answered, {told[STAYS]:,.0f} counted")
    print(f"{DIES}: {len(own[DIES]):,} answered, {told[DIES]:,.0f} counted: {tail:,.0f} were not handed over")
    if told[STAYS] != len(own[STAYS]):
        found.append("what was not killed counted something else")
    if not -plan.callers * plan.instances <= tail <= len(unsure):
        found.append(f"more is missing than the killed answered since their last hand-over: {len(unsure)}")
    times_s = [each.took_s for each in own[STAYS]]
    buckets = buckets_of(seen.first, "warmthread_request_duration_seconds", deployment=STAYS)
    for share in PERCENTILES:
        exact_s, read_s = percentile(times_s, share), quantile(share, buckets)
        print(
            f"p{100 * share:g}: {1000 * exact_s:.2f} ms, read off {1000 * read_s:.2f} ms ({read_s / exact_s - 1:+.1%})"
        )
        if abs(read_s / exact_s - 1) > ERROR_MAX and len(times_s) >= SAMPLES_MIN:
            found.append(f"p{100 * share:g} is more than 5 % off")
    if len(times_s) < SAMPLES_MIN:
        print(f"percentiles are not judged: {len(times_s)} answers are fewer than {SAMPLES_MIN}")
    if seen.second != seen.first:
        found.append("a second look says something else")
    print(f"invocations that have not ended: {seen.open}")
    if seen.open:
        found.append("an invocation is still open")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=40, help="of load (40)")
    parser.add_argument("--short", action="store_true", help="8 s, of instances that hand over each second")


def run(arguments: argparse.Namespace) -> int:
    plan = Plan(2, 2, 8, 1, 5) if arguments.short else Plan(2, 4, arguments.seconds, 10, 5)
    seen = asyncio.run(experiment(plan))
    found = violations(plan, seen)
    if not arguments.short and sum(each.deployment == STAYS for each in seen.load.answers) < SAMPLES_MIN:
        found.append("there were too few answers to judge percentiles by")
    print("\n".join(found) or "The metrics say what the load counted.")
    return int(bool(found))
