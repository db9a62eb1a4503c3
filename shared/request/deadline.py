"""
Until when an invocation may run, so that it answers before the platform cuts it off with an answer of its own.

    the platform's deadline, where its runtime tells it
    else Settings.max_duration_s from its arrival, less what a cold start had used before

The store is not waited for in the last STORE_MARGIN_S, the answer is on its way ANSWER_MARGIN_S before the cut, and
work for after the response is left out when less than SHED_S remains.
"""

import sys
import time
from datetime import UTC, datetime
from typing import Any

STORE_MARGIN_S = 0.5
ANSWER_MARGIN_S = 0.3
SHED_S = 1.0

COLD_START_S_MAX = 10.0
"""An instance that was started ahead of its first request has not used up that request's time."""

STARTED_AT_S = time.monotonic() - time.process_time()
"""About when this process began: it cannot be younger than the processor time it has used."""


class Deadlines:
    """The deadlines of one instance's invocations; the first of them may have begun before the instance."""

    def __init__(self, max_duration_s: float, started_at_s: float = STARTED_AT_S) -> None:
        self._max_duration_s = max_duration_s
        self._started_at_s: float | None = started_at_s

    def cut_at_s(self) -> float:
        """Return when the platform would cut an invocation that arrives now, on the monotonic clock."""
        now_s = time.monotonic()
        used_s = 0.0
        if self._started_at_s is not None:
            used_s = min(now_s - self._started_at_s, COLD_START_S_MAX)
            self._started_at_s = None
        deadline = platform_deadline()
        if deadline is not None:
            return now_s + (deadline - datetime.now(UTC)).total_seconds()
        return now_s + self._max_duration_s - used_s


def platform_deadline() -> datetime | None:
    """Return what Vercel's runtime says of this invocation; elsewhere, and where it does not say, None."""
    # The launcher has loaded it before any function; loading it elsewhere would only cost time.
    runtime: Any = sys.modules.get("vercel_runtime")
    deadline: datetime | None = runtime.get_deadline() if runtime is not None else None
    return deadline
