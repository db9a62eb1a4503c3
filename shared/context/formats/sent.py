"""
The kept items of a selection, read: what the renderers of message formats share.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from shared.items.chat import ChatForm
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.types import chat_form

Message = dict[str, Any]


class Sent(NamedTuple):
    """A kept item with its chat form."""

    item: Item
    form: ChatForm


class SentUnit(NamedTuple):
    """
    One unit: *head* becomes one message, each of *outputs* answers a call of it, in the order of the calls.

    *unsupported*: ids of its items that no message format carries whole.
    """

    head: list[Sent]
    outputs: list[Sent]
    unsupported: set[str]


def read_unit(unit: Sequence[Item]) -> SentUnit:
    """Parse the items of *unit*; those without chat form are only named."""
    head: list[Sent] = []
    outputs: list[Sent] = []
    unsupported: set[str] = set()
    for item in unit:
        form = chat_form(orjson.loads(item.body)) if item.overhead_tokens else None
        if form is None or form.left_out:
            unsupported.add(item.id)
        if form is not None:
            (outputs if item.kind == Kind.OUTPUT else head).append(Sent(item, form))
    return SentUnit(head, outputs, unsupported)
