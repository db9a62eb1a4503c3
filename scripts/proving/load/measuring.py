"""
A stretch of load on a fleet, with all that it cost beside the answers: processor, store, memory, lag.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from scripts.platform.client import FleetState
from scripts.platform.fleet import Fleet
from scripts.proving.load.figures import Late, Measured, Spent
from scripts.proving.load.lateness import Lateness
from scripts.proving.load.openloop import OpenLoop
from scripts.proving.load.probe import Probe
from scripts.proving.load.schedule import Step
from scripts.proving.load.wire import Wire
from scripts.proving.metrics.read import samples_of
from shared.environment import read_settings
from shared.store.upstash import Store
from shared.telemetry.fleet import exposition, read_fleet

SAMPLE_S = 1.0
STORED = re.compile(r"^used_memory_dataset:(\d+)", re.MULTILINE)


class Samples:
    """What was seen of the instances once a second."""

    def __init__(self) -> None:
        self._resident: list[int] = []
        self._count: list[int] = []

    def note(self, state: FleetState) -> None:
        self._count.append(len(state))
        self._resident += [each.resident_bytes for each in state if each.resident_bytes]

    def spent(self) -> Spent:
        return Spent(
            resident_mean_bytes=sum(self._resident) / max(1, len(self._resident)),
            instances_mean=sum(self._count) / max(1, len(self._count)),
        )


async def measure(
    fleet: Fleet,
    steps: Sequence[Step],
    wire: Wire,
    *,
    is_naive: bool,
    flush_s: float,
    loops: list[OpenLoop] | None = None,
    tell: Callable[[int], None] | None = None,
) -> Measured:
    """
    Send *steps* to *fleet* and return what came of it; what instances count is handed over every *flush_s*.

    The loop is put into *loops* before it runs: who interrupts this finds there what was answered until then.
    """
    loop, samples = OpenLoop(fleet.url, fleet.key, wire, steps, is_naive=is_naive), Samples()
    if loops is not None:
        loops.append(loop)
    before = await asyncio.to_thread(_account, fleet)
    probe = Probe()
    async with _past_instances(fleet) as store:
        lateness = Lateness(store)
        tasks = [_sample(fleet, samples)] if is_naive else [_sample(fleet, samples), lateness.watch()]
        watching = [asyncio.create_task(each) for each in tasks]
        try:
            with probe:
                await loop.run(tell)
        finally:
            for each in watching:
                each.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        after = await asyncio.to_thread(_account, fleet)
        lag, documents = _naive_lag(loop.lags), dict[str, int]()
        if not is_naive:
            await asyncio.sleep(flush_s)
            lag, documents = await lateness.end(), await _documents(store)
    seen = samples.spent()
    spent = after.plus(before, -1)._replace(
        resident_mean_bytes=seen.resident_mean_bytes, instances_mean=seen.instances_mean
    )
    return Measured(loop.answers, loop.ended_s, spent, lag, probe.seen, loop.skipped, loop.unanswered, documents)


def _account(fleet: Fleet) -> Spent:
    """Return what was spent since the fleet's start."""
    counts, store = fleet.counts, fleet.store
    cpu_s = counts.ended_cpu_s + sum(each.cpu_s for each in fleet.control.state())
    stored = STORED.search(fleet.counted_store.info("memory"))
    return Spent(
        cpu_s, counts.cold_starts, store.requests, store.commands, store.bytes_in, store.bytes_out,
        stored_bytes=int(stored[1]) if stored else 0,
        generator_cpu_s=time.process_time(),
    )  # fmt: skip


async def _sample(fleet: Fleet, samples: Samples) -> None:
    while True:
        samples.note(await fleet.state())
        await asyncio.sleep(SAMPLE_S)


@asynccontextmanager
async def _past_instances(fleet: Fleet) -> AsyncIterator[Store]:
    """Yield the fleet's store past the network and without an instance."""
    variables = {"UPSTASH_REDIS_REST_URL": fleet.store_url, "UPSTASH_REDIS_REST_TOKEN": fleet.store_token}
    store = Store(read_settings(variables))
    try:
        yield store
    finally:
        await store.close()


async def _documents(store: Store) -> dict[str, int]:
    """Return how many documents were read from each tier, as all instances have handed over."""
    text = exposition(await read_fleet(store)).decode()
    return {
        labels["tier"]: int(value) for labels, value in samples_of(text, "warmthread_document_reads_total") if value
    }


def _naive_lag(said: Mapping[str, str]) -> Late:
    """Return what the instances of the baseline said last of their loops."""
    found = Late()
    for each in said.values():
        looks, late, max_ms = each.split(";")
        found = Late(found.looks + int(looks), found.late + int(late), max(found.max_ms, float(max_ms)))
    return found
