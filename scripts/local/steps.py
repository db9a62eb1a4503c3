"""
Tells a person how far a program of several steps is: which step, what it says, how long it takes.

    [2/3] getting uv==0.13.9 … 5 s

A terminal sees the seconds run; a log gets a line when a step begins that takes longer than a moment, and one at
its end. Standard library only: it runs before anything is installed.
"""

import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

LINES_KEPT = 12
TICK_S = 0.5
LOG_AFTER_S = 2.0
WIDTH = 79
NOTHING = re.compile(r"(?!)")


class StepFailed(Exception):
    """A step could not do its work; the text is what it said last."""


class Steps:
    """*total* steps, one after another, told on standard error."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._number = 0

    def skip(self) -> None:
        """Count a step that has nothing to do."""
        self._number = min(self._number + 1, self._total)

    def run(
        self, title: str, command: Sequence[str], environ: Mapping[str, str], telling: re.Pattern[str] = NOTHING
    ) -> None:
        """Run *command* to its end; what *telling* finds in its lines is shown. Raises StepFailed."""
        self.skip()
        with _Line(f"[{self._number}/{self._total}] {title}") as line:
            try:
                process = subprocess.Popen(
                    command,
                    env=dict(environ),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
            except OSError as exc:
                raise StepFailed(f"could not run {command[0]}: {exc.strerror}") from exc
            last: deque[str] = deque(maxlen=LINES_KEPT)
            with process:
                try:
                    assert process.stdout is not None
                    for text in process.stdout:
                        last.append(text.rstrip())
                        if found := telling.search(text):
                            line.says = found[0]
                except BaseException:  # Ctrl-C as well: what was started must not outlive it.
                    process.terminate()
                    raise
            if process.returncode != 0:
                raise StepFailed("\n".join(last) or f"{command[0]} ended with {process.returncode}")


class _Line:
    """One line of standard error; on a terminal it is written again every half second."""

    def __init__(self, head: str) -> None:
        self.says = ""
        self._head = head
        self._begun_at_s = time.monotonic()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "_Line":
        self._ticker.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        self._ticker.join()
        print(f"\r{self._text():<{WIDTH}}" if sys.stderr.isatty() else self._text(), file=sys.stderr, flush=True)

    def _tick(self) -> None:
        if not sys.stderr.isatty():
            if not self._ended.wait(LOG_AFTER_S):
                print(f"{self._head} …", file=sys.stderr, flush=True)
            return
        while not self._ended.wait(TICK_S):
            print(f"\r{self._text():<{WIDTH}}", end="", file=sys.stderr, flush=True)

    def _text(self) -> str:
        seconds = f" … {time.monotonic() - self._begun_at_s:.0f} s"
        says = f": {self.says}" if self.says else ""
        return (self._head + says)[: WIDTH - len(seconds)] + seconds
