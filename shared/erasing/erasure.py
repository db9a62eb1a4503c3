"""
Erasing a user: all conversations of theirs and whatever follows from these, with a receipt at the end.

    begin     the user is fenced: from now on nobody sees or changes anything of theirs; instances learn of it with
              their next request (shared/request/erasures.py)
    erase     conversations, some at a time: logs, rows, places in indexes, what is left of deleted ones; then imports
              that are not finished
    documents what the tiers keep of those that they mentioned
    end       the fence goes, and the receipt is kept for a day

A call does as much as there is time for, and the next one goes on, from whichever instance: how far it is stands in the
store. It is over not before every instance has asked the store for the key again, so that no answer from memory, whose
caller was confirmed before the fence, comes after the receipt.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from hashlib import sha1
from typing import Any, NamedTuple

from shared.config import Settings
from shared.erasing.documents import forget_documents
from shared.erasing.receipts import Receipt, subject_sha256
from shared.errors import BeingErased
from shared.items.document_paths import PATH_BYTES_MAX
from shared.request.caller import Caller
from shared.request.invocation import CURRENT, invalid_key
from shared.request.permits import KNOWN_S
from shared.store import keys
from shared.store.indexes import Names, Spread, every_place
from shared.store.upstash import Store
from shared.version import VERSION

CALL_S = 2.0
"""A call begins no further step after so long."""

CONVERSATIONS_MAX = 1_000
"""Erased by one call."""

TOGETHER = 200
"""Erased by one script."""

USERS_MAX = 16
"""Erased at once of one tenant: every script of it reads who they are."""

HELD_S = KNOWN_S + 1.0
"""From the fence on an instance may answer from memory for at most KNOWN_S; clocks do not run alike."""

DOCUMENTS_HELD_S = 20.0
"""By then what was under way for documents is done, and uses of them that an instance counted are handed over, or
dropped (shared/documents/heat.py)."""

RECEIPT_KEPT_S = 86_400
PATHS_TOGETHER = 500
ID_BYTES = 16
USER, AGENT = "user", "agent"


class Sums(NamedTuple):
    """What was erased so far; *begun_ms* is the store's time."""

    id: str
    begun_ms: int
    conversations: int
    items: int
    bytes: int
    names: int

    @classmethod
    def read(cls, told: list[str]) -> "Sums":
        """Return what removing.lua tells."""
        erasure_id, *numbers = told
        return cls(erasure_id, *map(int, numbers))


class Erased(NamedTuple):
    """How far an erasure is. *receipt* is there when it is over; else it is to be asked for again, after *wait_s*."""

    conversations: int
    items: int
    bytes: int
    receipt: Receipt | None = None
    wait_s: float = 0.0


