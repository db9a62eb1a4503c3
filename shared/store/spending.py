"""
Names in the store that depend on for whom something is: the books of a user and of an agent.

A conversation says itself whose it is, and a reservation for whom it was made. Who calls a script may not know; so it
names the books of whom this instance believes it to be, and a script for which that matters replies who it is, before
it does anything (whose.lua). Then the names are made anew (Store.eval). What a request says itself is known, and not
asked about.
"""

from typing import Any

from shared.errors import RateExceeded
from shared.request.invocation import CURRENT
from shared.request.owners import Owners
from shared.request.permits import read_rate
from shared.store.indexes import Indexes, Names, Spread
from shared.store.keys import book_name, digest


class Spender(Spread):
    """
    The three arguments that say whose books the caller of a script names, behind all others, for a conversation;
    *known*: where the request says whose it is. *is_taken*: the permit of their rates was taken before.
    """

    def __init__(self, tenant: str, conversation_id: str = "", known: Owners | None = None) -> None:
        super().__init__(tenant)
        self.conversation_id = conversation_id
        self.is_taken = False
        self._known = known

    @property
    def books(self) -> Names:
        """The names of their books, which stand behind all others."""
        return _Books(self)

    def told(self, indexes: Indexes) -> list[str]:
        return [*self.owners(indexes), "known" if self._known is not None else "taken" if self.is_taken else ""]

    def owners(self, indexes: Indexes) -> Owners:
        """Return who they are, as the script is told."""
        return indexes.owners(self.tenant, self.conversation_id) if self._known is None else self._known

    def digests(self, indexes: Indexes) -> Owners:
        """Return what their books are called by."""
        return digests_of(self.owners(indexes))


class ReservationSpender(Spender):
    """The same for a reservation, which has of user and agent what their books are called by, and no more."""

    def __init__(self, tenant: str, reservation_id: str) -> None:
        super().__init__(tenant, f"{reservation_id} reserved")  # What no conversation is called.

    def digests(self, indexes: Indexes) -> Owners:
        return self.owners(indexes)


class _Books(Names):
    def __init__(self, spender: Spender) -> None:
        super().__init__(spender.tenant)
        self._spender = spender

    def made(self, indexes: Indexes) -> list[str]:
        named = self._spender.digests(indexes)._asdict().items()
        return [book_name(self.tenant, kind, digest) for kind, digest in named if digest]


def digests_of(owners: Owners) -> Owners:
    """Return what the books of *owners* are called by."""
    return Owners(*(name and digest(name) for name in owners))


def slowed(reply: list[Any]) -> RateExceeded:
    """Return the error for the reply of a script that found no permit of a user's or an agent's rate."""
    _, kind, told = reply
    rate = read_rate(told)
    assert rate is not None
    if (invocation := CURRENT.get()) is not None:
        invocation.slowed = (kind, rate)
    return RateExceeded(per_minute=rate.per_minute, burst=rate.burst, wait_s=rate.wait_s, kind=kind)
