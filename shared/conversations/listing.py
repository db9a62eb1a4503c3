"""
Lists of conversations: a tenant's by their last write, those of a user or an agent by their creation, the newest first.

    find -> script -> rows of the tenant's index -> what each says; of one in doubt, what the conversation says

Rows that a script left half-way are made right first (repairing.py). Nothing is scanned: a list walks the index of all,
or the set of a user or an agent, from its newest end.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.info import ConversationInfo, Page
from shared.conversations.repairing import repair
from shared.errors import StoreFull
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.request.owners import Owners
from shared.store import keys
from shared.store.indexes import Names, Spread, all_indexes
from shared.store.members import set_names
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

STEPS_MAX = 10
"""Of a filtered list that finds nothing."""

REPAIRS_MAX = 3
"""How often one list is asked for anew because rows had to be made right first."""

ROW, MET_AS = 7, 3
"""How many texts list.lua replies of one conversation, and of one that is in doubt, or expired."""

ROW_BYTES_MAX = 10_000
"""What they are at the most, about."""

FORGOTTEN_MAX = 100
"""Of a user's conversations that expired so many are taken out of the user's set after one list."""


class Met(NamedTuple):
    """A *conversation* that is to be made right, and by whose rows or in whose sets it was met."""

    conversation: Conversation
    met_as: list[Owners]


class Listing:
    """The use case that lists conversations."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def find(
        self, caller: Caller, after: str, limit: int, metadata: dict[str, str], owners: Owners, later: Later
    ) -> Page:
        """
        Return the tenant's conversations that have *metadata*, newest activity first; of *owners* only theirs, newest
        creation first.

        A filter looks at Settings.list_scan_max conversations in a step, of which there are STEPS_MAX until one is
        found: a page that is empty although there are more ends the loop of a client that goes on after its last
        element. Behind the last step it is empty all the same, and only `next_after` goes on. Where rows cannot be made
        right, as in a store that is full, the conversations are asked; a page may then hold fewer than *limit*.
        """
        found: list[ConversationInfo] = []
        expired: list[Met] = []
        more = True
        for _ in range(STEPS_MAX):
            found, after, more, gone = await self._step(caller, after, limit, metadata, owners)
            expired += gone
            if found or not more:
                break
        if expired:
            work = partial(self._repair, expired[:FORGOTTEN_MAX])
            later.offer(work, "forgetting conversations that expired", caller.tenant)
        first_id, last_id = (found[0].id, found[-1].id) if found else (None, None)
        return Page([each.as_json() for each in found], first_id, last_id, more, after if more else None)

    async def _step(
        self, caller: Caller, after: str, limit: int, metadata: dict[str, str], owners: Owners
    ) -> tuple[list[ConversationInfo], str, bool, list[Met]]:
        """
        Return what one step finds, the last conversation that it looked at, whether there are more, and of *owners*
        those that have expired.
        """
        tenant, spread, is_full = caller.tenant, Spread(caller.tenant), False
        wanted = [part for pair in metadata.items() for part in pair]
        sets = set_names(tenant, owners)
        names: list[str | Names] = [
            keys.tenant_key(tenant),
            keys.left_key(tenant, keys.mark_of(after)),
            all_indexes(tenant),
            *sets,
        ]
        arguments: list[str | int | Spread] = [
            caller.key_hash,
            spread,
            after,
            limit,
            int(time.time()),
            self._settings.list_scan_max,
        ]
        script = "list_members" if sets else "list"
        for left in reversed(range(REPAIRS_MAX + 1)):
            told = [*arguments, int(left == 0 or is_full), *owners, *wanted]
            reply = await self._store.eval(script, names, told, reply_bytes_max=limit * ROW_BYTES_MAX)
            if reply[0] != "pending":
                break
            try:
                await self._repair(_met(caller, reply[1], owners))
            except StoreFull:
                is_full = True
        if reply[0] != "ok":
            raise_refusal(reply, after, self._settings)
        _, more, last, rows, expired = reply
        read = (self._read_row(caller, rows[at : at + ROW], metadata, owners) for at in range(0, len(rows), ROW))
        found = [each for each in await asyncio.gather(*read) if each is not None]
        return found, last, more == "1", _met(caller, expired, owners)

    async def _repair(self, met: list[Met]) -> None:
        await asyncio.gather(*(repair(self._store, each.conversation, each.met_as) for each in met))

    async def _read_row(
        self, caller: Caller, row: list[str], metadata: dict[str, str], owners: Owners
    ) -> ConversationInfo | None:
        """
        Return what a *row* of a list says, or the conversation where it is in doubt: None if that has not the
        *metadata* and the *owners* that are wanted.
        """
        conversation_id, created_at, its_metadata, used_at, expiry_s, *whose = row
        if created_at == "?":
            name = Conversation(caller, conversation_id).names[1]
            version, created_at, its_metadata, used_at, expiry_s, *told = await self._store.command(
                *("HMGET", name, "v", "c", "m", "t", "e", "us", "ag"),
                is_idempotent=True,
                reply_bytes_max=ROW_BYTES_MAX,
            )
            whose = [each or "" for each in told]
            is_theirs = all(name in ("", each) for name, each in zip(owners, whose, strict=True))
            if version is None or not is_theirs or not metadata.items() <= orjson.loads(its_metadata).items():
                return None
        life = int(used_at), int(expiry_s)
        return ConversationInfo(conversation_id, int(created_at), its_metadata, *life, owners=Owners(*whose))


def _met(caller: Caller, told: Sequence[Any], owners: Owners) -> list[Met]:
    """Return conversations that a script *told* of as id, user, agent of its row, …, met while *owners* were asked."""
    rows = (told[at : at + MET_AS] for at in range(0, len(told), MET_AS))
    return [Met(Conversation(caller, each[0]), [Owners(*each[1:]), owners]) for each in rows]