class UserErasure:
    """The erasing of one *user* of *caller*'s tenant."""

    def __init__(self, store: Store, settings: Settings, caller: Caller, user: str) -> None:
        self._store = store
        self._settings = settings
        self._caller = caller
        self._user = user
        tenant, name = caller.tenant, keys.digest(user)
        self._digest = name
        self._mark = sha1(user.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
        self._members = keys.members_key(tenant, USER, user)
        self._importing = keys.importing_key(tenant, user)
        self._spending = keys.spending_key(tenant, USER, user)
        self._built = keys.built_key(tenant)
        self._mentioned = keys.mentioned_key(tenant, name)
        self._receipt = keys.erased_key(tenant, name)

    async def go_on(self) -> Erased:
        """
        Erase as much as one call may; begin where that is to be done.

        Raises:   Unauthorized; BeingErased: as many others as may be at once are. StoreUnavailable: the next goes on.
        """
        end_at_s = time.monotonic() + CALL_S
        invocation = CURRENT.get()
        if invocation is not None:
            end_at_s = min(end_at_s, invocation.deadline_at_s - self._settings.store_timeout_s)
        names = [self._tenant, self._members, self._importing, self._spending, self._receipt, self._built]
        begun = await self._eval(
            "erase_begin", names, [self._mark, self._digest, secrets.token_hex(ID_BYTES), USERS_MAX, 2 * TOGETHER]
        )
        if begun[1] == "none":
            return _over(self._receipt_of(_nothing(begun[2])))
        if begun[1] == "over":
            return _over(self._receipt_of(begun[2]))
        sums = Sums.read(begun[3])
        begun_at_s = time.monotonic() - max(0, int(begun[2]) - sums.begun_ms) / 1_000
        sums, is_all = await self._conversations(sums, begun[4], end_at_s)
        if not is_all:
            return _going(sums)
        wait_s = begun_at_s + HELD_S - time.monotonic()
        if wait_s <= 0:
            wait_s = await self._forget_documents(begun_at_s + DOCUMENTS_HELD_S, end_at_s)
        return _going(sums, wait_s) if wait_s > 0 else await self._end(sums)

    async def _conversations(self, sums: Sums, ids: list[str], end_at_s: float) -> tuple[Sums, bool]:
        """
        Erase conversations, of which *ids* are the first; return the sums after it, and whether these were all.

        While some are erased, those that come next are looked at: both travel together.
        """
        batch, done = ids[:TOGETHER], 0
        following = ids[TOGETHER:]
        agents = await self._look(batch)
        while batch:
            if done >= CONVERSATIONS_MAX or (done and time.monotonic() >= end_at_s):
                return sums, False
            done += len(batch)
            erased, agents = await asyncio.gather(self._erase(batch, agents), self._look(following))
            if erased is None:
                return sums, False
            sums, ids = erased
            batch, following = following, [each for each in ids if each not in following][:TOGETHER]
            if not batch:
                # They came behind the last ones.
                batch, following = following, []
                agents = await self._look(batch)
        return sums, True

    async def _look(self, ids: list[str]) -> list[str]:
        """Return the agent of each conversation, "" for none."""
        if not ids:
            return []
        names = [self._tenant, *(keys.conversation_key(self._caller.tenant, each) for each in ids)]
        return list((await self._eval("erase_look", names, []))[1])

    async def _erase(self, ids: list[str], agents: list[str]) -> tuple[Sums, list[str]] | None:
        """Erase some conversations; return the sums after it and ids of more, None where another call ended it all."""
        tenant = self._caller.tenant
        names: list[str | Names] = [self._tenant, self._members, self._importing, self._mentioned, self._built]
        for each, agent in zip(ids, agents, strict=True):
            of_agent = keys.members_key(tenant, AGENT, agent) if agent else self._members
            left = keys.left_key(tenant, keys.mark_of(each))
            own = [keys.conversation_key(tenant, each), keys.import_key(tenant, each), left, of_agent]
            names += [*own, every_place(tenant, each)]
        arguments: list[str | int | Spread] = [Spread(tenant), self._mark, 2 * TOGETHER, *ids]
        reply = await self._eval("erase", names, arguments)
        return None if reply[0] == "over" else (Sums.read(reply[1]), reply[2])

    async def _forget_documents(self, due_at_s: float, end_at_s: float) -> float:
        """Forget what the conversations mentioned, from *due_at_s* on; return how long to the next step, 0 for done."""
        while True:
            paths = await self._store.command(
                "SRANDMEMBER", self._mentioned, PATHS_TOGETHER, reply_bytes_max=PATHS_TOGETHER * PATH_BYTES_MAX
            )
            if not paths:
                return 0.0
            if time.monotonic() < due_at_s:
                return due_at_s - time.monotonic()
            await forget_documents(self._store, self._caller.tenant, paths)
            await self._store.command("SREM", self._mentioned, *paths, is_idempotent=True)
            if time.monotonic() >= end_at_s:
                return 0.1

    async def _end(self, sums: Sums) -> Erased:
        names = [self._tenant, self._members, self._importing, self._spending, self._mentioned, self._receipt]
        reply = await self._eval("erase_end", names, [self._mark, RECEIPT_KEPT_S, VERSION, self._settings.deployment])
        if reply[0] == "ok":
            return _over(self._receipt_of(reply[1]))
        # Another call ended it, or began to erase what came since.
        return _going(sums)

    def _receipt_of(self, line: str) -> Receipt:
        """Return the receipt of what erase_end.lua keeps as *line*."""
        erasure_id, begun_ms, ended_ms, conversations, items, size_bytes, names, version, deployment = line.split(" ")
        return Receipt(
            f"erasure_{erasure_id}",
            USER,
            self._caller.tenant,
            subject_sha256(self._user),
            int(conversations),
            int(items),
            int(size_bytes),
            int(names),
            int(begun_ms) // 1_000,
            int(ended_ms) // 1_000,
            deployment or self._settings.deployment,
            version,
        )

    @property
    def _tenant(self) -> str:
        return keys.tenant_key(self._caller.tenant)

    async def _eval(
        self, script: str, names: Sequence[str | Names], arguments: Sequence[str | int | Spread]
    ) -> list[Any]:
        """Run a script that may be sent twice. Raises Unauthorized, BeingErased."""
        reply = await self._store.eval(script, names, [self._caller.key_hash, *arguments], is_idempotent=True)
        if reply[0] == "unauthorised":
            raise invalid_key()
        if reply[0] == "many":
            raise BeingErased(
                f"{USERS_MAX} other users of the tenant are being erased: go on with those first; nothing was done.",
                param="user",
                code="too_many_erasures",
                limit_users=USERS_MAX,
            )
        return reply


def _nothing(now_ms: str) -> str:
    """Return what erase_end.lua would keep of an erasure that found nothing."""
    return f"{secrets.token_hex(ID_BYTES)} {now_ms} {now_ms} 0 0 0 0 {VERSION} "


def _going(sums: Sums, wait_s: float = 0.0) -> Erased:
    return Erased(sums.conversations, sums.items, sums.bytes, None, wait_s)


def _over(receipt: Receipt) -> Erased:
    return Erased(receipt.conversations, receipt.items, receipt.bytes, receipt)
