"""
Budgets: tokens and money set aside before a model call, and settled with what it really used.

    reserve -> settle             what was used is written down, in full and once, where it was reserved
            -> release            given back
            -> nothing            given back by itself at its end; a settlement that comes later still counts

Each step is one script, over all windows. When it grants: settled + live reserved + asked <= every limit. What was
used above the reservation is `overrun`: it counts, and so blocks what is asked for next.
"""

import re
import secrets
import time
from typing import Any, NamedTuple

from shared.budgets.amounts import MICRO, Amount
from shared.config import Settings
from shared.errors import AlreadySettled, BudgetExceeded, InvalidValue, NotFound, StoreUnavailable
from shared.request.caller import Caller
from shared.store import keys
from shared.store.attempts import Attempt
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

HOUR_S = 3_600
ID_PATTERN = re.compile(r"rsv_([0-9a-f]{5,6})_([ro])[0-9a-f]{32}")
UNRECORDED = "o"
"""In an id: it was granted while the store was away, so the store learns of it when it is settled."""


class Reservation(NamedTuple):
    """What is set aside; *is_recorded* False: granted while the store was away, so nothing is."""

    id: str
    tokens: int
    micro_usd: int
    expires_at_unix_s: int
    is_recorded: bool = True

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "reservation",
            "tokens": self.tokens,
            "usd": self.micro_usd / MICRO,
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
            "tokens": self.tokens,
            "usd": self.micro_usd / MICRO,
            "overrun": {"tokens": self.overrun_tokens, "usd": self.overrun_micro_usd / MICRO},
        }


class Budgets:
    """The use cases of reservations."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def reserve(self, caller: Caller, attempt: Attempt, asked: Amount) -> Reservation:
        """
        Set *asked* aside for Settings.reservation_s.

        Raises:   BudgetExceeded, InvalidValue (no price), KeyReused: nothing was set aside.
                  StoreUnavailable: where it was all the same, it is given back at its end.
        """
        settings, reservation_id = self._settings, make_id()
        names = [*_keys(caller.tenant, reservation_id), *attempt.record_keys(caller.tenant)]
        try:
            reply = await self._store.eval(
                "reserve",
                names,
                [
                    caller.key_hash,
                    *(attempt.fingerprint, settings.idempotency_s, reservation_id),
                    *(settings.reservation_s, settings.reservation_kept_s, settings.reservations_max),
                    *asked.arguments("-"),
                ],
                is_idempotent=True,
            )
        except StoreUnavailable:
            if settings.budget_outage == "closed":
                raise
            ends_at_unix_s = int(time.time()) + settings.reservation_s
            open_id = make_id(UNRECORDED)
            return Reservation(open_id, asked.tokens, asked.micro_usd or 0, ends_at_unix_s, is_recorded=False)
        if reply[0] != "ok":
            raise_budget_refusal(reply, settings)
        return read_reservation(reply)

    async def settle(self, caller: Caller, reservation_id: str, used: Amount) -> Settlement:
        """
        Write down what was *used*. The same again changes nothing and is answered the same.

        Raises:   NotFound: never made, or longer ago than it is kept. AlreadySettled: with other numbers.
        """
        match = ID_PATTERN.fullmatch(reservation_id)
        kept_s = self._settings.reservation_kept_s if match and match[2] == UNRECORDED else ""
        reply = await self._eval("settle", caller, reservation_id, *used.arguments(""), kept_s)
        if reply[0] != "ok":
            raise_budget_refusal(reply, self._settings, reservation_id)
        return Settlement(reservation_id, *map(int, reply[1:5]))

    async def release(self, caller: Caller, reservation_id: str) -> str:
        """Give back what is reserved; return what the reservation is then: released, expired or settled."""
        reply = await self._eval("release", caller, reservation_id, 0, 0)
        if reply[0] != "ok":
            raise_budget_refusal(reply, self._settings, reservation_id)
        return str(reply[1])

    async def keep(self, caller: Caller, reservation_id: str, input_tokens: int, output_tokens: int) -> None:
        """Give back what is reserved above these tokens."""
        await self._eval("release", caller, reservation_id, input_tokens, output_tokens)

    async def _eval(self, script: str, caller: Caller, reservation_id: str, *arguments: str | int) -> list[Any]:
        if ID_PATTERN.fullmatch(reservation_id) is None:
            raise _unknown(reservation_id)
        names = _keys(caller.tenant, reservation_id)
        return await self._store.eval(script, names, [caller.key_hash, reservation_id, *arguments], is_idempotent=True)

    async def usage(self, caller: Caller) -> dict[str, Any]:
        """Return what the tenant used and reserved in this day and month."""
        names = [keys.tenant_key(caller.tenant), keys.reservations_key(caller.tenant)]
        reply = await self._store.eval("usage", names, [caller.key_hash])
        if reply[0] != "ok":
            raise_refusal(reply, "", self._settings)
        _, limits, day, month, models = reply
        tokens_day, tokens_month, usd_day, usd_month = (int(limit) if limit else None for limit in limits)
        return {
            "object": "usage",
            "day": _window(day, tokens_day, usd_day),
            "month": _window(month, tokens_month, usd_month),
            "models": _models(models),
        }


def make_id(mark: str = "r") -> str:
    """Return a new id that nobody can guess; it names the hour, in whose records the store keeps it."""
    return f"rsv_{int(time.time()) // HOUR_S:x}_{mark}{secrets.token_hex(16)}"


def reservation_keys(tenant: str, reservation_id: str) -> list[str]:
    """Return the names in the store that a script needs for a reservation, besides the tenant's. Raises NotFound."""
    match = ID_PATTERN.fullmatch(reservation_id)
    if match is None:
        raise _unknown(reservation_id)
    return [keys.reservations_key(tenant), keys.reservation_records_key(tenant, match[1])]


