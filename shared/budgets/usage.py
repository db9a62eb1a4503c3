"""
What a tenant, or one user or agent of it, used and reserved in this day and month.
"""

from typing import Any

from shared.budgets.amounts import MICRO
from shared.config import Settings
from shared.request.caller import Caller
from shared.request.owners import Owners
from shared.store import keys
from shared.store.indexes import Names, Spread, activity_names
from shared.store.refusals import raise_refusal
from shared.store.spending import Spender
from shared.store.upstash import Store


async def usage(store: Store, settings: Settings, caller: Caller) -> dict[str, Any]:
    """Return what the tenant used and reserved in this day and month, and what is stored for it."""
    tenant = caller.tenant
    names: list[str | Names] = [keys.tenant_key(tenant), keys.reservations_key(tenant), activity_names(tenant)]
    reply = await store.eval("usage", names, [caller.key_hash, Spread(tenant)])
    if reply[0] != "ok":
        raise_refusal(reply, "", settings)
    stored_bytes, bytes_max, conversations = reply[5]
    stored = {
        "bytes": int(stored_bytes),
        "limit_bytes": int(bytes_max or settings.tenant_bytes_max),
        "conversations": int(conversations),
    }
    return {"object": "usage", **_used(reply), "stored": stored}


async def usage_of(store: Store, settings: Settings, caller: Caller, kind: str, name: str) -> dict[str, Any]:
    """
    Return the same of the `user` or the `agent` (*kind*) *name*: its limits are those of each of them, and of what is
    stored only the conversations that it has are counted. Of one that was never heard of all is 0.
    """
    tenant = caller.tenant
    spender = Spender(tenant, known=Owners(**{kind: name}))
    names: list[str | Names] = [keys.tenant_key(tenant), keys.members_key(tenant, kind, name), spender.books]
    reply = await store.eval("usage_of", names, [caller.key_hash, spender])
    if reply[0] != "ok":
        raise_refusal(reply, "", settings)
    stored = {"bytes": None, "limit_bytes": None, "conversations": int(reply[5])}
    return {"object": "usage", kind: name, **_used(reply), "stored": stored}


def _used(reply: list[Any]) -> dict[str, Any]:
    """Return what `shown_usage` of shown.lua replied of windows and models."""
    _, limits, day, month, models, _ = reply
    tokens_day, tokens_month, usd_day, usd_month = (int(limit) if limit else None for limit in limits)
    return {
        "day": _window(day, tokens_day, usd_day),
        "month": _window(month, tokens_month, usd_month),
        "models": _models(models),
    }


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
        name, tokens_in, tokens_out, usd, settlements, *_ = line.split()
        if name != "-":
            found[name] = {
                "input_tokens": int(tokens_in),
                "output_tokens": int(tokens_out),
                "usd": int(usd) / MICRO,
                "settlements": int(settlements),
            }
    return found
