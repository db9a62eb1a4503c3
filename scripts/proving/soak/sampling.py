"""
One look at the instances and at the store: memory, descriptors, threads, from /proc; keys and bytes, from Valkey.
"""

import os
import re
from pathlib import Path
from typing import Any

from scripts.platform.client import InstanceState
from scripts.platform.fleet import Fleet
from scripts.proving.soak.leak import LEAKING
from scripts.proving.soak.plan import LASTING

JUDGED = ("/api/conversations", "/api/usage")
"""Functions that have enough requests to be judged by."""

KEYS = re.compile(r"^db\d+:keys=(\d+)", re.MULTILINE)
BYTES = re.compile(r"^used_memory:(\d+)", re.MULTILINE)


def lives_through(instance: InstanceState) -> bool:
    """Tell whether it lives through all of the soak."""
    return instance.function in JUDGED and instance.number <= LEAKING


def look(fleet: Fleet) -> dict[str, Any]:
    """Return what is seen now."""
    state, info = fleet.control.state(), fleet.counted_store.info("memory", "keyspace")
    held = BYTES.search(info)
    return {
        "keys": sum(map(int, KEYS.findall(info))),
        "bytes": int(held[1]) if held else 0,
        "instances": [_of(each) for each in state if each.phase == "ready"],
    }


def _of(instance: InstanceState) -> dict[str, Any]:
    descriptors, threads = _counts(instance.pid)
    return {
        "name": f"{instance.function}#{instance.number}",
        "lasts": lives_through(instance) and instance.number <= LASTING,
        "leaks": lives_through(instance) and instance.number == LEAKING,
        "requests": instance.requests,
        "resident_bytes": instance.resident_bytes,
        "descriptors": descriptors,
        "threads": threads,
        "cpu_s": round(instance.cpu_s, 2),
    }


def _counts(pid: int) -> tuple[int, int]:
    """Return how many descriptors and threads a process has, 0 where that cannot be told."""
    try:
        folder = Path(f"/proc/{pid}")
        return len(os.listdir(folder / "fd")), int((folder / "stat").read_text().rpartition(")")[2].split()[17])
    except OSError:
        return 0, 0
