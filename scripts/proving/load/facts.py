"""
What a result has to name to be compared with another: the commit, the machine, the versions.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.measuring.environment import ROOT


def facts() -> dict[str, Any]:
    """Return them. Nothing in it names a person or a place in the file system."""
    return {
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "is_clean": not _git("status", "--porcelain", "--untracked-files=no"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _first_of("/proc/cpuinfo", "model name") or platform.processor(),
            "processors": os.cpu_count(),
            "memory_bytes": 1_024 * int((_first_of("/proc/meminfo", "MemTotal") or "0").split()[0]),
            "system": f"{platform.system()} {platform.release()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "python": platform.python_version(),
    }


def _git(*arguments: str) -> str:
    try:
        # Ctrl-C in a terminal reaches the whole process group, and what is partial names its commit as well.
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True, start_new_session=True
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _first_of(file: str, name: str) -> str:
    """Return the value of the first line of *file* that begins with *name*, nothing where there is none."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