def read_reservation(reply: list[Any]) -> Reservation:
    _, reservation_id, tokens, micro_usd, ends_at = reply
    return Reservation(reservation_id, int(tokens), int(micro_usd), int(ends_at))


def raise_budget_refusal(reply: list[Any], settings: Settings, reservation_id: str = "") -> None:
    """Raise the error that the *reply* of a script that spends stands for."""
    match reply[0]:
        case "over":
            raise _exceeded(*reply[1:])
        case "reservations":
            raise BudgetExceeded(
                f"{reply[1]} reservations are live; settle or release some.",
                "reservations",
                retry_after_s=1,
                limit=int(reply[1]),
            )
        case "unpriced":
            raise InvalidValue("model must have a price, since there is a budget in USD; or give usd.", param="model")
        case "unknown":
            raise _unknown(reservation_id)
        case "settled":
            raise AlreadySettled(
                f"The reservation was settled with {reply[1]} tokens; that stands.",
                settled_tokens=int(reply[1]),
                settled_usd=int(reply[2]) / MICRO,
            )
        case _:
            raise_refusal(reply, reservation_id, settings)


def _exceeded(
    policy: str, limit: str, settled: str, reserved: str, asked: str, resets_at: str, wait_s: str
) -> BudgetExceeded:
    unit, _, window = policy.partition("-")
    scale = MICRO if unit == "usd" else 1
    amounts = {
        name: int(value) / scale if scale > 1 else int(value)
        for name, value in (("limit", limit), ("settled", settled), ("reserved", reserved), ("asked", asked))
    }
    return BudgetExceeded(
        f"The budget of {amounts['limit']} {unit} a {window} has {amounts['settled']} used and "
        f"{amounts['reserved']} reserved; {amounts['asked']} more do not fit. It resets in {wait_s} s.",
        policy,
        retry_after_s=int(wait_s),
        window=window,
        unit=unit,
        resets_at=int(resets_at),
        **amounts,
    )


def _unknown(reservation_id: str) -> NotFound:
    return NotFound(f"There is no reservation {reservation_id[:64]!r}.", param="reservation_id")


def _keys(tenant: str, reservation_id: str) -> list[str]:
    return [keys.tenant_key(tenant), *reservation_keys(tenant, reservation_id)]


def _window(fields: list[str], tokens_limit: int | None, usd_limit: int | None) -> dict[str, Any]:
    name, *numbers = fields
    resets_at, settled, reserved, settled_usd, reserved_usd, overrun, overrun_usd = map(int, numbers)
    return {
        "window": name,
        "resets_at": resets_at,
        "tokens": {"limit": tokens_limit, "settled": settled, "reserved": reserved, "overrun": overrun},
        "usd": {
            "limit": None if usd_limit is None else usd_limit / MICRO,
            "settled": settled_usd / MICRO,
            "reserved": reserved_usd / MICRO,
            "overrun": overrun_usd / MICRO,
        },
    }


def _models(lines: str) -> dict[str, Any]:
    found = {}
    for line in lines.splitlines():
        name, tokens_in, tokens_out, usd, settlements = line.split()
        if name != "-":
            found[name] = {
                "input_tokens": int(tokens_in),
                "output_tokens": int(tokens_out),
                "usd": int(usd) / MICRO,
                "settlements": int(settlements),
            }
    return found
