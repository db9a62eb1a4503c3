"""
One invocation: who asks, which role that takes, until when it may run, and whether a permit of its tenant's rate was
taken for it.

    guard   begins it, and takes a permit that this instance holds
    Store   has every script of an invocation see that the key's role will do, and the first one of an invocation
            without a permit take one in the same step
    guard   before it answers: an invocation that needed no script of its own gets its permit now

A context variable and not an argument: whatever sends a script, however deep, is held to the deadline, the rate and the
role of its invocation without having to know of them, and cannot forget them. What runs outside of any invocation is
ours.
"""

import math
from contextvars import ContextVar
from enum import Enum, auto

from shared.errors import InsufficientRole, RateExceeded, Unauthorized
from shared.process.clock import Instant
from shared.request.caller import Caller
from shared.request.concurrency import Slot
from shared.request.deadline import STORE_MARGIN_S
from shared.request.permits import Permits, Rate
from shared.request.roles import READ, ROLES, allowed, highest

HOLDS_PERMIT = "+"
"""What is asked of the tenant's rate where a permit is held already, or none is needed. A blank and a number ask for as
many, or for as many as there are; a second number is how many it takes at least. Nothing says that the tenant is
believed to have no rate, which the script then checks. Behind it stands '@' and the count of erasures that is known of
the tenant (shared/request/erasures.py)."""

ANY_ROLE = allowed(READ)
"""What is said of roles outside of any invocation: it takes a valid key of a role that is known."""


class _State(Enum):
    NONE = auto()
    ASKING = auto()
    ADMITTED = auto()


