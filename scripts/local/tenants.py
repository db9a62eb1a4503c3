"""
What the store keeps of a tenant, as a person sets it: its keys and their labels, its rate, its budgets, the bytes that
its conversations may take, the prices of its models.

Everything is a field of one hash (shared/store/keys.py) that every script reads, so a change holds everywhere with the
next request that reaches the store, and for answers from memory within 5 s. Money is in USD here and in micro-USD
there.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import batched
from typing import Any, NamedTuple

from scripts.local.typed import TypedCommands
from shared.request.caller import KEY_PATTERN, Caller, read_key
from shared.store.indexes import read_layout
from shared.store.keys import TENANTS_KEY, activity_key, tenant_key
from shared.store.upstash import Store

RATE_MAX = 600_000
BURST_MAX = 600_000
TOKENS_MAX = 1_000_000_000_000
BYTES_MAX = 10_240 * 1_073_741_824
USD_MAX = 1_000_000
MICRO = 1_000_000
NONE = "none"
"""What takes a limit away again."""

BUDGETS = ("tokens-day", "tokens-month", "usd-day", "usd-month")
SPENDING = ("rate", *(f"limit:{name}" for name in BUDGETS))
KINDS = ("user", "agent")
OF_EACH = ("rate", "burst", *BUDGETS)
"""What may be limited for each user and each agent of a tenant by itself."""
LIMITS = (*SPENDING, "limit:bytes", *(f"per-{kind}:{name}" for kind in KINDS for name in SPENDING))
TOGETHER = 10
"""Tenants that are asked for at once."""

BYTES = re.compile(r"([0-9]{1,15})([KMGT]?B)?")
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
MODEL = re.compile(r"[A-Za-z0-9._:/-]{1,100}")
LABEL_CHARS_MAX = 64
PAGE_TENANTS = 100
PAGE_FIELDS = 1_000
"""Fields of a tenant's hash in one step of a search for its keys: its live reservations stand there too."""


class WrongValue(Exception):
    """A limit cannot be that; the text says why."""


async def mint(store: Store, key: str, label: str = "") -> None:
    """Make *key* valid for ever, with *label*. Raises Unauthorized: it has not the form of a key."""
    caller = read_key(key)
    # First, so that the sweep knows of every tenant that can write.
    redis = TypedCommands(store)
    await redis.hsetnx(TENANTS_KEY, caller.tenant, "")
    await redis.hset(tenant_key(caller.tenant), values={f"k:{caller.key_hash}": "0", **_label(caller.key_hash, label)})


async def rotate(store: Store, key: str, old_hash: str, overlap_s: int) -> bool:
    """
    Make *key* valid, with the label of the one with *old_hash*, and let that end after *overlap_s*; False: there is no
    such key.
    """
    caller = read_key(key)
    redis, name = TypedCommands(store), tenant_key(caller.tenant)
    ends, label = await redis.hmget(name, f"k:{old_hash}", f"label:{old_hash}")
    if ends is None:
        return False
    ends_at_unix_s = int(time.time()) + overlap_s
    changes: dict[str, Any] = {f"k:{caller.key_hash}": "0", f"k:{old_hash}": ends_at_unix_s}
    await redis.hset(name, values=changes | _label(caller.key_hash, label or ""))
    return True


async def revoke(store: Store, caller: Caller) -> bool:
    """End the key of *caller*; return whether there was one."""
    redis, name = TypedCommands(store), tenant_key(caller.tenant)
    is_ended = bool(await redis.hdel(name, f"k:{caller.key_hash}"))
    # What is said of a key is of no use without it; what a release left that knows nothing of it goes as well.
    await redis.hdel(name, f"label:{caller.key_hash}", f"used:{caller.key_hash}")
    return is_ended


async def set_label(store: Store, caller: Caller, label: str) -> bool:
    """Call the key of *caller* by *label*, "" for by none; return whether there is such a key."""
    redis, name = TypedCommands(store), tenant_key(caller.tenant)
    if not await redis.hexists(name, f"k:{caller.key_hash}"):
        return False
    if label:
        await redis.hset(name, values=_label(caller.key_hash, label))
    else:
        await redis.hdel(name, f"label:{caller.key_hash}")
    return True


