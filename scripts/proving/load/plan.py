"""
What a load consists of: which stretches of which trace, how fast, before which instances, on which designs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from scripts.platform.settings import Deployment, FleetSettings
from scripts.proving.load.schedule import Step, schedule
from scripts.proving.load.traces import Arrival, piece

ROOT = Path(__file__).parents[3]
OURS, NAIVE, SESSIONS = "warmthread", "naive", "sessions"
RIVALS = {NAIVE: ROOT / "scripts" / "proving" / "baseline", SESSIONS: ROOT / "scripts" / "proving" / "sessions"}
"""Designs beside ours -> what their instances run."""

DESIGNS = (OURS, NAIVE)
STEADY_DESIGNS = (*DESIGNS, SESSIONS)
"""Of joined dialogues on instances that stay: the store of sessions knows no documents, which the trace has."""

FULL_S = {1: 720.0, 3: 360.0, 10: 240.0}
"""Speed -> how long the trace runs at it, on the clock on the wall."""

SHORT_SPEED = 10.0
STEPS_FROM_S = 200.0
HAND_OVER_S = 10.0
"""How often instances hand over what they counted, of the trace's time; the service's default."""

FRESH_S = 60.0
"""How long a document is taken for fresh without a look at its source; of the trace's time, the service's default."""


@dataclass(frozen=True)
class Options:
    """What is asked for. Times but *delay_s* are the trace's, so they are divided by the speed."""

    seed: int = 1
    budget: int = 8_000
    delay_s: float = 0.005
    life_s: float = 120.0
    idle_s: float = 300.0
    instances_max: int = 4
    concurrency: int = 10
    slices: Mapping[float, float] | None = None
    """Speed -> seconds on the wall, for each design."""
    joined_s: float = 60.0
    step_s: float = 12.0
    steps_max: int = 10


class Piece(NamedTuple):
    """A stretch that all designs get: *expected_s* on the wall."""

    name: str
    speed: float
    steps: list[Step]
    expected_s: float


def short(seconds: float, options: Options) -> Options:
    """
    Return *options* cut to about *seconds* in all: a stretch for each design, the joined dialogues, two steps; eight
    where that leaves some seconds to each. Stretches that were asked for stay as they are.
    """
    steps, joined, searched = (8, 0.03, 0.09) if seconds >= STEPS_FROM_S else (2, 0.1, 0.12)
    changes = {
        "slices": options.slices or {SHORT_SPEED: 0.25 * seconds},
        "joined_s": joined * seconds,
        "step_s": max(3.0, searched * seconds / steps),
        "steps_max": steps,
    }
    return Options(**{**vars(options), **changes})


def pieces(trace: list[Arrival], options: Options) -> Iterator[Piece]:
    """Return the stretches in their order, two for each speed where that leaves a minute to each."""
    for speed, seconds in (options.slices or FULL_S).items():
        count = 2 if seconds >= 120 else 1
        for number in range(count):
            seed = (options.seed, speed, number)
            arrivals = piece(trace, seed, seconds / count * speed)
            steps = schedule(arrivals, speed, seed)
            yield Piece(f"speed {speed:g}, stretch {number + 1} of {count}", speed, steps, seconds / count)


def order(number: int) -> tuple[str, ...]:
    """Return the order of the designs in stretch *number*: what the machine does meanwhile meets both."""
    return DESIGNS if number % 2 == 0 else DESIGNS[::-1]


def deployment(design: str, speed: float, documents: Path) -> Deployment:
    """Return what instances of *design* run; *documents* is the folder that documents come from."""
    if design in RIVALS:
        return Deployment(f"dpl_{design}", RIVALS[design], {"PYTHONPATH": str(ROOT)})
    environment = {
        "WARMTHREAD_METRICS_FLUSH_S": str(flush_s(speed)),
        "WARMTHREAD_DOCUMENTS_URL": f"file://{documents}",
        "WARMTHREAD_DOCUMENT_FRESH_S": str(max(1, round(FRESH_S / speed))),
        "WARMTHREAD_LOG_LEVEL": "warning",
    }
    return Deployment("dpl_load", ROOT, environment)


def flush_s(speed: float) -> int:
    return max(1, round(HAND_OVER_S / speed))


def fleet_settings(options: Options, speed: float, *, is_spread: bool = False, lives: bool = True) -> FleetSettings:
    """
    Return how the platform behaves at *speed*. *is_spread*: all instances run from the start, and each request goes to
    any of them. Without *lives* none ends.
    """
    return FleetSettings(
        seed=options.seed,
        concurrency=options.concurrency,
        instances_min=options.instances_max if is_spread else 1,
        instances_max=options.instances_max,
        routing="random" if is_spread else "least",
        life_s=options.life_s / speed if lives else 0.0,
        idle_s=options.idle_s / speed,
        delay_s=options.delay_s,
    )
