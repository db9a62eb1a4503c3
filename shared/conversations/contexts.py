"""
Contexts: everything that matters of a conversation, in at most N tokens.

    read the log (one request per 4 MB) -> fold -> fit -> render -> splice

Choosing and rendering are pure (shared/context/); no count is made here when the encoding is the primary one.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from shared.auth import Caller
from shared.config import Settings
from shared.context.fit import Selection, fit
from shared.context.render import FORMATS, Rendering, render
from shared.context.units import fold as fold_units
from shared.conversations.entries import Entry, read_entry
from shared.conversations.kept_counts import read_kept_counts, recount, write_kept_counts
from shared.conversations.refusals import raise_refusal
from shared.conversations.service import Conversations
from shared.conversations.snapshot import Snapshot, fold, read_header
from shared.errors import ContextDoesNotFit, InvalidValue
from shared.items.counts import PRIMARY_ENCODING, Counts
from shared.items.item import Item
from shared.later import Later
from shared.parameters import boolean, choice, integer
from shared.store import keys
from shared.store.upstash import Store
from shared.token_counts import read_encoding
from shared.tokens.counter import Counter
from shared.tokens.models import Model

TOKENS_MAX = 100_000_000
PARAMETERS = frozenset({"model", "encoding", "budget", "reserve_output", "overhead_tokens", "stable_prefix", "format"})


class ContextRequest(NamedTuple):
    """What a context is wanted for. Of the budget, the caller fills *overhead_tokens* itself."""

    model: Model | None
    encoding: str
    budget_tokens: int
    overhead_tokens: int
    stable_prefix: bool
    format: str


def read_context_request(values: Mapping[str, Any]) -> ContextRequest:
    """Return the request that query parameters or a body describe. Raises InvalidValue, which names the field."""
    model, encoding = read_encoding(values, default=PRIMARY_ENCODING)
    overhead = integer(values, "overhead_tokens", low=0, high=TOKENS_MAX) or 0
    reserve = integer(values, "reserve_output", low=0, high=TOKENS_MAX)
    budget = integer(values, "budget", low=1, high=TOKENS_MAX)
    if budget is None:
        if model is None or model.window_tokens is None:
            raise InvalidValue("budget is needed: no window is known to derive it from.", param="budget")
        budget = model.window_tokens - (model.reserve_tokens if reserve is None else reserve)
        if budget < 1:
            raise InvalidValue(
                f"reserve_output leaves nothing of the window of {model.window_tokens}.",
                param="reserve_output",
            )
    if overhead >= budget:
        raise InvalidValue(f"overhead_tokens leaves nothing of the budget of {budget}.", param="overhead_tokens")
    return ContextRequest(
        model,
        encoding,
        budget,
        overhead,
        boolean(values, "stable_prefix"),
        choice(values, "format", FORMATS, "items"),
    )


class Contexts:
    """Reads conversations and answers with the part of them that fits."""

    def __init__(self, store: Store, counter: Counter, settings: Settings, conversations: Conversations) -> None:
        self._store = store
        self._counter = counter
        self._settings = settings
        self._conversations = conversations

    async def context(self, caller: Caller, conversation_id: str, wanted: ContextRequest, later: Later) -> bytes:
        """
        Return the JSON of a `conversation.context`: promises (a) to (g) of the README.

        Raises:   ContextDoesNotFit, NotFound, Unauthorized, StoreUnavailable.
        """
        snapshot, kept_counts = await self._read(caller, conversation_id, wanted.encoding)
        header = snapshot.header
        self._conversations.touch_when_due(caller, conversation_id, header.expiry_s, header.used_at_unix_s, later)
        items = list(snapshot.items)
        if wanted.encoding != PRIMARY_ENCODING:
            items, fresh = await recount(self._counter, wanted.encoding, items, kept_counts)
            if fresh:
                blocks = write_kept_counts(kept_counts | fresh, list(fresh))
                later.add(
                    partial(self._keep_counts, caller, conversation_id, header.generation, wanted.encoding, blocks)
                )
        selection = _choose(items, wanted)
        return _write_context(conversation_id, header.version, wanted, selection, render(wanted.format, selection))

    async def _read(self, caller: Caller, conversation_id: str, encoding: str) -> tuple[Snapshot, dict[int, Counts]]:
        """
        Return the newest snapshot and the counts kept for *encoding*: one request per reply of the largest size.

        The log only grows and later requests read to its newest end, so what was deleted meanwhile is deleted here.
        """
        names = [keys.tenant_key(caller.tenant), keys.conversation_key(caller.tenant, conversation_id)]
        wanted = "" if encoding == PRIMARY_ENCODING else encoding
        entries: list[Entry] = []
        kept: dict[int, Counts] = {}
        following = 1
        while True:
            reply = await self._store.eval(
                "read", names, [caller.key_hash, following, self._settings.store_reply_bytes_max, wanted]
            )
            if reply[0] != "ok":
                raise_refusal(reply, conversation_id, self._settings)
            header = read_header(reply[1])
            entries += [read_entry(seq, raw) for seq, raw in enumerate(reply[3], start=following)]
            kept |= read_kept_counts(reply[4])
            following = int(reply[2])
            if following > header.version:
                return Snapshot(header, fold(header, entries).items), kept

    async def _keep_counts(
        self, caller: Caller, conversation_id: str, generation: str, encoding: str, blocks: dict[int, str]
    ) -> None:
        names = [keys.tenant_key(caller.tenant), keys.conversation_key(caller.tenant, conversation_id)]
        fields = [part for block in blocks.items() for part in block]
        await self._store.eval("keep_counts", names, [caller.key_hash, generation, encoding, *fields])


def _choose(items: list[Item], wanted: ContextRequest) -> Selection:
    try:
        return fit(fold_units(items), wanted.budget_tokens - wanted.overhead_tokens, stable_prefix=wanted.stable_prefix)
    except ContextDoesNotFit as error:
        if not wanted.overhead_tokens:
            raise
        needed_tokens = error.needed_tokens + wanted.overhead_tokens
        raise ContextDoesNotFit(wanted.budget_tokens, needed_tokens) from None


def _write_context(
    conversation_id: str, version: int, wanted: ContextRequest, selection: Selection, rendering: Rendering
) -> bytes:
    is_known = wanted.model is None or wanted.model.exact
    omitted = selection.omitted
    return orjson.dumps(
        {
            "object": "conversation.context",
            "conversation_id": conversation_id,
            "version": version,
            "model": wanted.model.name if wanted.model else None,
            "encoding": wanted.encoding,
            "exact": is_known and selection.only_text,
            "counting": "estimate" if not is_known else "exact" if selection.only_text else "rule",
            "format": wanted.format,
            "budget": wanted.budget_tokens,
            "overhead_tokens": wanted.overhead_tokens,
            "tokens": selection.tokens,
            "uncounted_tokens": selection.hosted_tokens,
            **{name: orjson.Fragment(value) for name, value in rendering.members.items()},
            "kept": {
                "items": len(selection.items),
                "first_id": selection.first_id,
                "last_id": selection.last_id,
            },
            "omitted": {
                "items": omitted.items,
                "tokens": omitted.tokens,
                "unsupported": rendering.unsupported,
                "orphan_outputs": omitted.orphan_outputs,
                "unanswered_calls": omitted.unanswered_calls,
                "dangling_reasoning": omitted.dangling_reasoning,
            },
        }
    )
