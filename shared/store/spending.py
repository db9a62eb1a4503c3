"""
Whose books a script has to name: those of the user and the agent of what it works on.

A conversation says itself whose it is, and a reservation whose it was made for. Who calls a script may not know; so it
names what this instance remembers, and a script for which that matters replies what is right, before it does anything
(whose.lua). What a request says itself is known, and not asked about.
"""

from typing import Any, NamedTuple

from cachetools import LRUCache

from shared.errors import RateExceeded
from shared.request.invocation import CURRENT
from shared.request.owners import Owners
from shared.request.permits import read_rate
from shared.store.keys import book_key, owner_digest

REMEMBERED_MAX = 10_000
"""Conversations and reservations whose user and agent an instance remembers; of others a script tells again."""

NOBODY = Owners()
OWNER, SPENDER = "owner", "spender"
"""What a script replies to who is wrong of a conversation, and of a reservation."""


class Whose(NamedTuple):
    """
    The conversation or the reservation *id* of *tenant*; *known*: whose it is, where the request says that.
    Reservations tell and are told digests, by which the names of books end.
    """

    tenant: str
    id: str
    known: Owners | None = None
    is_reservation: bool = False


def digests(owners: Owners) -> Owners:
    """Return what a reservation has of *owners*."""
    return Owners(*(name and owner_digest(name) for name in owners))


class Spenders:
    """What this instance believes of whose something is."""

    def __init__(self) -> None:
        self._owners: LRUCache[tuple[str, str], Owners] = LRUCache(REMEMBERED_MAX)

    def of(self, whose: Whose) -> Owners:
        return whose.known or self._owners.get(whose[:2], NOBODY)

    def learn(self, whose: Whose, owners: Owners) -> None:
        """Take in whose something is; what has neither user nor agent is not remembered."""
        if owners == NOBODY:
            self._owners.pop(whose[:2], None)
        else:
            self._owners[whose[:2]] = owners

    def names(self, whose: Whose) -> list[str]:
        """Return the names of the books of its user and agent, where there are such."""
        owners = self.of(whose)
        owners = owners if whose.is_reservation else digests(owners)
        return [book_key(whose.tenant, kind, digest) for kind, digest in owners._asdict().items() if digest]

    def arguments(self, whose: Whose, *, is_taken: bool) -> list[str]:
        """Return what a script takes of it; *is_taken*: the permit of their rates was taken before."""
        return [*self.of(whose), "known" if whose.known is not None else "taken" if is_taken else ""]


def slowed(reply: list[Any]) -> RateExceeded:
    """Return the error for the reply of a script that found no permit of a user's or an agent's rate."""
    _, kind, told = reply
    rate = read_rate(told)
    assert rate is not None
    if (invocation := CURRENT.get()) is not None:
        invocation.slowed = (kind, rate)
    return RateExceeded(per_minute=rate.per_minute, burst=rate.burst, wait_s=rate.wait_s, kind=kind)
