"""
Budgets of model calls, where conversations meet them: reserve with the context that is read for a call, settle with
the answer that is appended after it. Each is part of the script that reads or appends.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import orjson

from shared.budgets.amounts import TOKENS_MAX
from shared.budgets.refusals import RESERVE_REFUSALS, raise_budget_refusal
from shared.budgets.reservations import Budgets, make_id, read_reservation, reservation_keys, unrecorded_kept_s
from shared.config import Settings
from shared.context.wanted import ContextRequest
from shared.conversations.contexts import Context, Contexts
from shared.conversations.conversation import Conversation
from shared.errors import (
    InsufficientRole,
    InvalidValue,
    NotFound,
    RateExceeded,
    ServiceError,
    StoreUnavailable,
    Unauthorized,
    missing_value,
)
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.request.freshness import Freshness
from shared.request.parameters import integer, read_member
from shared.store.attempts import Attempt, Besides, Written
from shared.store.spending import ReservationSpender
from shared.store.upstash import Store

USAGE = (
    (
        integer("input_tokens", 0, TOKENS_MAX, "tokens of the prompt, to the Responses API"),
        integer("prompt_tokens", 0, TOKENS_MAX, "the same to the Chat Completions API"),
    ),
    (
        integer("output_tokens", 0, TOKENS_MAX, "tokens of the answer, to the Responses API"),
        integer("completion_tokens", 0, TOKENS_MAX, "the same to the Chat Completions API"),
    ),
)
"""What is read of `usage`, by one name or the other; providers say more."""


class ReserveRefused(Exception):
    """The reservation that was to be made with a read is refused; the reply says why."""

    def __init__(self, reply: list[Any]) -> None:
        super().__init__(reply[0])
        self.reply = reply


class Reserving:
    """A read that also makes a reservation, the *reply* of `reserve` in reservation.lua once it was asked."""

    def __init__(self, store: Store, reserve: Besides) -> None:
        self._store = store
        self._reserve = reserve
        self.reply: list[str] = []
        self.entries: list[str] = []

    async def ask(self, names: list[str], arguments: list[str | int], reply_bytes_max: int) -> list[Any]:
        """As Within.ask. Raises ReserveRefused."""
        _, _, spender = self._reserve
        assert spender is not None
        # A reservation has an id of its own: sent again it is the same one.
        reply = await self._store.eval(
            "read_reserve",
            [*names, *self._reserve.keys, spender.books],
            [*arguments, *self._reserve.arguments, spender],
            is_idempotent=True,
            reply_bytes_max=reply_bytes_max,
        )
        if reply[0] in RESERVE_REFUSALS:
            raise ReserveRefused(reply)
        if reply[0] == "ok":
            self.reply = reply.pop()
        return reply


class ModelCalls:
    """Contexts for calls whose budget is reserved in the step that reads them."""

    def __init__(self, store: Store, contexts: Contexts, budgets: Budgets, settings: Settings) -> None:
        self._store = store
        self._contexts = contexts
        self._budgets = budgets
        self._settings = settings

    async def context(
        self,
        conversation: Conversation,
        attempt: Attempt,
        wanted: ContextRequest,
        output_tokens: int,
        freshness: Freshness,
        later: Later,
    ) -> Written[Context]:
        """
        Return a context whose body names its `reservation`: the budget, and *output_tokens* for the model's answer.
        What the context did not need of it is given back after the response, all of it when there is no context.

        The same *attempt* again has the same reservation, of which no more is left than its first context needed. Its
        context is that of the log as it is now.

        Raises:   BudgetExceeded, InvalidValue (no price), KeyReused, ReservationEnded: nothing was reserved.
                  Otherwise as Contexts.context.
        """
        caller, reservation_id = conversation.caller, make_id()
        reserve = self._reserve(conversation, attempt, reservation_id, wanted, output_tokens)
        reserving = Reserving(self._store, reserve)
        try:
            context = await self._contexts.context(conversation, wanted, freshness, frozenset(), later, reserving)
        except ReserveRefused as refused:
            raise_budget_refusal(refused.reply, self._settings)
            raise
        except (InsufficientRole, RateExceeded, Unauthorized):
            raise  # Before anything was done.
        except ServiceError:
            # It may not have been made; and where the store is away it ends by itself. A request that was refused
            # leaves no trace, so its key is forgotten with it.
            with suppress(NotFound, StoreUnavailable):
                await self._budgets.release(caller, reservation_id, attempt.record_keys(caller.tenant))
            raise
        assert context.body is not None
        reservation = read_reservation(reserving.reply, self._settings)
        self._budgets.remember(caller, reservation.id, self._store.owners(*conversation.place))
        kept = reservation.lowered(context.tokens + wanted.overhead_tokens, output_tokens)
        if kept != reservation:
            later.add(partial(self._budgets.keep, caller, kept), "giving back", caller.tenant, kept.id)
        *pieces, last = context.body
        body = [*pieces, last[:-1], b',"reservation":', orjson.dumps(kept.as_json()), b"}"]
        return Written(context._replace(body=body), context.etag, reservation.is_replay)

    def _reserve(
        self,
        conversation: Conversation,
        attempt: Attempt,
        reservation_id: str,
        wanted: ContextRequest,
        output_tokens: int,
    ) -> Besides:
        """Return what reserves the budget of a context and the model's answer to it, for whose it is."""
        settings, caller = self._settings, conversation.caller
        model = wanted.model.name if wanted.model else "-"
        return Besides(
            [*attempt.record_keys(caller.tenant), *reservation_keys(caller.tenant, reservation_id)],
            [
                *(attempt.fingerprint if attempt.has_key else "", settings.idempotency_s, reservation_id),
                *(settings.reservation_s, settings.reservation_kept_s, settings.reservations_max),
                *(model, wanted.budget_tokens, output_tokens),
            ],
            conversation.spender,
        )


def read_settlement(body: Mapping[str, Any], caller: Caller, settings: Settings) -> Besides | None:
    """
    Return what settles `reservation` with `usage`, as the Responses or the Chat Completions API report it.

    Raises:   InvalidValue: one without the other, or no numbers. NotFound: no id of a reservation.
    """
    reservation_id, usage = body.get("reservation"), body.get("usage")
    if reservation_id is None and usage is None:
        return None
    if not isinstance(reservation_id, str):
        raise InvalidValue("reservation is required: it is what usage settles.", param="reservation")
    if not isinstance(usage, dict):
        raise InvalidValue("usage is required: it settles the reservation.", param="usage")
    counts = []
    for fields in USAGE:
        field = next((each for each in fields if each.name in usage), fields[0])
        name = f"usage.{field.name}"
        count = read_member(field._replace(name=name), {name: usage.get(field.name)})
        if count is None:
            raise missing_value(name)
        counts.append(count)
    kept_s = unrecorded_kept_s(reservation_id, settings)
    return Besides(
        reservation_keys(caller.tenant, reservation_id),
        [reservation_id, *counts, kept_s],
        ReservationSpender(caller.tenant, reservation_id),
    )
