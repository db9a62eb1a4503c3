"""
The function in a process of its own, started from a folder of sources or of an unpacked zip, as Lambda starts it: it
imports the handler, then takes one event after another. What Lambda's own client of its runtime does around that is
not played: its import, and a request over loopback for each event.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0

RUNTIME = """
import json, os, sys
said = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # Where the log goes.
from aws.handler import handler
class Context:
    aws_request_id = "8f507cfc-0a5b-4b0e-9c1f-5d6a4f0e1a2b"
    def get_remaining_time_in_millis(self): return 60_000
print("started", file=said, flush=True)
for line in sys.stdin:
    print(json.dumps(handler(json.loads(line), Context()), ensure_ascii=False), file=said, flush=True)
"""


class Invoked:
    """A function that has started. Raises OSError where it says nothing within TIMEOUT_S, or ends."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        if self._line() != "started":
            raise OSError("the function did not start")

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return what the function returns for *event*."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], TIMEOUT_S)[0]:
            raise OSError(f"the function said nothing in {TIMEOUT_S:.0f} s")
        if not (line := self._process.stdout.readline()):
            raise OSError("the function ended")
        return line.rstrip("\n")


@contextlib.contextmanager
def invoked(folder: Path, variables: Mapping[str, str]) -> Iterator[Invoked]:
    """Run the function in *folder* with *variables* besides ours; killed when the block ends. Raises OSError."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNTIME],
        cwd=folder, env={**os.environ, **variables},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process:
        try:
            yield Invoked(process)
        finally:
            process.kill()
