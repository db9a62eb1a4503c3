"""
Conversations as this instance knows them: L1 in front of the store, never stale by default.

    held here and fresh enough for the caller -> L0, no request
    held here                                 -> "I have version v; what came after?" -> L1, or L2 with the news
    not held                                  -> all of it, or the tail that a budget can hold

One request each, and one more for every further 4 MB; news of more than NEWS_BYTES_MAX take one more. The reader names
generation, version and chain hash of what it holds, so a store that was set back is noticed, and read anew. Callers of
one tick of the loop share a request; one that comes while a conversation is first read waits for that, and then asks
for the news.
"""

from typing import Any, NamedTuple

from shared.cache.flight import Flights
from shared.cache.l1 import L1
from shared.config import Settings
from shared.context.formats.unit_form import NO_FORMS
from shared.conversations.conversation import Conversation
from shared.conversations.entries import Entry, read_entry
from shared.conversations.held import Held, Reading, remember
from shared.conversations.kept_counts import BLOCK_ENTRIES, read_kept_counts
from shared.conversations.snapshot import Snapshot, advance, begin, extend, read_header
from shared.errors import NotCached, StoreUnavailable
from shared.items.counts import Counts
from shared.items.document_paths import SHARED
from shared.process.clock import Clock, Instant
from shared.process.pool import Pool
from shared.request.caller import Caller
from shared.request.freshness import Freshness, Tier
from shared.request.invocation import is_confirmed, was_confirmed
from shared.store import keys
from shared.store.attempts import Besides
from shared.store.pipeline import SMALL_REPLY_BYTES
from shared.store.refusals import raise_refusal
from shared.store.upstash import Store

REPLIES_MAX = 64
"""Replies that one read may take: four times what the largest conversation fills."""

NEWS_BYTES_MAX = 64 * 1024
"""News of more than this travel alone: nobody else's answer waits for their transfer."""

FOLDED_ENTRIES, FOLDED_CHARS = 300, 512 * 1024
"""More than this takes over a millisecond to fold, and goes to a thread."""

RESERVE_REFUSALS = frozenset({"over", "reservations", "unpriced"})


class ReserveRefused(Exception):
    """The reservation that was to be made with a read is refused; the reply says why."""

    def __init__(self, reply: list[Any]) -> None:
        super().__init__(reply[0])
        self.reply = reply


class Need(NamedTuple):
    """How much of a conversation is needed: its newest *tail_tokens*, or all of it; and the counts in *encoding*."""

    tail_tokens: int | None = None
    encoding: str = ""


class HistoryCounts(NamedTuple):
    """Reads by the tier that answered them; *evictions* from L1, the *conversations* it holds, and their bytes."""

    answers: dict[Tier, int]
    evictions: int
    conversations: int
    size_bytes: int


