"""Why a command has no result: what the parts of the client tell each other, and what callers are told."""

import math
from enum import Enum

from shared.errors import StoreFull, StoreUnavailable

RETRY_AFTER_S = 1
"""What a caller is told to wait when nothing better is known."""

FULL_RETRY_AFTER_S = 60
"""The same where there is no room: somebody has to make it."""


class Sign(Enum):
    """What a failure says about the store itself."""

    AWAY = "away"  # Not reached, or it answered as no store does.
    THERE = "there"  # It answered, and refused.
    NONE = "none"  # It was not asked, or not given the time to answer.


class Failure(Exception):
    """
    A command has no result; `outcome_unknown`: it may have been carried out all the same, whole or half. `is_full`: the
    store has no room for it.
    """

    def __init__(
        self,
        reason: str,
        *,
        outcome_unknown: bool,
        sign: Sign,
        wait_s: float = RETRY_AFTER_S,
        is_full: bool = False,
    ) -> None:
        super().__init__(reason)
        self.outcome_unknown = outcome_unknown
        self.sign = sign
        self.wait_s = wait_s
        self.is_full = is_full

    def after(self, first: "Failure") -> "Failure":
        """Return this failure of what was sent once more because of the *first*: either may have been carried out."""
        is_unknown = self.outcome_unknown or first.outcome_unknown
        return Failure(str(self), outcome_unknown=is_unknown, sign=self.sign, wait_s=self.wait_s, is_full=self.is_full)

    def for_caller(self, *, is_read: bool) -> StoreUnavailable:
        """Return the error for one caller. A read stores nothing whatever became of it."""
        is_open = self.outcome_unknown and not is_read
        known = "It is not known whether anything was stored." if is_open else "Nothing was stored."
        error: StoreUnavailable
        if self.is_full:
            error = StoreFull(
                f"The store has no room for this. {known}",
                retry_after_s=FULL_RETRY_AFTER_S,
                outcome_unknown=is_open,
            )
        else:
            error = StoreUnavailable(
                f"The store did not answer as it should. {known}",
                retry_after_s=max(RETRY_AFTER_S, math.ceil(self.wait_s)),
                outcome_unknown=is_open,
            )
        error.__cause__ = self
        return error
