"""
Whether all that must pass has passed on a commit: by the note of an earlier run here, or by running it now.

What must pass is what CI runs, `.ci/run`. A note is a file below `.warmthread/`, named for the commit; it is made only
when that run ended well and the tree still held that commit.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

COMMAND = ".ci/run"
NOTES = Path(".warmthread/green")
RUN_S_MAX = 5_400
STOP_S = 30


class Red(Exception):
    """It did not pass; the text says how it ended."""


class Note(NamedTuple):
    """That *command* ended well on *commit*: when, how long it took, under which Python."""

    commit: str
    command: str
    ended_at: str
    duration_s: int
    python: str


def note_of(root: Path, commit: str) -> Note | None:
    """Return the note of *commit*, None where there is none that can be read."""
    try:
        return Note(**json.loads((root / NOTES / commit).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def run(root: Path) -> int:
    """Run all that must pass, with its output as it comes; return how long it took, in seconds. Raises Red."""
    began_at_s = time.monotonic()
    # A session of its own: what it starts is ended with it, whatever ends this.
    process = subprocess.Popen([str(root / COMMAND)], cwd=root, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        status = process.wait(RUN_S_MAX)
    except subprocess.TimeoutExpired:
        raise Red(f"{COMMAND} took over {RUN_S_MAX // 60} minutes") from None
    finally:
        if process.poll() is None:
            _end(process)
    if status != 0:
        raise Red(f"{COMMAND} ended with status {status}")
    return round(time.monotonic() - began_at_s)


def keep_note(root: Path, commit: str, duration_s: int) -> None:
    """Write down that *commit* passed. One that is half written is none."""
    ended_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    python = ".".join(map(str, sys.version_info[:3]))
    folder = root / NOTES
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{commit}.{os.getpid()}"
    new.write_text(json.dumps(Note(commit, COMMAND, ended_at, duration_s, python)._asdict()) + "\n")
    new.replace(folder / commit)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what was started, and all that it started: asked first, for it cleans up."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
