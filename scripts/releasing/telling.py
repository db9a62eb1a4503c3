"""
What a release says: a line a step on the terminal, how far a wait is, and a JSON object a line in a file.

No secret that it knows of is in any of them, whatever text it is given.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

HIDDEN = "[secret]"
SECRET_CHARS_MIN = 4
"""A shorter text is none, and would be hidden in every word."""
PLAIN_EVERY_S = 30.0
TERMINAL_EVERY_S = 0.2


class Telling:
    """Tells on *out*, and in the file *log* if there is one: appended to, a line at a time."""

    def __init__(self, secrets: Iterable[str], log: Path | None = None, out: IO[str] | None = None) -> None:
        """Raises OSError: *log* cannot be written."""
        self._secrets = sorted({each for each in secrets if len(each) >= SECRET_CHARS_MIN}, key=len, reverse=True)
        self._log = open(log, "a", encoding="utf-8") if log is not None else None  # noqa: SIM115  # until `close`.
        self._out = out or sys.stdout
        self._is_terminal = self._out.isatty()
        self._line_is_open = False
        self._shown_at_s = -PLAIN_EVERY_S

    def close(self) -> None:
        self._end_line()
        if self._log is not None:
            self._log.close()

    def __call__(self, event: str, text: str, **facts: Any) -> None:
        """Say *text*; the log has *event* and *facts* besides."""
        self._end_line()
        print(self._clean(text), file=self._out, flush=True)
        self.note(event, text=text, **facts)

    def note(self, event: str, **facts: Any) -> None:
        """Write it into the log alone."""
        if self._log is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._log.write(self._clean(json.dumps({"at": now, "event": event, **facts}, default=str)) + "\n")
        self._log.flush()

    def progress(self, text: str) -> None:
        """Say how far a wait is: on a terminal in one line that changes, else now and then."""
        now_s = time.monotonic()
        if now_s - self._shown_at_s < (TERMINAL_EVERY_S if self._is_terminal else PLAIN_EVERY_S):
            return
        self._shown_at_s = now_s
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1  # A line that wraps could not be taken back.
            print(f"\r\x1b[K{self._clean(text)[:width]}", end="", file=self._out, flush=True)
            self._line_is_open = True
        else:
            print(self._clean(text), file=self._out, flush=True)

    def _end_line(self) -> None:
        if self._line_is_open:
            print("\r\x1b[K", end="", file=self._out)
            self._line_is_open = False

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text
