"""
Creating conversations and appending to them: one script, one request, all or nothing, and once.

    check -> count, off the loop -> encode each item once -> script

What was done before is answered as it was then, items deleted since included: the ids come from the seed that the
script replies, all else from the body, which is the same.
"""

import secrets
import sys
import time
from functools import partial

import orjson
from anyio import to_thread

from shared.auth import Caller
from shared.config import Settings
from shared.conversations.entries import write_entry
from shared.conversations.idempotency import Attempt, Ids, Written, etag
from shared.conversations.refusals import raise_refusal
from shared.conversations.service import ConversationInfo, Page, now_us
from shared.errors import InvalidValue, TooLarge
from shared.items.counts import PRIMARY_ENCODING, count_items
from shared.items.normalize import NormalItem, normalize_items, normalize_metadata
from shared.items.traits import describe
from shared.store import keys
from shared.store.upstash import Store
from shared.tokens.counter import Counter

PYDANTIC_CHECKS = "shared.items.types_check"


class Appending:
    """The use cases that add items."""

    def __init__(self, store: Store, counter: Counter, settings: Settings) -> None:
        self._store = store
        self._counter = counter
        self._settings = settings

    async def create(
        self, caller: Caller, attempt: Attempt, raw_items: object, raw_metadata: object, expires_after_s: int | None
    ) -> Written[ConversationInfo]:
        """
        Create a conversation that holds *raw_items*; they are checked and stored as by `append`.

        Without an Idempotency-Key nothing tells a client's retry from a second conversation, so it makes one.
        """
        ids = attempt.ids()
        conversation_id = ids("conv")
        metadata = orjson.dumps(normalize_metadata(raw_metadata)).decode()
        expiry_s = self._settings.conversation_expiry_s if expires_after_s is None else expires_after_s
        items = await self._check(raw_items, ids, allow_empty=True)
        bodies = self._encode(items)
        born: list[str | int] = [secrets.token_hex(8), expiry_s, int(time.time()), metadata]
        seed, tag, created_at_unix_s = await self._send(caller, conversation_id, attempt, "create", items, bodies, born)
        info = ConversationInfo(Ids(seed)("conv"), created_at_unix_s, metadata)
        return Written(info, tag, is_replay=seed != attempt.seed)

    async def append(self, caller: Caller, conversation_id: str, attempt: Attempt, raw_items: object) -> Written[Page]:
        """
        Append a batch, all of it or nothing, and return the items as they are now stored.

        Raises:   InvalidValue, DuplicateItem, TooLarge, NotFound, Unauthorized, VersionMoved, KeyReused: nothing was
                  stored.
                  StoreUnavailable: `outcome_unknown` says whether the batch may have been stored.
        """
        items = await self._check(raw_items, attempt.ids(), allow_empty=False)
        bodies = self._encode(items)
        seed, tag, _ = await self._send(caller, conversation_id, attempt, "append", items, bodies, [0, 0, 0, "{}"])
        is_replay = seed != attempt.seed
        if is_replay:
            items = await self._check(raw_items, Ids(seed), allow_empty=False)
            bodies = self._encode(items)
        return Written(Page(bodies, items[0].id, items[-1].id, has_more=False), tag, is_replay)

    async def _check(self, raw_items: object, ids: Ids, *, allow_empty: bool) -> list[NormalItem]:
        count_max = self._settings.batch_items_max
        check = partial(normalize_items, raw_items, ids, allow_empty=allow_empty, count_max=count_max)
        # The first item that is not plain imports pydantic: 80 ms, which the loop must not wait for.
        return check() if PYDANTIC_CHECKS in sys.modules else await to_thread.run_sync(check)

    def _encode(self, items: list[NormalItem]) -> list[bytes]:
        bodies, limit = [], self._settings.item_bytes_max
        for index, each in enumerate(items):
            param = f"items[{index}]"
            try:
                body = orjson.dumps(each.item)
            except orjson.JSONEncodeError as error:
                raise InvalidValue(f"{param} cannot be stored: {error}.", param=param) from None
            if len(body) > limit:
                raise TooLarge(
                    f"{param} takes {len(body)} bytes; the limit is {limit}.", param=param, limit_bytes=limit
                )
            bodies.append(body)
        return bodies

    async def _send(
        self,
        caller: Caller,
        conversation_id: str,
        attempt: Attempt,
        mode: str,
        items: list[NormalItem],
        bodies: list[bytes],
        born: list[str | int],
    ) -> tuple[str, str, int]:
        """Return the seed of the attempt that did it, the entity tag after it, and when the conversation was made."""
        settings, tenant = self._settings, caller.tenant
        reply = await self._store.eval(
            "append",
            [
                keys.tenant_key(tenant),
                keys.conversation_key(tenant, conversation_id),
                keys.activity_key(tenant),
                keys.metadata_key(tenant),
                *attempt.record_keys(tenant),
            ],
            [
                caller.key_hash,
                *attempt.arguments(settings.idempotency_s),
                now_us(),
                conversation_id,
                mode,
                int(attempt.is_client_retry),
                settings.conversation_entries_max,
                settings.conversation_bytes_max,
                settings.pinned_tokens_max,
                *born,
                settings.conversation_documents_max,
                *await self._count(items, bodies),
            ],
            is_idempotent=True,
        )
        if reply[0] != "ok":
            raise_refusal(reply, conversation_id, settings)
        _, seed, generation, version, created_at = reply
        return seed, etag(generation, version), int(created_at)

    async def _count(self, items: list[NormalItem], bodies: list[bytes]) -> list[str | int]:
        """Return what the script takes of all items together, and of each."""
        traits = [describe(each.item) for each in items]
        counts = await count_items(self._counter, PRIMARY_ENCODING, traits)
        paths = dict.fromkeys(path for trait in traits for path in trait.documents)
        arguments: list[str | int] = ["".join(f"\n{path}" for path in paths)]
        for each, trait, count, body in zip(items, traits, counts, bodies, strict=True):
            tokens = count.overhead_tokens + count.content_tokens
            entry = write_entry(each.id, trait, count, body)
            arguments += [each.id, "1" if each.given_id else "0", trait.kind, tokens, entry]
        return arguments
