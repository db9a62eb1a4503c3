"""
Budgets: tokens and money set aside before a model call, and settled with what it really used.

    reserve -> settle             what was used is written down, in full and once, where it was reserved
            -> release            given back
            -> nothing            given back by itself at its end; a settlement that comes later still counts

Each step is one script, over all windows. When it grants: settled + live reserved + asked <= every limit, of the tenant
and of the user and the agent that it is for. What was used above the reservation is `overrun`: it counts, and so blocks
what is asked for next.
"""

import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from shared.budgets.amounts import Amount, as_json, priced
from shared.budgets.refusals import raise_budget_refusal, unknown_reservation
from shared.budgets.shares import note_shares
from shared.budgets.usage import usage, usage_of
from shared.config import Settings
from shared.errors import StoreUnavailable
from shared.request.caller import Caller
from shared.request.owners import NOBODY, Owners
from shared.store import keys
from shared.store.attempts import Attempt
from shared.store.indexes import Names
from shared.store.spending import ReservationSpender, Spender, digests_of
from shared.store.upstash import Store

HOUR_S = 3_600
ID_PATTERN = re.compile(r"rsv_([0-9a-f]{5,6})_([ro])[0-9a-f]{32}")
UNRECORDED = "o"
"""In an id: it was granted while the store was away, so the store learns of it when it is settled."""


class Reservation(NamedTuple):
    """
    What is set aside. *is_recorded* False: granted while the store was away, so nothing is. *is_replay*: its
    Idempotency-Key, or the store's client, asked for it before. *price*: by which the model is priced, "" for none.
    """

    id: str
    tokens: int
    micro_usd: int
    expires_at_unix_s: int
    price: str = ""
    is_replay: bool = False
    is_recorded: bool = True

    def lowered(self, input_tokens: int, output_tokens: int) -> "Reservation":
        """Return what is left when only these tokens are wanted of it: itself where that is no less."""
        if input_tokens + output_tokens > self.tokens:
            return self
        micro_usd = self.micro_usd
        if self.price:
            micro_usd = min(micro_usd, priced(self.price, input_tokens, output_tokens))
        return self._replace(tokens=input_tokens + output_tokens, micro_usd=micro_usd)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "reservation",
            "status": "live",
            **as_json(self.tokens, self.micro_usd),
            "expires_at": self.expires_at_unix_s,
            "recorded": self.is_recorded,
        }


class Settlement(NamedTuple):
    """What was written down for a reservation."""

    id: str
    tokens: int
    micro_usd: int
    overrun_tokens: int
    overrun_micro_usd: int

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "reservation",
            "status": "settled",
            **as_json(self.tokens, self.micro_usd),
            "overrun": as_json(self.overrun_tokens, self.overrun_micro_usd),
        }


class Release(NamedTuple):
    """What a reservation is after it was given back: released, expired or settled, and what still counts of it."""

    id: str
    status: str
    tokens: int
    micro_usd: int

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "reservation",
            "status": self.status,
            **as_json(self.tokens, self.micro_usd),
        }


