"""
Creating conversations and appending to them: one script, one request, all or nothing, and once.

    check -> encode each item once -> count -> script            all but the last in the pool, when the body is large

What was done before is answered as it was then, items deleted since included: the ids come from the seed that the
script replies, all else from the body, which is the same.
"""

import secrets
from collections.abc import Iterator
from copy import copy
from itertools import accumulate
from typing import Any

from shared.budgets.refusals import SETTLE_REFUSALS, raise_settle_refusal
from shared.config import Settings
from shared.conversations.batch import Batch, Prepared, prepared, write_batch
from shared.conversations.conversation import Conversation, now_us
from shared.conversations.info import ConversationInfo, Page
from shared.items.checking import run_checks
from shared.items.counts import PRIMARY_ENCODING
from shared.items.given import Given, count_given
from shared.items.kinds import Kind
from shared.items.messages import normal_items
from shared.items.normalize import write_metadata
from shared.items.short_counts import count_with_shorts
from shared.process.pool import Pool
from shared.request.caller import Caller
from shared.request.owners import NOBODY, Owners
from shared.store.attempts import Attempt, Besides, Ids, Written, etag, send_as_first
from shared.store.command import SMALL_REPLY_BYTES
from shared.store.members import set_names
from shared.store.refusals import id_taken, raise_refusal
from shared.store.upstash import Store
from shared.tokens.counter import Counter
from shared.tokens.where import Texts, naming

LARGE_BYTES = 16 * 1024
LARGE_ITEMS = 16
"""
A body of more than either may take over a millisecond to check and to describe: 40 µs an item, 130 µs where formats
send other things of it, and for as many bytes of JSON in one result 0.4 ms, 1.5 ms where characters are escaped.
"""


