"""
Programs that a test starts, and what they leave: each process that comes of one has the same folder for temporary files
in its environment, which instances of a fleet have too.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(folder: Path, *command: str) -> "subprocess.Popen[str]":
    """Start `python -m` *command* in a session of its own; *folder* is its mark."""
    temporary = folder / "t"
    temporary.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def left(folder: Path) -> list[str]:
    """Return what is there yet of what was started for *folder*: the commands of processes, and temporary files."""
    mark, found = f"TMPDIR={folder / 't'}\0".encode(), []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (each / "environ").read_bytes():
                found.append((each / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found + [path.name for path in (folder / "t").iterdir()]


def catches(pid: int, number: int) -> bool:
    """Tell whether the process has a handler of its own for the signal *number*."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (number - 1) & 1)


def children_of(pid: int) -> list[int]:
    """Return all that *pid* has started, by any of its threads, and what these have; nothing of one that has ended."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return [each for child in found for each in (child, *children_of(child))]