class Budgets:
    """The use cases of reservations."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def reserve(self, caller: Caller, attempt: Attempt, asked: Amount, owners: Owners = NOBODY) -> Reservation:
        """
        Set *asked* aside for Settings.reservation_s, for *owners* of it as well: under their limits, in their books.

        Raises:   BudgetExceeded, InvalidValue (no price), KeyReused, RateExceeded (of the user or agent): nothing was
                  set aside. ReservationEnded: nor now.
                  StoreUnavailable: where it was all the same, it is given back at its end.
        """
        settings, reservation_id = self._settings, make_id()
        spender = Spender(caller.tenant, known=owners)
        records = attempt.record_keys(caller.tenant)
        names: list[str | Names] = [*_keys(caller.tenant, reservation_id), *records, spender.books]
        try:
            reply = await self._store.eval(
                "reserve",
                names,
                [
                    caller.key_hash,
                    *(attempt.fingerprint, settings.idempotency_s, reservation_id),
                    *(settings.reservation_s, settings.reservation_kept_s, settings.reservations_max),
                    *asked.arguments("-"),
                    spender,
                ],
                is_idempotent=True,
            )
        except StoreUnavailable:
            if settings.budget_outage == "closed":
                raise
            ends_at_unix_s = int(time.time()) + settings.reservation_s
            open_id = make_id(UNRECORDED)
            return Reservation(open_id, asked.tokens, asked.micro_usd or 0, ends_at_unix_s, is_recorded=False)
        reservation = read_reservation(reply, settings)
        self.remember(caller, reservation.id, owners)
        return reservation

    def remember(self, caller: Caller, reservation_id: str, owners: Owners) -> None:
        """Take note for whom a reservation was made, so that what comes of it need not be told."""
        spender = ReservationSpender(caller.tenant, reservation_id)
        self._store.learn_owners(spender.tenant, spender.conversation_id, digests_of(owners))

    async def settle(self, caller: Caller, reservation_id: str, used: Amount) -> Settlement:
        """
        Write down what was *used*. The same again changes nothing and is answered the same.

        Raises:   NotFound: never made, or longer ago than it is kept. AlreadySettled: with other numbers.
        """
        kept_s = unrecorded_kept_s(reservation_id, self._settings)
        reply = await self._eval("settle", caller, reservation_id, *used.arguments(""), kept_s)
        return Settlement(reservation_id, *map(int, reply[1:5]))

    async def release(self, caller: Caller, reservation_id: str, forgetting: Sequence[str] = ()) -> Release:
        """
        Give back what is reserved. *forgetting*: the record of the attempt that made it, if that is to count as none.

        Raises:   NotFound: never made, or longer ago than it is kept.
        """
        reply = await self._eval("release", caller, reservation_id, "", "", more_keys=forgetting)
        return Release(reservation_id, str(reply[1]), *map(int, reply[2:]))

    async def keep(self, caller: Caller, wanted: Reservation) -> None:
        """Give back what is reserved above what *wanted* says; nothing where that is less."""
        await self._eval("release", caller, wanted.id, wanted.tokens, wanted.micro_usd)

    async def usage(self, caller: Caller, kind: str = "", name: str = "") -> dict[str, Any]:
        """Return what the tenant used and reserved, or its `user` or `agent` (*kind*) of that *name*."""
        if kind:
            return await usage_of(self._store, self._settings, caller, kind, name)
        return await usage(self._store, self._settings, caller)

    async def _eval(
        self, script: str, caller: Caller, reservation_id: str, *arguments: str | int, more_keys: Sequence[str] = ()
    ) -> list[Any]:
        spender = ReservationSpender(caller.tenant, reservation_id)
        reply = await self._store.eval(
            script,
            [*_keys(caller.tenant, reservation_id), *more_keys, spender.books],
            [caller.key_hash, reservation_id, *arguments, spender],
            is_idempotent=True,
        )
        if reply[0] != "ok":
            raise_budget_refusal(reply, self._settings, reservation_id)
        return reply


def make_id(mark: str = "r") -> str:
    """Return a new id that nobody can guess; it names the hour, in whose records the store keeps it."""
    return f"rsv_{int(time.time()) // HOUR_S:x}_{mark}{secrets.token_hex(16)}"


def reservation_keys(tenant: str, reservation_id: str) -> list[str]:
    """Return the names in the store that a script needs for a reservation, besides the tenant's. Raises NotFound."""
    match = ID_PATTERN.fullmatch(reservation_id)
    if match is None:
        raise unknown_reservation(reservation_id)
    return [keys.reservations_key(tenant), keys.reservation_records_key(tenant, match[1])]


def unrecorded_kept_s(reservation_id: str, settings: Settings) -> str | int:
    """Return for how long the store keeps a reservation that it did not know of, "" for one that it made."""
    match = ID_PATTERN.fullmatch(reservation_id)
    return settings.reservation_s + settings.reservation_kept_s if match and match[2] == UNRECORDED else ""


def read_reservation(reply: list[Any], settings: Settings) -> Reservation:
    """Return what `reserve` of reservation.lua replied. Raises what `raise_budget_refusal` does."""
    if reply[0] != "ok":
        raise_budget_refusal(reply, settings)
    _, reservation_id, tokens, micro_usd, ends_at, price, is_replay, shares = reply
    note_shares(shares)
    return Reservation(reservation_id, int(tokens), int(micro_usd), int(ends_at), price, is_replay == "1")


def _keys(tenant: str, reservation_id: str) -> list[str]:
    return [keys.tenant_key(tenant), *reservation_keys(tenant, reservation_id)]
