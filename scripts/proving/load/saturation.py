"""
How many turns a second a design takes before their p95 passes 250 ms: rates are raised, then the last gap is halved.

Generator, store and instances share the machine's processors: it is where this machine ends, which a ratio of two
designs on it says more about than the figure alone. No instance's life ends meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from scripts.measuring.tables import percentile
from scripts.platform.fleet import Fleet
from scripts.proving.load.openloop import OpenLoop
from scripts.proving.load.plan import NAIVE, Options
from scripts.proving.load.schedule import LEAD_S, Mix, schedule
from scripts.proving.load.traces import Arrival, piece
from scripts.proving.load.wire import Wire

P95_MS = 250.0
FIRST = 4.0
"""Turns a second of the first step."""

FACTOR = 1.6
HALVINGS = 2
WARM_UP = 0.25
"""This part of a step is not counted."""


class Rate(NamedTuple):
    """A step: turns a second that were offered, their p95, and those without a good answer."""

    turns_s: float
    p95_ms: float
    errors: int

    @property
    def is_kept(self) -> bool:
        return self.p95_ms <= P95_MS and not self.errors


class Found(NamedTuple):
    """The steps, in their order."""

    rates: list[Rate]

    def as_json(self) -> dict[str, Any]:
        kept = [each.turns_s for each in self.rates if each.is_kept]
        passed = [each.turns_s for each in self.rates if not each.is_kept]
        return {
            "p95_ms": P95_MS,
            "kept_turns_s": round(max(kept), 2) if kept else None,
            "passed_turns_s": round(min(passed), 2) if passed else None,
            "steps": [each._asdict() for each in self.rates],
        }


async def search(
    fleet: Fleet,
    trace: list[Arrival],
    wire: Wire,
    options: Options,
    design: str,
    found: Found,
    tell: Callable[[str, int, int], None],
) -> None:
    """Offer rate after rate, and note each in *found*."""
    low, high, rate, halved = 0.0, 0.0, FIRST, 0
    for number in range(options.steps_max):
        step = await _offer(fleet, trace, wire, options, design, rate, number, tell)
        found.rates.append(step)
        if step.is_kept:
            low = rate
        else:
            high = rate
        if not high:
            rate *= FACTOR
        elif halved < HALVINGS and low:
            halved += 1
            rate = (low * high) ** 0.5
        else:
            return


async def _offer(
    fleet: Fleet,
    trace: list[Arrival],
    wire: Wire,
    options: Options,
    design: str,
    rate: float,
    number: int,
    tell: Callable[[str, int, int], None],
) -> Rate:
    """Offer *rate* turns a second for a step."""
    mean = len(trace) / max(trace[-1].at_s, 1.0)
    speed = rate / mean
    arrivals = piece(trace, (options.seed, "rate", number), options.step_s * speed)
    steps = [
        each for each in schedule(arrivals, speed, options.seed, Mix(document_share=0)) if each.at_s <= options.step_s
    ]
    loop = OpenLoop(fleet.url, fleet.key, wire, steps, is_naive=design == NAIVE)
    await loop.run(lambda sent: tell(f"{rate:.1f} turns a second, {design}", sent, len(steps)))
    begin_s = LEAD_S / speed + WARM_UP * options.step_s
    turns = [each for each in loop.answers if each.kind == "turn" and each.due_s >= begin_s]
    # Where nothing was answered, nothing was kept.
    errors = sum(each.status not in (200, 404) for each in loop.answers) or int(not turns)
    await asyncio.sleep(0.5)  # What is done after the last answers belongs to this step.
    return Rate(rate, percentile([each.latency_ms for each in turns], 0.95) if turns else 0.0, errors)
