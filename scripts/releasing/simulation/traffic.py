"""
Who asks: clients that send several requests at once, to one side, on instances that live for minutes.

A side's instances are slots, each of which has one instance after the other; a large burst may start one more. So how
many first requests there are follows from the share of the traffic: a tenth of it still needs an instance.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LIFE_S = (180.0, 600.0)
"""How long an instance lives, evenly drawn."""

REQUESTS_PER_S = 25.0
"""What an instance answers before there is another one."""

LARGE_BURST = 12
EXTRA_START_SHARE = 0.3
EXTRA_LIFE_S = (60.0, 180.0)
HOST_SPREAD = 0.04
"""By what the machines that instances run on differ: the deviation of the logarithm of their speed."""

RESIDENT_NOISE_BYTES = 1_500_000.0
BURST_MAX = 200

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


@dataclass(slots=True)
class Instance:
    """What an instance has left to live, the speed of its host, how often it answered, and where its memory stands."""

    left_s: float
    speed: float
    answered: int = 0
    level_bytes: float = 0.0


class Requests(NamedTuple):
    """
    What a side gets in an interval: arrays of one entry a request, in the order in which instances get them, and the
    *burst* that each came with; *instances* are those of *instance*.
    """

    instance: Whole
    age: Whole
    burst: Whole
    bursts: int
    instances: list[Instance]


@dataclass(slots=True)
class Side:
    """The instances of a deployment."""

    life: float
    rng: np.random.Generator
    slots: list[Instance] = field(default_factory=list)
    extras: list[Instance] = field(default_factory=list)

    def requests(self, rate: float, interval_s: float, burst: float) -> Requests:
        """Return what comes in *interval_s* at *rate* requests a second, about *burst* of them at once."""
        rng = self.rng
        count = int(rng.poisson(rate * interval_s / burst))
        sizes = np.minimum(rng.geometric(1 / burst, count), BURST_MAX)
        instances, lasted = self._lived(rate, interval_s)
        at = rng.choice(len(instances), count, p=np.array(lasted) / sum(lasted))
        for number in np.flatnonzero(sizes >= LARGE_BURST):
            if rng.random() < EXTRA_START_SHARE:
                self.extras.append(self._instance(EXTRA_LIFE_S))
                instances.append(self.extras[-1])
                at[number] = len(instances) - 1
        order = np.argsort(at, kind="stable")
        instance = np.repeat(at[order], sizes[order])
        counts = np.bincount(instance, minlength=len(instances))
        before = np.array([each.answered for each in instances])
        begins = np.cumsum(counts) - counts
        age = before[instance] + np.arange(len(instance)) - begins[instance] + 1
        for each, more in zip(instances, counts, strict=True):
            each.answered += int(more)
        return Requests(instance, age, np.repeat(np.arange(count), sizes[order]), count, instances)

    def _lived(self, rate: float, interval_s: float) -> tuple[list[Instance], list[float]]:
        """Return the instances of an interval, each once, and for how long each lived in it."""
        wanted = 1 + int(rate / REQUESTS_PER_S)
        while len(self.slots) < wanted:
            self.slots.append(self._instance(LIFE_S, is_running=True))
        del self.slots[wanted:]
        found, lasted = list(self.extras), [min(each.left_s, interval_s) for each in self.extras]
        for each in self.extras:
            each.left_s -= interval_s
        self.extras = [each for each in self.extras if each.left_s > 0]
        for slot in range(wanted):
            left_s = interval_s
            while left_s > 0:
                own = self.slots[slot]
                part_s = min(left_s, own.left_s)
                found.append(own)
                lasted.append(part_s)
                own.left_s -= part_s
                left_s -= part_s
                if own.left_s <= 0:
                    self.slots[slot] = self._instance(LIFE_S)
        return found, lasted

    def _instance(self, life_s: tuple[float, float], *, is_running: bool = False) -> Instance:
        left_s = self.life * self.rng.uniform(*life_s) * (self.rng.random() if is_running else 1.0)
        return Instance(left_s, float(np.exp(self.rng.normal(0, HOST_SPREAD))))