class History:
    """The conversations of one instance."""

    def __init__(self, store: Store, settings: Settings, clock: Clock | None = None, pool: Pool | None = None) -> None:
        self._pool = pool or Pool(settings.pool_threads)
        self._store = store
        self._settings = settings
        self._clock = clock or Clock()
        self._l1: L1[Held] = L1(settings.l1_bytes_max)
        self._flights: Flights[tuple[Held, Tier]] = Flights()
        self._answers = dict.fromkeys(Tier, 0)

    async def read(
        self,
        conversation: Conversation,
        need: Need,
        freshness: Freshness,
        reserve: Besides | None = None,
    ) -> Reading:
        """
        Return the conversation as *freshness* wants it. With *reserve* the store is asked in any case, for this caller
        alone, and the script sets a reservation aside in the same step; `reserved` is what it replied of that.

        Raises:   NotFound, Unauthorized; NotCached: the store may not be asked and L1 will not do;
                  StoreUnavailable: it was asked and did not answer, and L1 will not do.
        """
        if reserve is None:
            reading = await self._read(conversation, need, freshness)
        else:
            held, tier, reserved = await self._load(conversation, need, reserve)
            reading = Reading(held, tier, 0.0, conversation, self._l1, reserved)
        self._answers[reading.tier] += 1
        return reading

    def counted(self) -> HistoryCounts:
        """Return what was counted since the start, and what L1 holds now."""
        l1 = self._l1
        return HistoryCounts(dict(self._answers), l1.evictions, len(l1), l1.size_bytes)

    async def _read(self, conversation: Conversation, need: Need, freshness: Freshness) -> Reading:
        place = conversation.place
        held = self._l1.get(place)
        if held is not None and _is_enough(held, need) and is_confirmed():
            age_s = self._clock.age_s(held.validated_at)
            if freshness.accepts(age_s, held.snapshot.header.version):
                return Reading(held, Tier.L0, age_s, conversation, self._l1)
        if freshness.is_only_if_cached:
            raise NotCached("This instance has no copy that is fresh enough.")
        try:
            return await self._ask(conversation, need)
        except StoreUnavailable:
            held = self._l1.get(place)
            if held is not None and _is_enough(held, need) and was_confirmed():
                age_s = self._clock.age_s(held.validated_at)
                if freshness.accepts_stale(age_s):
                    return Reading(held, Tier.STALE, age_s, conversation, self._l1)
            raise

    def limit_l1(self, share: float) -> None:
        """Let L1 hold *share* of its bound."""
        self._l1.limit(share)

    def holds(self, conversation: Conversation, need: Need) -> bool:
        """Tell whether a `read` would at the most ask for news."""
        held = self._l1.get(conversation.place)
        return held is not None and _is_enough(held, need)

    async def _ask(self, conversation: Conversation, need: Need) -> Reading:
        place = conversation.place
        flight = (conversation, need)
        if self._l1.get(place) is None:
            await self._flights.settle(flight)

        async def load() -> tuple[Held, Tier]:
            held, tier, _ = await self._load(conversation, need)
            return held, tier

        held, tier = await self._flights.share(flight, load)
        return Reading(held, tier, 0.0, conversation, self._l1)

    async def _load(
        self, conversation: Conversation, need: Need, reserve: Besides | None = None
    ) -> tuple[Held, Tier, list[str] | None]:
        place = conversation.place
        names = [
            *conversation.names,
            keys.document_marks_key(conversation.caller.tenant),
            keys.document_marks_key(SHARED),
        ]
        held = self._l1.get(place)
        if held is not None and not _is_enough(held, need):
            held = None
        tier, reserved = Tier.L1, None
        bytes_max = self._settings.store_reply_bytes_max
        # What is news to who has the rest is little, and then travels with what others ask for.
        may_be_short = held is not None and (not need.encoding or need.encoding in held.counts)
        for _ in range(REPLIES_MAX):
            asked_at = self._clock.now()
            is_short = may_be_short and bytes_max > NEWS_BYTES_MAX
            arguments = self._arguments(conversation.caller, held, need, -NEWS_BYTES_MAX if is_short else bytes_max)
            largest = NEWS_BYTES_MAX + SMALL_REPLY_BYTES if is_short else bytes_max
            if reserve is not None and reserved is None:
                names_and = [*names, *reserve.keys]
                reply = await self._store.eval(
                    "read_reserve", names_and, [*arguments, *reserve.arguments], reply_bytes_max=largest
                )
                if reply[0] == "ok":
                    reserved = reply.pop()
            else:
                reply = await self._store.eval("read", names, arguments, reply_bytes_max=largest)
            if reply[0] != "ok":
                if reply[0] == "unknown":
                    self._l1.forget(place)
                if reply[0] in RESERVE_REFUSALS:
                    raise ReserveRefused(reply)
                raise_refusal(reply, conversation.id, self._settings)
            if reply[2] != "news" or reply[4]:
                tier = Tier.L2
            may_be_short = False
            if is_short and not _is_usable(held, reply):
                tier = Tier.L2
                continue
            entries = reply[4]
            is_large = len(entries) > FOLDED_ENTRIES or sum(map(len, entries)) > FOLDED_CHARS
            taken = await self._pool.run_when(is_large, _take, held, need, reply)
            held = _hold(held, need, asked_at, taken)
            # Generation, version and chain hash: between two replies the log may have grown, or been set back.
            if held and held.snapshot.header[:3] == read_header(reply[1])[:3] and _is_enough(held, need):
                break
        assert held is not None
        present = self._l1.get(place)
        if present is None or present.validated_at <= held.validated_at:
            remember(self._l1, conversation, held)
        return held, tier, reserved

    def _arguments(self, caller: Caller, held: Held | None, need: Need, bytes_max: int) -> list[str | int]:
        header = held.snapshot.header if held else None
        position = (header.generation, header.version, header.chain) if header else ("", 0, "")
        tokens_min, before = need.tail_tokens or 0, ""
        if held and not _is_enough(held, need):
            tokens_min -= held.snapshot.tail_tokens
            before = str(held.snapshot.first)
        amount = ("all" if need.tail_tokens is None else "tail", tokens_min)
        encoding = "" if held and not before and need.encoding in held.counts else need.encoding
        return [
            caller.key_hash,
            bytes_max,
            *position,
            *amount,
            encoding,
            BLOCK_ENTRIES,
            before,
        ]


