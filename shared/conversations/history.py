"""
Conversations as this instance knows them: L1 in front of the store, never stale by default.

    held here and fresh enough for the caller -> L0, no request
    held here                                 -> "I have version v; what came after?" -> L1, or L2 with the news
    not held                                  -> as much as is needed, and a small conversation whole (needs.py)

One request each, and one more for every further 4 MB; news of more than NEWS_BYTES_MAX take one more, and so does a
shared document of which this instance did not know that it is mentioned (document_marks.py). The reader names
generation, version and chain hash of what it holds, so a store that was set back is noticed, and read anew. Callers of
one tick of the loop share a request; one that comes while a conversation is first read waits for that, and then asks
for the news.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from shared.cache.flight import Flights
from shared.cache.l1 import L1
from shared.config import Settings
from shared.conversations.conversation import Conversation
from shared.conversations.document_marks import with_shared_marks
from shared.conversations.held import Held, Reading, remember
from shared.conversations.history_counts import ContextTokens, HistoryCounts
from shared.conversations.needs import Need, Needed
from shared.conversations.provenance import Provenance
from shared.conversations.snapshot import Header, read_header
from shared.conversations.taken import CONTINUING, hold, take
from shared.errors import NotCached, NotFound, StoreUnavailable
from shared.process.clock import Clock, Instant
from shared.process.pool import Pool
from shared.request.freshness import Copy, Freshness, Tier
from shared.request.invocation import is_confirmed, was_confirmed
from shared.store import keys
from shared.store.command import SMALL_REPLY_BYTES
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

REPLIES_MAX = 64
"""Replies that one read may take: four times what the largest conversation fills."""

NEWS_BYTES_MAX = 64 * 1024
"""News of more than this travel alone: nobody else's answer waits for their transfer."""

FOLDED_ENTRIES, FOLDED_CHARS = 300, 512 * 1024
"""More than this takes over a millisecond to fold, and goes to a thread."""

APART_CHARS = 512 * 1024
"""A page of more than this takes over a millisecond to read, and goes to a thread."""

APART = frozenset({"page", "item"})
"""Kinds of replies that are no part of what is held."""

L1_SHARE = 4
"""
Pages extend a tail until it takes this part of L1: who reads a long log to its end drives nothing else out. Nor does a
conversation come whole that would take more.
"""


class Within(Protocol):
    """
    A script of which a read is only a part, sent for one caller and in any case.

    *entries*: what it appended in the same step, behind all that it read; known when it was asked.
    """

    @property
    def entries(self) -> list[str]: ...

    async def ask(self, names: list[str], arguments: list[str | int], reply_bytes_max: int) -> list[Any]:
        """Send it with what the read takes, and return what the script of the read alone would reply."""


class Found[T](NamedTuple):
    """
    What a read found: the *value* that was needed, at *header*; *held*: what it was cut from, if that is held.
    *is_partial*: this instance held a part of that before, and only the rest was transferred.
    """

    value: T
    header: Header
    held: Held | None
    tier: Tier
    age_s: float = 0.0
    is_partial: bool = False


