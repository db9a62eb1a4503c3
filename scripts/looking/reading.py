"""
Reading the store as a person who runs it may, and changing nothing of it.

    ReadingStore    refuses every script that may write
    tenant_of       whose a conversation is
    caller_of       a caller of that tenant, by the hash of one of its keys
    listed          its conversations, newest activity first
    looked_at       one of them: its items, and the explained context that the service would answer
"""

import asyncio
import time
from collections.abc import Mapping
from itertools import batched
from typing import Any, NamedTuple, cast

import orjson

from scripts.local.tenants import describe, is_known
from scripts.local.typed import TypedCommands
from shared.config import Settings
from shared.context.wanted import ContextRequest
from shared.conversations.contexts import Contexts
from shared.conversations.conversation import Conversation
from shared.conversations.history import History
from shared.conversations.needs import Need
from shared.conversations.snapshot import Snapshot
from shared.documents.documents import Documents
from shared.process.pool import Pool
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.request.freshness import Freshness
from shared.request.roles import ROLES
from shared.store import keys
from shared.store.failure import Failure, Sign
from shared.store.indexes import read_layout
from shared.store.script import scripts
from shared.store.upstash import Store
from shared.tokens.counter import Counter
from shared.tokens.encodings import Encodings

ASKED_AT_ONCE = 200
"""Conversations, or tenants, that one round asks about."""


class NothingThere(Exception):
    """There is nothing of that name; the text says what to do."""


class ReadingStore(Store):
    """A store whose data no script changes: what would write is answered as by a store that is away."""

    async def eval(self, name: str, *arguments: Any, **options: Any) -> list[Any]:
        if not scripts.is_read(name):
            raise Failure("it is only looked at", outcome_unknown=False, sign=Sign.THERE).for_caller(is_read=True)
        return await super().eval(name, *arguments, **options)


class Listed(NamedTuple):
    """A conversation of a list. Times are Unix seconds; *expires_at* is None for one that never does."""

    id: str
    items: int
    tokens: int
    bytes: int
    used_at: int
    expires_at: int | None
    created_at: int
    metadata: Mapping[str, str]
    user: str | None
    agent: str | None


class Look(NamedTuple):
    """*context* is the answer to `GET …/context?explain=true`, of the conversation as *snapshot* has it."""

    tenant: str
    snapshot: Snapshot
    context: Mapping[str, Any]


async def tenant_of(store: Store, conversation_id: str) -> str:
    """Return whose the conversation is. Raises NothingThere."""
    redis = TypedCommands(store)
    for tenants in batched(await redis.hkeys(keys.TENANTS_KEY), ASKED_AT_ONCE):
        names = [keys.conversation_key(tenant, conversation_id) for tenant in tenants]
        found = await asyncio.gather(*(redis.exists(name) for name in names))
        for tenant, is_there in zip(tenants, found, strict=True):
            if is_there:
                return str(tenant)
    raise NothingThere(f"there is no conversation {conversation_id}: scripts/look --tenant T lists those of a tenant")


async def caller_of(store: Store, tenant: str) -> Caller:
    """Return a caller that scripts admit. Raises NothingThere: the tenant is unknown, or has no key that is valid."""
    if not await is_known(store, tenant):
        raise NothingThere(f"there is no tenant {tenant}")
    known = await describe(store, tenant)
    valid = [
        each
        for each in known["keys"]
        if known["ends_at"].get(each, time.time() + 1) > time.time() and known["roles"][each] in ROLES
    ]
    if not valid:
        raise NothingThere(f"the tenant {tenant} has no valid key: scripts/keys create {tenant} makes one")
    return Caller(tenant, valid[0])


async def listed(store: Store, tenant: str, limit: int) -> list[Listed]:
    """Return the *limit* conversations of *tenant* that were written to last. Raises NothingThere."""
    if not await is_known(store, tenant):
        raise NothingThere(f"there is no tenant {tenant}")
    redis = TypedCommands(store)
    layout = read_layout(await redis.hget(keys.tenant_key(tenant), "shards") or "1")
    newest: dict[str, float] = {}
    for shard in range(max(layout.shards, layout.moving_from)):
        name = keys.activity_key(tenant, shard)
        rows = cast(list[tuple[str, float]], await redis.zrevrange(name, 0, limit - 1, withscores=True))
        newest |= {each: max(at, newest.get(each, 0)) for each, at in rows}
    found: list[Listed] = []
    for ids in batched(sorted(newest, key=lambda each: -newest[each])[:limit], ASKED_AT_ONCE):
        told = await asyncio.gather(*(_facts(redis, tenant, each) for each in ids))
        found += [row for row in told if row is not None]
    return found


async def _facts(redis: TypedCommands, tenant: str, conversation_id: str) -> Listed | None:
    """Return what a conversation says of itself, None for one that has expired."""
    name = keys.conversation_key(tenant, conversation_id)
    version, metadata, user, agent, *numbers = await redis.hmget(
        name, "v", "m", "us", "ag", "n", "w", "d", "b", "t", "e", "c"
    )
    if version is None:
        return None
    items, written, deleted, size_bytes, used_at, expiry_s, created_at = (int(each or 0) for each in numbers)
    expires_at = used_at + expiry_s if expiry_s else None
    sizes = items, written - deleted, size_bytes
    said = orjson.loads(metadata or "{}")
    return Listed(conversation_id, *sizes, used_at, expires_at, created_at, said, user or None, agent or None)


async def looked_at(
    store: Store, settings: Settings, caller: Caller, conversation_id: str, wanted: ContextRequest
) -> Look:
    """
    Return the conversation, and the context that is *wanted* of it.

    Raises:   NotFound; ContextDoesNotFit; StoreUnavailable.
    """
    pool = Pool(settings.pool_threads)
    encodings = Encodings(pool)
    counter = Counter(encodings, pool)
    history = History(store, settings, pool=pool)
    documents = Documents(store, counter, settings)
    conversation = Conversation(caller, conversation_id)
    try:
        reading = await history.read(conversation, Need(None, ""), Freshness())
        # What it would do after its answer, postponing the expiry for instance, is not done.
        contexts = Contexts(store, counter, history, documents, pool)
        context = await contexts.context(conversation, wanted, Freshness(), frozenset(), Later())
    finally:
        await encodings.settle()
    assert context.body is not None
    return Look(caller.tenant, reading.held.snapshot, orjson.loads(b"".join(context.body)))