def read_label(text: str) -> str:
    """Return *text*. Raises WrongValue: it is no label."""
    if len(text) > LABEL_CHARS_MAX or not text.isprintable() or text != text.strip():
        raise WrongValue(f"a label is at most {LABEL_CHARS_MAX} printable characters, and no space at its ends")
    if KEY_PATTERN.search(text):
        raise WrongValue("a label is shown to everybody who lists keys: it must not hold one")
    return text


def _label(key_hash: str, label: str) -> dict[str, str]:
    return {f"label:{key_hash}": label} if label else {}


class Summary(NamedTuple):
    """What a tenant has, in short. *limits*: the fields of `read_limits`, where they are set."""

    tenant: str
    keys: int
    conversations: int
    bytes_used: int
    limits: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        counts = {"keys": self.keys, "conversations": self.conversations, "bytes_used": self.bytes_used}
        return {"tenant": self.tenant, **counts, **self.limits}


async def tenants(store: Store) -> AsyncIterator[list[Summary]]:
    """
    Yield every tenant for whom a key was made, page by page in the order of the store. Conversations and bytes are
    about: what has just expired still counts.

    One that is made or goes away meanwhile may be missing or be there. No step of it holds the store for long.
    """
    redis, cursor = TypedCommands(store), 0
    while True:
        cursor, page = await redis.hscan(TENANTS_KEY, cursor, count=PAGE_TENANTS)
        for names in batched(sorted(page), TOGETHER):
            yield list(await asyncio.gather(*(_summary(redis, name) for name in names)))
        if cursor == 0:
            return


async def _summary(redis: TypedCommands, tenant: str) -> Summary:
    names = [*LIMITS, "bytes", "shards"]
    values = await redis.hmget(tenant_key(tenant), *names)
    fields = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    shards = read_layout(fields.get("shards", "1")).shards
    counts = await asyncio.gather(*(redis.zcard(activity_key(tenant, shard)) for shard in range(shards)))
    used = max(0, int(fields.get("bytes", 0)))
    return Summary(tenant, await _count_keys(redis, tenant), sum(counts), used, _shown_limits(fields))


async def _count_keys(redis: TypedCommands, tenant: str) -> int:
    found: set[str] = set()
    cursor = 0
    while True:
        cursor, page = await redis.hscan(tenant_key(tenant), cursor, match="k:*", count=PAGE_FIELDS)
        found.update(page)
        if cursor == 0:
            return len(found)


async def is_known(store: Store, tenant: str) -> bool:
    """Return whether *tenant* ever had a key, or has limits."""
    redis = TypedCommands(store)
    return bool(await redis.hexists(TENANTS_KEY, tenant) or await redis.exists(tenant_key(tenant)))


async def describe(store: Store, tenant: str) -> dict[str, Any]:
    """
    Return the tenant's keys, by their hashes, with what they are called and the hour in which they were used last, its
    limits, and what its conversations take, `bytes_used`, about: one that has just expired still counts. There is no
    secret in it.
    """
    fields = await TypedCommands(store).hgetall(tenant_key(tenant))
    names = sorted(name for name in fields if name.startswith("k:"))
    ends = {name.removeprefix("k:"): int(fields[name]) for name in names}
    limits = _shown_limits(fields) | {"bytes_used": max(0, int(fields.get("bytes", 0)))}
    labels = {key: fields[f"label:{key}"] for key in ends if f"label:{key}" in fields}
    used = {key: int(fields[f"used:{key}"]) for key in ends if f"used:{key}" in fields}
    prices = {
        name.removeprefix("price:"): [int(part) / MICRO for part in value.split()]
        for name, value in sorted(fields.items())
        if name.startswith("price:")
    }
    about = {"ends_at": {key: end for key, end in ends.items() if end}, "labels": labels, "last_used": used}
    return {"tenant": tenant, "keys": list(ends), **about, **limits, "prices": prices}


