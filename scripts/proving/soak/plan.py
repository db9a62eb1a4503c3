"""
What a soak consists of: how long, what it stands for, which instances, at which rate.
"""

from dataclasses import dataclass
from pathlib import Path

from scripts.faults.compression import Compression
from scripts.platform.compressed import variables
from scripts.platform.settings import ROOT, Deployment, FleetSettings
from scripts.proving.soak.leak import LEAK_VARIABLE, LEAKING

DAY_S = 86_400.0
DAYS_MIN = 3.0
"""What is forgotten is forgotten after a day, and shrinks with the sweep of the day after: fewer days show no level."""

WARM_UP = 0.4
"""Of the whole time, before which nothing is judged: 2.8 of 7 days. Whatever ends by itself has begun to end."""

WARM_UP_REQUESTS = 300
"""
And before an instance has answered so many: what it loads once is loaded, and what it remembers is full, which 64 KiB
are in 280 requests. More would leave a run of four minutes too few to tell growth from a level that wanders.
"""

SAMPLES = 400
SAMPLE_S_MIN = 0.5
LASTING = LEAKING - 1
"""Instances of each function that live through all of it and are judged; one more does, in which a leak is planted."""

LIVES_S = 4 * 3_600.0
LIVES_REAL_S_MIN = 15.0
"""How long the last instance of each function lives on average, so that others are cold starts all the time."""

L1_BYTES, DOCUMENTS_L1_BYTES = 65_536, 16_384
"""
What instances may remember: little enough to be full before anything is judged. Agents put little there, 35 kB in the
first 280 requests of an instance: 1 MiB fills for 5,000 and more, by some 150 bytes a request.
"""


@dataclass(frozen=True)
class Options:
    """
    What is asked for. *rate*: requests a second on the clock on the wall. *leak_bytes*: what one instance of each
    function keeps of a request, so that it shows whether a leak would be seen; 0: none does.
    """

    seed: int = 1
    seconds: float = 1_200.0
    days: float = 7.0
    rate: float = 45.0
    delay_s: float = 0.005
    leak_bytes: int = 1_000

    @property
    def factor(self) -> float:
        return self.days * DAY_S / self.seconds

    @property
    def sample_s(self) -> float:
        return max(SAMPLE_S_MIN, self.seconds / SAMPLES)

    @property
    def warm_up_s(self) -> float:
        return WARM_UP * self.seconds

    @property
    def life_s(self) -> float:
        return max(LIVES_REAL_S_MIN, LIVES_S / self.factor)


def deployment(options: Options, clock: Compression, documents: Path) -> Deployment:
    environment = {
        "WARMTHREAD_DOCUMENTS_URL": f"file://{documents}",
        "WARMTHREAD_LOG_LEVEL": "error",
        "WARMTHREAD_L1_BYTES_MAX": str(L1_BYTES),
        "WARMTHREAD_DOCUMENT_L1_BYTES_MAX": str(DOCUMENTS_L1_BYTES),
        LEAK_VARIABLE: str(options.leak_bytes),
    }
    return Deployment("dpl_soak", ROOT, environment | variables(clock), "scripts.proving.soak.prelude")


def fleet_settings(options: Options) -> FleetSettings:
    """All instances run from the start, and each request goes to any of them; the soak ends those that do not last."""
    count = LEAKING + 1
    return FleetSettings(
        seed=options.seed, instances_min=count, instances_max=count, routing="random", delay_s=options.delay_s
    )
