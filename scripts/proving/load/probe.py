"""
How late this machine lets a process run that only sleeps: what no service on it can be blamed for.

    python -m scripts.proving.load.probe     looks every 5 ms until its standard input ends, then says what it saw
"""

import json
import select
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from scripts.measuring.environment import ROOT
from scripts.proving.load.figures import LATE_MS, Late

LOOK_S = 0.005
END_TIMEOUT_S = 5.0


def watch() -> Late:
    """Return what was seen until the standard input ended."""
    looks = late = 0
    max_ms = 0.0
    while True:
        due_s = time.monotonic() + LOOK_S
        ended, _, _ = select.select([sys.stdin], [], [], LOOK_S)
        if ended:
            return Late(looks, late, max_ms)
        late_ms = max(0.0, time.monotonic() - due_s) * 1_000
        looks += 1
        late += late_ms > LATE_MS
        max_ms = max(max_ms, late_ms)


class Probe:
    """The probe as a process of its own, for a block; `seen` afterwards."""

    def __init__(self) -> None:
        self.seen = Late()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "scripts.proving.load.probe"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, start_new_session=True
        )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            said, _ = self._process.communicate(timeout=END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
        if said:
            self.seen = Late(*json.loads(said))


if __name__ == "__main__":
    print(json.dumps(watch()))
