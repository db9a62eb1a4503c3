"""
The kept items of a selection, read: what the renderers of message formats share.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from shared.context.call_ids import call_id_of
from shared.context.unit import Unit
from shared.items.chat import ChatForm
from shared.items.item import Item, read_extras
from shared.items.kinds import Kind
from shared.items.shown import NO_EXTRAS, Extras
from shared.items.types import chat_form

Message = dict[str, Any]

_CALL, _OUTPUT = Kind.CALL, Kind.OUTPUT


class Sent(NamedTuple):
    """A kept item with its chat form, None where it has none; *call_id*: what a call or an output is sent with."""

    item: Item
    body: Mapping[str, Any]
    form: ChatForm | None
    extras: Extras
    call_id: str
    is_open: bool = False


class SentUnit(NamedTuple):
    """
    One unit: *head* becomes one message, each of *outputs* answers one of its calls. *answers*: which of the answered
    ones, none where they come in the order of the calls.
    """

    head: list[Sent]
    outputs: list[Sent]
    answers: tuple[int, ...] = ()


def read_unit(unit: Sequence[Item], chosen: Unit) -> SentUnit:
    """Parse the items of *unit*, which is sent as *chosen* says."""
    head: list[Sent] = []
    outputs: list[Sent] = []
    answered = iter(_answered(chosen))
    calls = 0
    for item in unit:
        kind, body = item.kind, orjson.loads(item.body)
        form = chat_form(body)
        if item.name and form is not None:
            form = form._replace(name=item.name)
        extras = read_extras(item) if item.extras else NO_EXTRAS
        if kind == _OUTPUT:
            outputs.append(Sent(item, body, form, extras, next(answered, None) or call_id_of(item.pair_key) or ""))
        elif kind == _CALL:
            call_id = chosen.call_ids[calls] if chosen.call_ids else call_id_of(item.pair_key) or ""
            head.append(Sent(item, body, form, extras, call_id, calls in chosen.open_calls))
            calls += 1
        else:
            head.append(Sent(item, body, form, extras, ""))
    return SentUnit(head, outputs, chosen.answers)


def _answered(chosen: Unit) -> list[str]:
    """Return the ids of the calls that have outputs, in the order of these; none where all are their own."""
    return in_order_of_answers(
        chosen.answers, [call_id for index, call_id in enumerate(chosen.call_ids) if index not in chosen.open_calls]
    )


def in_order_of_answers[T](answers: Sequence[int], answered: list[T]) -> list[T]:
    """Return what there is of the *answered* calls in the order of what answers them."""
    return [answered[index] for index in answers] if answers and answered else answered


def calls_of(unit: Sequence[Item], chosen: Unit) -> Iterator[tuple[Item, str]]:
    """Yield the calls of *unit* with the ids that they are sent with."""
    calls = [item for item in unit if item.kind == Kind.CALL]
    ids = chosen.call_ids or [call_id_of(call.pair_key) or "" for call in calls]
    return zip(calls, ids, strict=True)
