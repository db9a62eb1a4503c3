"""
Memory pressure: what this process holds against what its function may, in three steps that do not flap.

    NONE -> HIGH      over 70 %: L1 halves, nothing is fetched ahead
         -> CRITICAL  over 85 %: L1 empties, large bodies are refused

A step is left again 10 points below where it was entered. It is looked at when a request begins, not more often than
LOOK_S: there is no timer in an instance that may be suspended.
"""

import math
import os
import resource
import time
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from pathlib import Path

LOOK_S = 0.02
"""A look takes 5 µs."""

GIVE_BACK_S = 1.0
"""What is freed after L1 shrank is given back as well: answers under way held it until then."""

ENTER = {1: 0.70, 2: 0.85}
LEAVE_BELOW = 0.10

CGROUP_LIMITS = ("/sys/fs/cgroup{}/memory.max", "/sys/fs/cgroup/memory{}/memory.limit_in_bytes")
"""cgroup v2 and v1, behind the path of a group. Without a limit they say `max`, or a number beyond any memory."""

OWN_CGROUPS = Path("/proc/self/cgroup")
"""`<number>:<controllers>:<path>` a line; a path that is not visible from inside of a container names nothing."""

LIMIT_BYTES_MAX = 1 << 50


class Step(IntEnum):
    """How hard memory is pressed."""

    NONE = 0
    HIGH = 1
    CRITICAL = 2


class Pressure:
    """
    The memory of one process, None: not limited. *entered* counts how often each step was entered since the start, from
    either side.
    """

    def __init__(self, limit_bytes: int | None, resident_bytes: Callable[[], int] | None = None) -> None:
        self.limit_bytes = limit_bytes
        self._resident_bytes = resident_bytes or read_resident_bytes
        self._looked_at_s = 0.0
        self._gave_back_at_s = 0.0
        self.step = Step.NONE
        self.headroom_bytes = math.inf
        """What was left at the last look."""
        self.entered = dict.fromkeys(Step, 0)

    def look(self) -> Step:
        """Return the step that holds now."""
        now_s = time.monotonic()
        if self.limit_bytes is not None and now_s - self._looked_at_s >= LOOK_S:
            self._looked_at_s = now_s
            resident_bytes = self._resident_bytes()
            self.headroom_bytes = self.limit_bytes - resident_bytes
            self._take(resident_bytes / self.limit_bytes)
        return self.step

    def is_time_to_give_back(self) -> bool:
        """Tell whether the allocator should be asked now: while memory is pressed, each GIVE_BACK_S."""
        if self.step is Step.NONE or time.monotonic() - self._gave_back_at_s < GIVE_BACK_S:
            return False
        self._gave_back_at_s = time.monotonic()
        return True

    def _take(self, share: float) -> None:
        step = Step.NONE
        for candidate in (Step.HIGH, Step.CRITICAL):
            enter = ENTER[candidate]
            if share > (enter - LEAVE_BELOW if self.step >= candidate else enter):
                step = candidate
        if step is not self.step:
            self.entered[step] += 1
        self.step = step


def cgroup_limits(own: Path = OWN_CGROUPS) -> tuple[str, ...]:
    """Return where limits of this process may stand: those of its own groups, and of what it sees as the root."""
    try:
        groups = [line.rpartition(":")[2] for line in own.read_text().splitlines()]
    except OSError:
        groups = []
    return tuple(
        limit.format(group) for group in {"", *(group.rstrip("/") for group in groups)} for limit in CGROUP_LIMITS
    )


def read_limit_bytes(configured: int, lambda_mb: str, paths: tuple[str, ...]) -> int | None:
    """Return the least of the limits that are known: the setting (0: not set), Lambda's, the cgroup's."""
    limits = [configured] if configured else []
    if lambda_mb.isdigit():
        limits.append(int(lambda_mb) * 1_048_576)
    for path in paths:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return min((limit for limit in limits if 0 < limit < LIMIT_BYTES_MAX), default=None)


def read_resident_bytes() -> int:
    """Return what this process holds in memory; where only the most it ever held is known, that."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def give_back() -> None:
    """Have the allocator give back what it holds for later, where it can: else no step would ever be left."""
    if (trim := _malloc_trim()) is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], object] | None:
    """Return glibc's, None elsewhere. Asked for each time it would leave objects that only a collection finds."""
    import ctypes  # 3 ms that only an instance that gives back has to pay.

    return getattr(ctypes.CDLL(None), "malloc_trim", None)
