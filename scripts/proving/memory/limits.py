"""
A real limit on what one process may hold: a cgroup of its own (v1 or v2) where one can be made, else RLIMIT_DATA.

    with limited(limit_bytes) as limit:
        Popen([*limit.prefix, "python", …])        starts inside
        limit.counters()                           what the kernel says of it
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")
REMOVE_TIMEOUT_S = 5.0

JOIN = 'echo $$ > "$0"/cgroup.procs && exec "$@"'
"""The process is in the group before it has its own memory."""


class CannotLimit(Exception):
    """No such group can be made here."""


@dataclass(frozen=True)
class Limit:
    """*name* says of which kind it is; *variables* are settings that tell the process what it cannot see for itself."""

    name: str
    prefix: list[str]
    group: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    def counters(self) -> dict[str, int]:
        """Return `oom_kill`, `hits` (how often the limit was met, and memory had to be reclaimed) and `peak_bytes`."""
        if self.group is None:
            return {}
        if (self.group / "memory.events").exists():
            events = _pairs(self.group / "memory.events")
            peak = self.group / "memory.peak"
            return {
                "oom_kill": events["oom_kill"],
                "hits": events["max"],
                "peak_bytes": int(peak.read_text()) if peak.exists() else 0,
            }
        return {
            "oom_kill": _pairs(self.group / "memory.oom_control").get("oom_kill", 0),
            "hits": int((self.group / "memory.failcnt").read_text()),
            "peak_bytes": int((self.group / "memory.max_usage_in_bytes").read_text()),
        }


@contextlib.contextmanager
def limited(limit_bytes: int) -> Iterator[Limit]:
    """Make the limit for this block; the processes in it have to have ended with it."""
    for make in (_v1, _v2):
        try:
            group = make(limit_bytes)
        except (CannotLimit, OSError):
            continue
        try:
            kind = "v1" if make is _v1 else "v2"
            yield Limit(f"cgroup {kind}", ["sh", "-c", JOIN, str(group)], group)
        finally:
            _remove(group)
        return
    known = {"WARMTHREAD_MEMORY_BYTES_MAX": str(limit_bytes)}
    yield Limit("RLIMIT_DATA", ["sh", "-c", f'ulimit -d {limit_bytes // 1024} && exec "$0" "$@"'], None, known)


def _v1(limit_bytes: int) -> Path:
    if not (V1 / "memory.limit_in_bytes").exists():
        raise CannotLimit
    group = V1 / f"warmthread-{os.getpid()}"
    group.mkdir()
    return _set(group, {"memory.limit_in_bytes": limit_bytes})


def _v2(limit_bytes: int) -> Path:
    if not (V2 / "cgroup.controllers").exists():
        raise CannotLimit
    group = V2 / f"warmthread-{os.getpid()}"
    group.mkdir()
    return _set(group, {"memory.max": limit_bytes, "memory.swap.max": 0})


def _set(group: Path, values: Mapping[str, int]) -> Path:
    """Write *values* and return *group*; raises OSError, and it is gone again."""
    try:
        for name, value in values.items():
            if (group / name).exists() or name != "memory.swap.max":
                (group / name).write_text(str(value))
    except OSError:
        group.rmdir()
        raise
    return group


def _remove(group: Path) -> None:
    """A group can be removed once the kernel has done with what was in it. Raises OSError: it is still in use."""
    give_up_at_s = time.monotonic() + REMOVE_TIMEOUT_S
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > give_up_at_s:
                raise
            time.sleep(0.05)  # The kernel takes a process out of its group some time after it ended.


def _pairs(file: Path) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}