class Appending:
    """The use cases that add items."""

    def __init__(self, store: Store, counter: Counter, pool: Pool, settings: Settings) -> None:
        self._store = store
        self._counter = counter
        self._pool = pool
        self._settings = settings

    async def create(
        self,
        caller: Caller,
        attempt: Attempt,
        given: Given,
        raw_metadata: object,
        expires_after_s: int | None,
        chosen_id: str = "",
        owners: Owners = NOBODY,
    ) -> Written[ConversationInfo]:
        """
        Create a conversation of *owners* that holds what is *given*, which is checked and stored as by `append`. It
        gets the *chosen_id*, where there is one.

        Without a chosen id and an Idempotency-Key nothing tells a client's retry from a second conversation, so it
        makes one. Raises ConversationExists: the id is taken, or was until the conversation was deleted lately.
        """
        metadata = write_metadata(raw_metadata, self._settings.metadata_bytes_max)
        expiry_s = self._settings.conversation_expiry_s if expires_after_s is None else expires_after_s
        generation = secrets.token_hex(8)
        mode = "create_as" if chosen_id else "create"

        async def send(one: Attempt) -> list[str]:
            ids = one.ids()
            conversation = Conversation(caller, chosen_id or ids("conv"))
            batch = await self._batch(given, ids, attempt.body_bytes, allow_empty=True)
            names = [conversation.left_name, *set_names(caller.tenant, owners), *one.record_keys(caller.tenant)]
            born: list[str | int] = [generation, expiry_s, batch.at_us // 1_000_000, metadata, *owners]
            return await self._send(conversation, one, mode, batch, born, names)

        _, seed, generation, version, chain, created_at, *more = await send_as_first(attempt, send)
        conversation_id, told = chosen_id or Ids(seed)("conv"), more[1] if len(more) > 1 else ""
        info = ConversationInfo.told(conversation_id, created_at, metadata, version, told, owners)
        self._store.learn_owners(caller.tenant, conversation_id, owners)
        tag = etag(generation, version, chain, info.used_at_unix_s)
        return Written(info, tag, is_replay=seed != attempt.seed)

    async def append(
        self,
        conversation: Conversation,
        attempt: Attempt,
        given: Given,
        settlement: Besides | None = None,
    ) -> Written[Page]:
        """
        Append what is *given*, all of it or nothing, and return the items as they are now stored. With a *settlement*
        the script settles a reservation in the same step.

        Raises:   InvalidValue, TextNotCountable, DuplicateItem, TooLarge, NotFound, Unauthorized, VersionMoved,
                  KeyReused, AlreadySettled: nothing was stored.
                  StoreUnavailable: `outcome_unknown` says whether the batch may have been stored.
        """
        batch = await self.batch(attempt, given)
        return await self.written(attempt, given, batch, await self.send(conversation, attempt, batch, settlement))

    async def batch(self, attempt: Attempt, given: Given) -> Batch:
        """Return the items that `send` takes. Raises as `append`, for what is wrong with them."""
        return await self._batch(given, attempt.ids(), attempt.body_bytes, allow_empty=False)

    async def send(
        self,
        conversation: Conversation,
        attempt: Attempt,
        batch: Batch,
        settlement: Besides | None = None,
        reader: Besides | None = None,
        reply_bytes_max: int = SMALL_REPLY_BYTES,
    ) -> list[Any]:
        """
        Append *batch* and return what the script replies; with a *reader* also what that reads, as append_read.lua
        says. Raises as `append`.
        """
        names = attempt.record_keys(conversation.caller.tenant)
        born: list[str | int] = [0, 0, 0, "{}", *NOBODY]
        return await self._send(
            conversation, attempt, "append", batch, born, names, settlement, reader, reply_bytes_max
        )

    async def written(self, attempt: Attempt, given: Given, batch: Batch, reply: list[Any]) -> Written[Page]:
        """Return what the *reply* to *batch* says: the items, as the attempt that it tells of stored them."""
        _, seed, generation, version, chain, _, *more = reply
        items, is_replay = batch.items, seed != attempt.seed
        at = int(more[0]) if more else None  # An older release kept replies that do not say it, of entries that do not.
        if is_replay:
            items = await self._prepare(given, Ids(seed), attempt.body_bytes, allow_empty=False)
        bodies = [each.body for each in items]
        page = Page(bodies, items[0].id, items[-1].id, has_more=False, times=[at] * len(bodies))
        return Written(page, etag(generation, version, chain), is_replay)

    async def _batch(self, given: Given, ids: Ids, body_bytes: int, *, allow_empty: bool) -> Batch:
        items = await self._prepare(given, ids, body_bytes, allow_empty=allow_empty)
        async with naming(self._pool, given.value, given.field, _texts(items)):
            traits, results = [each.traits for each in items], [each.result for each in items]
            counts = await count_with_shorts(self._counter, PRIMARY_ENCODING, traits, results)
        return await self._pool.run_when(body_bytes > LARGE_BYTES, write_batch, items, counts, now_us())

    async def _prepare(self, given: Given, ids: Ids, body_bytes: int, *, allow_empty: bool) -> list[Prepared]:
        def prepare() -> list[Prepared]:
            return _prepare(given, copy(ids), allow_empty, self._settings)  # The ids of a second call are the same.

        is_large = body_bytes > LARGE_BYTES or count_given(given) > LARGE_ITEMS
        return await run_checks(self._pool, is_large, prepare)

    async def _send(
        self,
        conversation: Conversation,
        attempt: Attempt,
        mode: str,
        batch: Batch,
        born: list[str | int],
        names: list[str],
        settlement: Besides | None = None,
        reader: Besides | None = None,
        reply_bytes_max: int = SMALL_REPLY_BYTES,
    ) -> list[Any]:
        """Return what the script replies, when that is no refusal."""
        settings = self._settings
        besides = [each for each in (settlement, reader) if each is not None]
        reply = await self._store.eval(
            f"append{'_settle' if settlement else ''}{'_read' if reader else ''}",
            [
                *conversation.names,
                conversation.index_names,
                *names,
                *(name for each in besides for name in each.keys),
            ],
            [
                *conversation.arguments(attempt, settings.idempotency_s, batch.at_us),
                mode,
                int(attempt.is_client_retry),
                settings.conversation_entries_max,
                settings.conversation_bytes_max,
                settings.pinned_tokens_max,
                settings.tenant_bytes_max,
                *born,
                settings.conversation_documents_max,
                *batch.arguments(),
                *(argument for each in besides for argument in each.arguments),
            ],
            is_idempotent=True,
            reply_bytes_max=reply_bytes_max,
        )
        if reply[0] in SETTLE_REFUSALS:
            raise_settle_refusal(reply, settings)
        if reply[0] == "exists":
            raise id_taken(conversation.id)
        if reply[0] not in ("ok", "again"):
            raise_refusal(reply, conversation.id, settings, param=_item_over(reply, batch, settings))
        return reply


def _prepare(given: Given, ids: Ids, allow_empty: bool, settings: Settings) -> list[Prepared]:
    normal = normal_items(given, ids, ids.mark, allow_empty=allow_empty, count_max=settings.batch_items_max)
    return [prepared(each, settings) for each in normal]


def _texts(items: list[Prepared]) -> Iterator[Texts]:
    return ((each.at, (each.traits.name, *each.traits.texts, *each.traits.hosted_texts)) for each in items)


def _item_over(reply: list[Any], batch: Batch, settings: Settings) -> str:
    """Return the name of the item with which a conversation exceeds what the script refuses it for."""
    match reply[0]:
        case "pinned":
            limit, added = settings.pinned_tokens_max, _pinned_tokens(batch)
        case "documents":
            # Some of them may have been mentioned before; then it is the item named or one before it.
            limit, added = settings.conversation_documents_max, _new_documents(batch.items)
        case _:
            return batch.items[0].at.partition("[")[0] if batch.items else "items"
    sums = accumulate(added, initial=int(reply[1]) - sum(added))
    return batch.items[next(index for index, total in enumerate(sums, -1) if total > limit and index >= 0)].at


def _pinned_tokens(batch: Batch) -> list[int]:
    return [
        count.overhead_tokens + count.content_tokens if each.traits.kind == Kind.SYSTEM else 0
        for each, count in zip(batch.items, batch.counts, strict=True)
    ]


def _new_documents(items: list[Prepared]) -> list[int]:
    seen: set[str] = set()
    added = []
    for each in items:
        new = {*each.traits.documents} - seen
        seen |= new
        added.append(len(new))
    return added