class Taken(NamedTuple):
    """
    What a reply made of what was held: the *snapshot* after it, and the kept counts and *marks* of documents that it
    brought.
    """

    kind: str
    snapshot: Snapshot
    counts: dict[int, Counts]
    marks: dict[str, str]


def _take(held: Held | None, need: Need, reply: list[Any]) -> Taken | None:
    """Return what *reply* makes of *held*, None when it is no part of the same history. Runs in any thread."""
    _, fields, kind, first, raw_entries, raw_pins, blocks, documents = reply
    header, first = read_header(fields), int(first)
    entries = [read_entry(seq, raw) for seq, raw in enumerate(raw_entries, start=first)]
    pins: list[Entry] = [read_entry(int(raw_pins[at]), raw_pins[at + 1]) for at in range(0, len(raw_pins), 2)]
    if held is not None and kind == "news":
        snapshot = advance(held.snapshot, header, entries)
    elif kind == "older":
        if held is None or header.generation != held.snapshot.header.generation:
            return None
        # What was written since the newer part was read is asked for next.
        snapshot = extend(held.snapshot, first, pins, entries)
    else:
        snapshot = begin(header, first, pins, entries)
    counts = read_kept_counts(blocks) if need.encoding else {}
    return Taken(kind, snapshot, counts, dict(zip(documents[::2], documents[1::2], strict=True)))


def _is_usable(held: Held | None, reply: list[Any]) -> bool:
    """Tell whether a short *reply* is an answer: what does not fit is left out, and another history does not fit."""
    _, fields, kind, _, entries, *_ = reply
    assert held is not None
    return kind == "news" and (bool(entries) or read_header(fields)[:3] == held.snapshot.header[:3])


def _hold(held: Held | None, need: Need, asked_at: Instant, taken: Taken | None) -> Held | None:
    """Return what is held after *taken*. The counts are shared, so only the loop changes them."""
    if taken is None:
        return None
    counts: dict[str, dict[int, Counts]] = {}
    fold = None
    if held is not None and taken.kind in ("news", "older"):
        counts, fold = held.counts, held.fold
        asked_at = held.validated_at if taken.kind == "older" else asked_at
    if need.encoding:
        counts.setdefault(need.encoding, {}).update(taken.counts)
    forms = held.forms if held is not None else NO_FORMS
    return Held(taken.snapshot, asked_at, counts, taken.marks, forms, fold)


def _is_enough(held: Held, need: Need) -> bool:
    snapshot = held.snapshot
    if need.tail_tokens is None or snapshot.is_whole:
        return snapshot.is_whole
    return snapshot.tail_tokens >= need.tail_tokens
