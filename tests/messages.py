"""Dialogues in the messages of other APIs, and what they become as a log."""

import json
from itertools import count
from typing import Any

from scripts.proving.borders.law import Dialogue
from scripts.proving.contexts.dialogues import counted_log, folded
from shared.context.fit import fit
from shared.context.render import render
from shared.items.given import Given
from shared.items.item import Item
from shared.items.messages import normal_items
from shared.items.normalize import NormalItem
from tests.logs import characters

__all__ = ["PICTURE", "Dialogue", "Json", "asked", "log_of", "read", "shown"]

Json = dict[str, Any]

PICTURE = "iVBORw0KGgo="


def read(context_format: str, messages: list[Json], system: Any = None, mark: str = "m") -> list[NormalItem]:
    """Return the items that *messages* make."""
    ids = count(1)
    given = Given(messages, "messages", context_format, system)
    return normal_items(given, lambda prefix: f"{prefix}_{next(ids)}", mark)


def log_of(normal: list[NormalItem]) -> list[Item]:
    """Return *normal* as a conversation's log, counted in characters."""
    return counted_log(((each.item, each.extras, each.message) for each in normal), characters, first_seq=1)


def shown(context_format: str, log: list[Item]) -> Json:
    """Return the members of a context in which there is room for all of *log*."""
    rendering = render(context_format, fit(folded(log, context_format), 10**9))
    return {name: json.loads(value) for name, value in rendering.members.items()}


def asked(text: str) -> Json:
    return {"role": "user", "content": text}