def _shown_limits(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the limits that a tenant's *fields* say, None for none; those of each user and agent where there are."""
    limits = _shown_spending(fields)
    limits["bytes"] = int(fields["limit:bytes"]) if "limit:bytes" in fields else None
    for kind in KINDS:
        of_each = _shown_spending(fields, f"per-{kind}:")
        limits[f"per_{kind}"] = {name: value for name, value in of_each.items() if value is not None} or None
    return limits


def _shown_spending(fields: Mapping[str, str], of: str = "") -> dict[str, Any]:
    rate = fields.get(f"{of}rate")
    limits: dict[str, Any] = dict(zip(("rate", "burst"), map(int, rate.split()) if rate else (None, None), strict=True))
    for name in BUDGETS:
        amount = fields.get(f"{of}limit:{name}")
        limits[name] = None if amount is None else int(amount) if name.startswith("tokens") else int(amount) / MICRO
    return limits


async def set_limits(store: Store, tenant: str, changes: Mapping[str, str | None]) -> None:
    """Apply *changes*: field to its new value, None to take it away. What is not named stays."""
    redis, name = TypedCommands(store), tenant_key(tenant)
    gone = [field for field, value in changes.items() if value is None]
    values = {field: value for field, value in changes.items() if value is not None}
    if gone:
        await redis.hdel(name, *gone)
    if values:
        await redis.hset(name, values=values)


def read_limits(options: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the fields that the command line's *options* ask for. Raises WrongValue."""
    changes = _spending_limits(options)
    for kind in KINDS:
        given = options.get(f"per_{kind}") or []
        changes |= {f"per-{kind}:{field}": value for field, value in _limits_of_each(kind, given).items()}
    size = options.get("bytes")
    if size is not None:
        changes["limit:bytes"] = None if size == NONE else str(_bytes("--bytes", size))
    for value in options.get("price") or []:
        model, _, prices = value.partition("=")
        if MODEL.fullmatch(model) is None:
            raise WrongValue("--price is MODEL=INPUT,OUTPUT in USD for a million tokens, or MODEL=none")
        changes[f"price:{model}"] = None if prices == NONE else _prices(prices)
    return changes


def _limits_of_each(kind: str, given: Sequence[str]) -> dict[str, str | None]:
    """Return the limits that each user or agent gets by what was *given* as NAME=VALUE."""
    option = f"--per-{kind} "
    named = dict(each.partition("=")[::2] for each in given)
    unknown = sorted(named.keys() - OF_EACH)
    if unknown:
        raise WrongValue(f"{option}is NAME=VALUE with one of {', '.join(OF_EACH)} as the name, not {unknown[0]!r}")
    return _spending_limits({name.replace("-", "_"): value for name, value in named.items()}, option)


def _spending_limits(options: Mapping[str, Any], option: str = "--") -> dict[str, str | None]:
    """Return the fields of rate and budgets; *option*: what stands before the name of each where it was given."""
    changes: dict[str, str | None] = {}
    rate, burst = options.get("rate"), options.get("burst")
    if rate == NONE:
        changes["rate"] = None
    elif rate is not None:
        per_minute = _integer(f"{option}rate", rate, RATE_MAX)
        changes["rate"] = f"{per_minute} {_integer(f'{option}burst', burst or str(max(1, per_minute // 6)), BURST_MAX)}"
    elif burst is not None:
        raise WrongValue(f"{option}burst goes with {option}rate")
    for name in BUDGETS:
        value = options.get(name.replace("-", "_"))
        if value is None:
            continue
        read = _integer if name.startswith("tokens") else _micro_usd
        high = TOKENS_MAX if name.startswith("tokens") else USD_MAX
        changes[f"limit:{name}"] = None if value == NONE else str(read(f"{option}{name}", value, high))
    return changes


def _prices(text: str) -> str:
    parts = text.split(",")
    if len(parts) != 2:
        raise WrongValue("--price is MODEL=INPUT,OUTPUT in USD for a million tokens, or MODEL=none")
    return " ".join(str(_micro_usd("--price", part, USD_MAX)) for part in parts)


def _integer(option: str, text: str, high: int) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= high:
        raise WrongValue(f"{option} is {text}; it goes from 1 to {high}, or is none")
    return int(text)


def _bytes(option: str, text: str) -> int:
    """Return a number of bytes, which may have a unit: 500MB are 500,000,000."""
    match = BYTES.fullmatch(text)
    size_bytes = int(match[1]) * UNITS[match[2] or ""] if match else 0
    if not 1 <= size_bytes <= BYTES_MAX:
        raise WrongValue(f"{option} is {text}; it goes from 1 to {BYTES_MAX}, as in 500MB or 10GB, or is none")
    return size_bytes


def _micro_usd(option: str, text: str, high: int) -> int:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise WrongValue(f"{option} is no amount of USD: {text}") from None
    micro = amount * MICRO
    if not amount.is_finite() or not 0 <= amount <= high or micro != int(micro):
        raise WrongValue(f"{option} is {text}; it goes from 0 to {high} USD, in steps of a millionth")
    return int(micro)
