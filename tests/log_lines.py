"""What the service writes into its log, as a test reads it."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
from _pytest.capture import CaptureIO

Line = dict[str, Any]

WAIT_S = 10.0


class LogLines:
    """What is written to standard output while pytest captures it."""

    def __init__(self) -> None:
        self._begun_at = datetime.now(UTC) - timedelta(milliseconds=1)  # Of which lines know no part.

    @property
    def text(self) -> str:
        return cast(CaptureIO, sys.stdout).getvalue()  # Not taken away: instances in other threads are writing.

    def lines(self, is_wanted: Callable[[Line], object] = lambda line: True) -> list[Line]:
        """Return the lines so far, those that are wanted; each has to be an object of its own."""
        return [line for written in self.text.splitlines() if is_wanted(line := orjson.loads(written))]

    def messages(self, prefix: str = "") -> list[str]:
        """Return the messages that begin with *prefix*, without it."""
        found = (line["message"] for line in self.lines())
        return [each.removeprefix(prefix) for each in found if each.startswith(prefix)]

    def requests(self, least: int = 0) -> list[Line]:
        """
        Return the lines of requests that began since this was made, one for each; once there are *least*, for a line
        comes after its answer.
        """
        return self.wait_for(least, self._began_since)

    def _began_since(self, line: Line) -> bool:
        """Tell whether *line* is of a request that began since: that of one before may come only now."""
        if "duration_ms" not in line:
            return False
        return datetime.fromisoformat(line["time"]) - timedelta(milliseconds=line["duration_ms"]) >= self._begun_at

    def wait_for(self, least: int, is_wanted: Callable[[Line], object]) -> list[Line]:
        """Return the lines that are wanted, once there are *least* of them."""
        give_up_at_s = time.monotonic() + WAIT_S
        while len(found := self.lines(is_wanted)) < least:
            assert time.monotonic() < give_up_at_s, f"{len(found)} of {least} lines"
            time.sleep(0.002)
        return found
