"""
The wall clock of an instance runs faster; what imports this before everything else has it (`prelude` of a deployment).

Ages and moments follow it: `time.time` and `time.time_ns`, so also the ages of `shared/process/clock.py`, which takes
the larger of wall and monotonic clock. Timeouts and deadlines do not: the monotonic clock and `datetime.now` are real.
"""

import os
import time

from scripts.faults.compression import Compression

VARIABLE = "FLEET_CLOCK"


def variables(clock: Compression) -> dict[str, str]:
    """Return what a deployment has in its environment for this."""
    return {VARIABLE: " ".join(map(repr, clock))}


def set_clock() -> None:
    clock, real = Compression(*map(float, os.environ[VARIABLE].split())), time.time
    time.time = lambda: clock.at(real())
    time.time_ns = lambda: int(time.time() * 1e9)


if VARIABLE in os.environ:
    set_clock()
