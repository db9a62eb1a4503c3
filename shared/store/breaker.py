"""
The breaker: during an outage of the store a call costs microseconds instead of a timeout.

    closed      requests pass; FAILURES_MAX failures without a success between them open it
    open        nothing is sent until a cool-down is over
    half-open   one request, the trial, is let through: its success closes the breaker, its failure starts
                another, longer cool-down

It acts on requests as they come and has no timer, so a suspended instance costs nothing. A trial whose outcome
never becomes known (its caller went away) delays the next one by a cool-down and blocks nothing.
"""

import random
import time
from collections.abc import Callable

from shared.process import log
from shared.store.failure import Sign

FAILURES_MAX = 5
"""Few enough that an outage is noticed within a handful of requests, more than one broken connection brings."""

PLACES_MAX = 1_000
"""As many servers as a cluster may have; of more, what was known first is forgotten."""

COOL_DOWN_FIRST_S, COOL_DOWN_MAX_S = 1.0, 5.0
"""It doubles with each failed trial. With the jitter a cool-down lasts half of it at least, so that the instances
of a fleet do not try at the same moment; the store is in use again at most COOL_DOWN_MAX_S after its return, or
twice that when a trial was under way as it came back."""


class Breaker:
    """The state of one store as this instance sees it; *opened* counts since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, name: str = "store") -> None:
        self._clock = clock
        self._name = name
        self.opened = 0
        self._is_open = self._was_open = False
        self._failures = 0
        self._cool_down_s = COOL_DOWN_FIRST_S
        self._trial_at_s = 0.0
        self._period = 0  # What was sent in an earlier period says nothing about this one.

    def wait_s(self) -> float:
        """Return the time until a request may be sent, 0 when it may be now."""
        return max(0.0, self._trial_at_s - self._clock()) if self._is_open else 0.0

    def was_open(self) -> bool:
        """Tell whether it was open at any time since this was asked last."""
        was_open, self._was_open = self._was_open, self._is_open
        return was_open

    def enter(self) -> int | None:
        """Return a ticket for one request, to be given to `record`; None: it may not be sent."""
        if self._is_open:
            if self.wait_s() > 0:
                return None
            self._start_period()
        return self._period

    def record(self, ticket: int, sign: Sign) -> None:
        """Take note of what became of the request that had *ticket*."""
        if ticket != self._period:
            return
        if sign is Sign.AWAY:
            self._fail()
        elif sign is Sign.THERE:
            self._succeed()

    def _succeed(self) -> None:
        self._failures = 0
        if self._is_open:
            log.warning(f"{self._name}: back, requests pass again")
            self._is_open = False
            self._cool_down_s = COOL_DOWN_FIRST_S

    def _fail(self) -> None:
        self._failures += 1
        if self._is_open:
            self._cool_down_s = min(2 * self._cool_down_s, COOL_DOWN_MAX_S)
        elif self._failures >= FAILURES_MAX:
            log.warning(f"{self._name}: away after {self._failures} failures, requests are kept back for a while")
            self._is_open = self._was_open = True
            self.opened += 1
        else:
            return
        self._start_period()

    def _start_period(self) -> None:
        self._period += 1
        self._trial_at_s = self._clock() + self._cool_down_s * random.uniform(0.5, 1.0)  # noqa: S311  # no secret.


class Breakers:
    """One breaker for each place of a store: a server of a cluster that is away keeps nobody from the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: dict[str, Breaker] = {}
        self._forgotten = 0

    def at(self, place: str) -> Breaker:
        """Return the breaker of *place*, "" where a store has but one."""
        found = self._at.get(place)
        if found is None:
            if len(self._at) == PLACES_MAX:
                self._forgotten += self._at.pop(next(iter(self._at))).opened
            found = self._at[place] = Breaker(self._clock, f"store {place}".strip())
        return found

    @property
    def opened(self) -> int:
        """How often a place was taken for away, since the start."""
        return self._forgotten + sum(each.opened for each in self._at.values())

    def was_open(self) -> bool:
        """Tell whether any was open at any time since this was asked last."""
        each_was = [each.was_open() for each in self._at.values()]
        return True in each_was
