"""
Budgets of model calls, where conversations meet them: reserve with the context that is read for a call, settle with
the answer that is appended after it. Each is part of the script that reads or appends.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from shared.budgets.amounts import TOKENS_MAX
from shared.budgets.reservations import Budgets, make_id, read_reservation, reservation_keys
from shared.config import Settings
from shared.context.wanted import ContextRequest
from shared.conversations.contexts import Context
from shared.errors import InvalidValue
from shared.jsonbytes.write import Pieces
from shared.request.after_response import Later
from shared.request.caller import Caller
from shared.request.parameters import integer
from shared.store.attempts import Besides


def reserve_for(wanted: ContextRequest, values: Mapping[str, Any], caller: Caller, settings: Settings) -> Besides:
    """Return what reserves the budget of a context and the model's answer to it."""
    model = wanted.model.name if wanted.model else "-"
    reservation_id = make_id()
    return Besides(
        reservation_keys(caller.tenant, reservation_id),
        [
            reservation_id,
            *(settings.reservation_s, settings.reservation_kept_s, settings.reservations_max),
            *(model, wanted.budget_tokens, answer_tokens(wanted, values)),
        ],
    )


def answer_tokens(wanted: ContextRequest, values: Mapping[str, Any]) -> int:
    """Return how many tokens the model's answer may take."""
    asked = integer(values, "reserve_output", low=0, high=TOKENS_MAX)
    return (wanted.model.reserve_tokens if wanted.model else 0) if asked is None else asked


def with_reservation(
    context: Context, wanted: ContextRequest, values: Mapping[str, Any], budgets: Budgets, caller: Caller, later: Later
) -> Pieces:
    """Return the body of *context* with its reservation, whose surplus is given back after the response."""
    assert context.body is not None
    assert context.reserved is not None
    reservation = read_reservation(context.reserved)
    used = context.tokens + wanted.overhead_tokens
    output = answer_tokens(wanted, values)
    later.add(partial(budgets.keep, caller, reservation.id, used, output))
    shown = orjson.dumps({**reservation.as_json(), "tokens": used + output})
    *pieces, last = context.body
    return [*pieces, last[:-1], b',"reservation":', shown, b"}"]


def read_settlement(body: Mapping[str, Any], caller: Caller) -> Besides | None:
    """
    Return what settles `reservation` with `usage`, as the Responses or the Chat Completions API report it.

    Raises:   InvalidValue: one without the other, or no numbers. NotFound: no id of a reservation.
    """
    reservation_id, usage = body.get("reservation"), body.get("usage")
    if reservation_id is None and usage is None:
        return None
    if not isinstance(reservation_id, str):
        raise InvalidValue("usage needs the reservation that it settles.", param="reservation")
    if not isinstance(usage, dict):
        raise InvalidValue("reservation needs the usage that settles it.", param="usage")
    counts = []
    for names in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        name = next((each for each in names if each in usage), names[0])
        count = integer(usage, name, low=0, high=TOKENS_MAX)
        if count is None:
            raise InvalidValue(f"usage.{names[0]} is missing.", param="usage")
        counts.append(count)
    return Besides(reservation_keys(caller.tenant, reservation_id), [reservation_id, *counts])
