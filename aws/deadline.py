"""
Until when an invocation of Lambda may run: its own end, or when what carries its answer would give up, if that is
sooner.
"""

import math
import time
from typing import Protocol

from shared.request.deadline import Deadlines


class LambdaContext(Protocol):
    """What of Lambda's context object is read."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still run."""


class LambdaDeadlines(Deadlines):
    """The deadlines of an instance that has one invocation at a time."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._cut_at_s = math.inf

    def begin(self, context: LambdaContext, carrier_s: float) -> None:
        """An invocation begins; *carrier_s*: after so long its caller is told that there is no answer."""
        remaining_s = context.get_remaining_time_in_millis() / 1_000
        self._cut_at_s = time.monotonic() + min(remaining_s, carrier_s)

    def cut_at_s(self) -> float:
        return self._cut_at_s