class History:
    """The conversations of one instance."""

    def __init__(self, store: Store, settings: Settings, clock: Clock | None = None, pool: Pool | None = None) -> None:
        self._pool = pool or Pool(settings.pool_threads)
        self._store = store
        self._settings = settings
        self._clock = clock or Clock()
        self._l1: L1[Held] = L1(settings.l1_bytes_max)
        store.erasures.listen(self._l1.forget_of)
        self._flights: Flights[Found[Any]] = Flights()
        self._answers = dict.fromkeys(Tier, 0)
        self.context_tokens = ContextTokens()

    async def read(
        self,
        conversation: Conversation,
        need: Need,
        freshness: Freshness,
        within: Within | None = None,
    ) -> Reading:
        """
        Return the conversation as *freshness* wants it; as the script *within* finds it where that reads it.

        Raises:   NotFound, Unauthorized; NotCached: the store may not be asked and L1 will not do;
                  StoreUnavailable: it was asked and did not answer, and L1 will not do.
        """
        if within is None:
            found = await self._find(conversation, need, freshness)
        else:
            found = await self._load(conversation, need, within)
        self._answers[found.tier] += 1
        assert found.held is not None
        return Reading(found.held, found.tier, found.age_s, conversation, self._l1, found.is_partial)

    async def view[T](self, conversation: Conversation, need: Needed[T], freshness: Freshness) -> tuple[T, Provenance]:
        """Return what is needed, as *freshness* wants it, and its provenance. Raises as `read`, for an item too."""
        found = await self._find(conversation, need, freshness)
        self._answers[found.tier] += 1
        return found.value, Provenance.of(found.header, found.tier, found.age_s, is_partial=found.is_partial)

    def counted(self) -> HistoryCounts:
        """Return what was counted since the start, and what L1 holds now."""
        l1 = self._l1
        return HistoryCounts(dict(self._answers), l1.evictions, len(l1), l1.size_bytes, self._flights.shared)

    def limit_l1(self, share: float) -> None:
        """Let L1 hold *share* of its bound."""
        self._l1.limit(share)

    @property
    def tail_bytes_max(self) -> int:
        """How large a tail may be that pages extend."""
        return self._l1.limit_bytes // L1_SHARE

    @property
    def whole_bytes_max(self) -> int:
        """How large a conversation may be that comes whole."""
        settings = self._settings
        return min(settings.l1_whole_bytes_max, settings.store_reply_bytes_max, self.tail_bytes_max)

    async def _find[T](self, conversation: Conversation, need: Needed[T], freshness: Freshness) -> Found[T]:
        if is_confirmed():
            found = self._from_l1(conversation, need, Tier.L0, freshness.accepts)
            if found is not None:
                return found
        if freshness.is_only_if_cached:
            raise NotCached("This instance has no copy that is fresh enough.")
        try:
            return await self._ask(conversation, need)
        except StoreUnavailable:
            found = None
            if was_confirmed():
                found = self._from_l1(conversation, need, Tier.STALE, freshness.accepts_stale)
            if found is None:
                raise
            return found

    def _from_l1[T](
        self, conversation: Conversation, need: Needed[T], tier: Tier, accepts: Callable[[float, Copy], bool]
    ) -> Found[T] | None:
        """Return what is needed of what L1 holds, None where it does not hold it, or that is not accepted."""
        held = self._l1.get(conversation.place)
        if held is None:
            return None
        age_s = self._clock.age_s(held.validated_at)
        value = need.cut(held.snapshot) if accepts(age_s, held.snapshot) else None
        return Found(value, held.snapshot.header, held, tier, age_s) if value is not None else None

    async def _ask[T](self, conversation: Conversation, need: Needed[T]) -> Found[T]:
        flight = (conversation, need)
        if self._l1.get(conversation.place) is None:
            await self._flights.settle(flight)
        found: Found[T] = await self._flights.share(flight, partial(self._load, conversation, need))
        return found

    async def _load[T](self, conversation: Conversation, need: Needed[T], within: Within | None = None) -> Found[T]:
        place = conversation.place
        held = self._l1.get(place)
        if held is not None and not need.can_start_from(held):
            held = None
        tier, is_first, is_partial = Tier.L1, True, held is not None
        for _ in range(REPLIES_MAX):
            asked_at = self._clock.now()
            has_all = _has_all(need, held)
            # What is news to who has the rest is little, and then travels with what others ask for.
            may_be_short = self._settings.store_reply_bytes_max > NEWS_BYTES_MAX
            is_short = may_be_short and is_first and has_all and _has_counts(need, held) and need.ask is None
            asker = within if is_first else None
            reply = await self._eval(conversation, need, held, asker, has_all=has_all, is_short=is_short)
            header, kind, is_first = read_header(reply[1]), reply[2], False
            is_transferred = kind != "news" or len(reply[4]) > 0
            if asker is not None and _is_followed_by(reply, header, asker.entries):
                reply[4] = [*reply[4], *asker.entries]
            if is_short and not _is_usable(held, kind, header, reply[4]):
                tier = Tier.L2
                continue
            if kind in APART:
                self._forget_before(place, header, asked_at)
                is_large = sum(map(len, reply[4])) > APART_CHARS
                return Found(await self._pool.run_when(is_large, need.read_apart, reply), header, None, Tier.L2)
            if is_transferred:
                tier = Tier.L2
            entries = reply[4]
            is_large = len(entries) > FOLDED_ENTRIES or sum(map(len, entries)) > FOLDED_CHARS
            taken = await self._pool.run_when(is_large, take, held, need.encoding, need.ask, reply)
            held = hold(held, need.encoding, asked_at, taken)
            is_partial = is_partial and kind in CONTINUING
            # Generation, version and chain hash: between two replies the log may have grown, or been set back.
            if held and taken and held.snapshot.header[:3] == header[:3]:
                value = need.cut(held.snapshot, taken.told)
                if value is not None:
                    break
                if not need.can_go_on_from(held):
                    held, is_partial = None, False
        else:
            raise AssertionError("a read took too many replies")
        present = self._l1.get(place)
        is_newest = present is None or present.validated_at <= held.validated_at
        if is_newest and not self._store.erasures.is_outdated(conversation.caller.tenant, held.validated_at):
            remember(self._l1, conversation, held)
        return Found(value, held.snapshot.header, held, tier, is_partial=is_partial and tier is Tier.L2)

    def _forget_before(self, place: tuple[str, str], header: Header, asked_at: Instant) -> None:
        """Forget what is held of another state than *header*: no caller sees what is older than the last answer."""
        held = self._l1.get(place)
        if held is not None and held.validated_at <= asked_at and held.snapshot.header[:3] != header[:3]:
            self._l1.forget(place)

    async def _eval[T](
        self,
        conversation: Conversation,
        need: Needed[T],
        held: Held | None,
        within: Within | None,
        *,
        has_all: bool,
        is_short: bool,
    ) -> list[Any]:
        """Return what the script of *need* replies to who holds *held*. Raises as it refuses."""
        names = [*conversation.names, keys.document_marks_key(conversation.caller.tenant)]
        bytes_max = self._settings.store_reply_bytes_max
        largest = NEWS_BYTES_MAX + SMALL_REPLY_BYTES if is_short else need.reply_bytes_max(self._settings)
        position = held.snapshot.header[:3] if held else ("", 0, "")
        arguments = [
            conversation.caller.key_hash,
            -NEWS_BYTES_MAX if is_short else bytes_max,
            *position,
            *need.arguments(held, has_all=has_all),
        ]
        if within is None:
            read = self._store.eval(need.script, names, arguments, reply_bytes_max=largest)
        else:
            read = within.ask(names, arguments, largest)
        known = held or self._l1.get(conversation.place)
        reply = await with_shared_marks(self._store, read, known.marks if known else ())
        if reply[0] == "unknown":
            self._l1.forget(conversation.place)
        if reply[0] != "ok":
            # What is missing, if it is not the conversation, stands behind what was refused.
            raise_refusal(reply, reply[1] if len(reply) > 1 else conversation.id, self._settings)
        return reply


def _has_counts[T](need: Needed[T], held: Held | None) -> bool:
    return not need.encoding or (held is not None and need.encoding in held.counts)


def _has_all[T](need: Needed[T], held: Held | None) -> bool:
    """Tell whether all that is needed is held, but for counts, as far as it was written then."""
    if held is None:
        return False
    try:
        return need.cut(held.snapshot) is not None
    except NotFound:
        return True


def _is_followed_by(reply: list[Any], header: Header, entries: list[str]) -> bool:
    """Tell whether *entries*, the newest at *header*, come right behind those of *reply*, which may not hold all."""
    return bool(entries) and int(reply[3]) + len(reply[4]) + len(entries) == header.version - header.removed + 1


def _is_usable(held: Held | None, kind: str, header: Header, entries: list[str]) -> bool:
    """Tell whether a short reply is an answer: what does not fit is left out, and another history does not fit."""
    assert held is not None
    return kind == "news" and (bool(entries) or header[:3] == held.snapshot.header[:3])