class Invocation:
    """The state of one request. *cut_at_s*: when the platform would cut it off, on the monotonic clock."""

    def __init__(self, permits: Permits, cut_at_s: float = math.inf) -> None:
        self.cut_at_s = cut_at_s
        self.has_written = False
        """A script that changes something was sent."""
        self.has_read = False
        """Some of its body was read."""
        self.slot: Slot | None = None
        """It works, and does not wait for others to be done (shared/request/concurrency.py)."""
        self.caller: Caller | None = None
        self.refused_for = ""
        """Why it was, for who counts refusals (shared/http/problems.py)."""
        self.budget_shares: dict[str, int] = {}
        """What its tenant has used of its budgets by window, in millionths, where the store said so."""
        self.slowed: tuple[str, Rate] | None = None
        """The rate of its user or agent (`user` or `agent`), where that has refused it."""
        self._role = READ
        self._weight = 1
        self._permits = permits
        self._state = _State.NONE
        self._rate: Rate | None = None

    def begin(self, caller: Caller, role: str, weight: int = 1) -> None:
        """
        Say who asks, which *role* of a key that takes at least, and how many permits.

        Raises:   InsufficientRole, RateExceeded: the key or its tenant was refused before, and its time has not come.
        """
        self.caller, self._weight = caller, weight
        self.require(role)
        wait_s = self._permits.denied_s(caller, weight)
        if wait_s > 0:
            rate = self._permits.rate(caller)
            assert rate is not None
            self._rate = rate._replace(wait_s=wait_s)
            raise refusal(self._rate, weight)
        if self._permits.take(caller, weight):
            self._state = _State.ADMITTED

    def require(self, role: str) -> None:
        """Let what the request turns out to be take *role* at least. Raises InsufficientRole: that was refused."""
        self._role = highest(self._role, role)
        if self.caller is not None and (told := self._permits.lacking(self.caller, self._role)):
            raise insufficient(told, self._role)

    @property
    def roles(self) -> str:
        """The roles of keys that may do it, as scripts are told."""
        return allowed(self._role)

    @property
    def deadline_at_s(self) -> float:
        """Return until when the store may be waited for."""
        return self.cut_at_s - STORE_MARGIN_S

    @property
    def is_confirmed(self) -> bool:
        """Tell whether the caller's key may be taken as valid without asking the store."""
        return self.caller is not None and self._permits.is_confirmed(self.caller)

    @property
    def was_confirmed(self) -> bool:
        """Tell whether it may be, while the store cannot be asked."""
        return self.caller is not None and self._permits.is_confirmed(self.caller, in_outage=True)

    @property
    def is_admitted(self) -> bool:
        """Tell whether the rate has nothing against answering."""
        return self._state is _State.ADMITTED or self.caller is None or self._permits.is_unlimited(self.caller)

    def is_admitted_in_outage(self) -> bool:
        """Tell the same while the store cannot be asked."""
        return self.is_admitted or (self.caller is not None and self._permits.is_unlimited(self.caller, in_outage=True))

    def now(self) -> Instant:
        return self._permits.now()

    def ask(self, key_hash: str) -> str:
        """Return what the next script has to ask of the rate of the key with *key_hash*."""
        caller = self.caller
        if caller is None or caller.key_hash != key_hash or self._state is not _State.NONE:
            return HOLDS_PERMIT
        if self._permits.is_unlimited(caller):
            return ""
        self._state = _State.ASKING
        wanted = f" {self._permits.wanted(caller, self._weight)}"
        return wanted if self._weight == 1 else f"{wanted} {self._weight}"

    def give_up(self) -> None:
        """The script that was to take a permit did not answer."""
        if self._state is _State.ASKING:
            self._state = _State.NONE

    def admit_uncounted(self) -> None:
        """The store has no room to count a permit, and what is asked for stores nothing."""
        self._state = _State.ADMITTED

    def became_limited(self) -> None:
        """A script found a rate where none was known."""
        if self.caller is not None:
            self._permits.forget(self.caller)

    def learn(self, asked: str, asked_at: Instant, first: str, rate: Rate | None) -> None:
        """
        Take in the reply of a script that *asked* for permits: its *first* element, and the rate that it told.

        Raises:   Unauthorized, RateExceeded.
        """
        if self.caller is None:
            return
        if first == "unauthorised":
            self._permits.forget(self.caller)
            self.give_up()
            raise invalid_key()
        if self.slot is not None:
            self.slot.become_known()
        if asked.startswith(" "):
            self._state = _State.ADMITTED
            self._rate = rate
            if not self._permits.learn(self.caller, asked_at, rate, self._weight):
                assert rate is not None
                self._state = _State.NONE
                raise refusal(rate, self._weight)
        elif not asked:
            self._permits.learn(self.caller, asked_at, None)

    def learn_role(self, role: str) -> InsufficientRole:
        """Take in that the key has *role*, which will not do, and return the error for it."""
        if self.caller is not None:
            self._permits.learn_role(self.caller, role)
        return insufficient(role, self._role)

    @property
    def rate(self) -> Rate | None:
        """The newest news of the tenant's rate, None when it has none."""
        if self._rate is not None and not self._rate.granted:
            return self._rate
        return self._permits.rate(self.caller) if self.caller else None


def invalid_key() -> Unauthorized:
    """Return the error for a key that the store does not know."""
    return Unauthorized("The API key is not valid.", code="invalid_api_key")


def insufficient(role: str, least: str) -> InsufficientRole:
    """Return the error for a key of *role* where *least* is needed."""
    return InsufficientRole(role, least, is_known=role in ROLES)


def refusal(rate: Rate, weight: int) -> RateExceeded:
    """Return the error for a caller whose tenant has fewer permits left than a request of *weight* takes."""
    weight = min(weight, rate.burst)
    return RateExceeded(per_minute=rate.per_minute, burst=rate.burst, wait_s=rate.wait_s, weight=weight)


CURRENT: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def is_confirmed() -> bool:
    """Tell whether what is held in memory may be shown to the current caller, as far as its key goes."""
    invocation = CURRENT.get()
    return invocation is None or invocation.is_confirmed


def was_confirmed() -> bool:
    """Tell the same while the store cannot be asked."""
    invocation = CURRENT.get()
    return invocation is None or invocation.was_confirmed
