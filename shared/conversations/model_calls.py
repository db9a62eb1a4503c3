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
from shared.budgets.reservations import Budgets, make_id, raise_budget_refusal, read_reservation, reservation_keys
from shared.config import Settings
from shared.context.wanted import ContextRequest
from shared.conversations.contexts import Context, Contexts
from shared.conversations.conversation import Conversation
from shared.conversations.history import ReserveRefused
from shared.errors import InvalidValue, NotFound, ServiceError, StoreUnavailable
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.request.freshness import Freshness
from shared.request.parameters import integer, read_member
from shared.store.attempts import Besides

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


class ModelCalls:
    """Contexts for calls whose budget is reserved in the step that reads them."""

    def __init__(self, contexts: Contexts, budgets: Budgets, settings: Settings) -> None:
        self._contexts = contexts
        self._budgets = budgets
        self._settings = settings

    async def context(
        self,
        conversation: Conversation,
        wanted: ContextRequest,
        output_tokens: int,
        freshness: Freshness,
        later: Later,
    ) -> Context:
        """
        Return a context whose body names its `reservation`: the budget, and *output_tokens* for the model's answer.
        What the context did not need of it is given back after the response, all of it when there is no context.

        Raises:   BudgetExceeded, InvalidValue (no price): nothing was reserved. Otherwise as Contexts.context.
        """
        caller, reserve = conversation.caller, self._reserve(conversation.caller, wanted, output_tokens)
        try:
            context = await self._contexts.context(conversation, wanted, freshness, frozenset(), later, reserve)
        except ReserveRefused as refused:
            raise_budget_refusal(refused.reply, self._settings)
            raise
        except ServiceError:
            # It may not have been made; and where the store is away it ends by itself.
            with suppress(NotFound, StoreUnavailable):
                await self._budgets.release(caller, str(reserve.arguments[0]))
            raise
        assert context.body is not None
        assert context.reserved is not None
        reservation = read_reservation(context.reserved)
        used_tokens = context.tokens + wanted.overhead_tokens
        later.add(partial(self._budgets.keep, caller, reservation.id, used_tokens, output_tokens))
        shown = orjson.dumps({**reservation.as_json(), "tokens": used_tokens + output_tokens})
        *pieces, last = context.body
        return context._replace(body=[*pieces, last[:-1], b',"reservation":', shown, b"}"])

    def _reserve(self, caller: Caller, wanted: ContextRequest, output_tokens: int) -> Besides:
        """Return what reserves the budget of a context and the model's answer to it."""
        settings, reservation_id = self._settings, make_id()
        model = wanted.model.name if wanted.model else "-"
        return Besides(
            reservation_keys(caller.tenant, reservation_id),
            [
                reservation_id,
                *(settings.reservation_s, settings.reservation_kept_s, settings.reservations_max),
                *(model, wanted.budget_tokens, output_tokens),
            ],
        )


def read_settlement(body: Mapping[str, Any], caller: Caller) -> Besides | None:
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
        count = read_member(next((each for each in fields if each.name in usage), fields[0]), usage)
        if count is None:
            raise InvalidValue(f"usage.{fields[0].name} is required.", param="usage")
        counts.append(count)
    return Besides(reservation_keys(caller.tenant, reservation_id), [reservation_id, *counts])
