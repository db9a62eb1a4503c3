"""
A conversation as it is appended, batch by batch, and the log that it makes.

A batch is the body of an append: items, or messages in a dialect. What is drawn, recorded, reported is all of this
shape, so that a failure can be sent to the service as it stands.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from scripts.proving.contexts.dialogues import counted_log
from shared.context.summarised import Summary, summarised
from shared.errors import InvalidValue
from shared.items.given import read_given
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.messages import normal_items
from shared.items.normalize import NormalItem

type Batch = Mapping[str, Any]


class Conversation(NamedTuple):
    """
    *batches* in order; of the items that they make those at the places *deleted* are no more. A summary says *summary*
    of all up to the place *through*; "" for none.
    """

    batches: Sequence[Batch]
    deleted: frozenset[int] = frozenset()
    summary: str = ""
    through: int = -1


def is_taken(batches: Sequence[Batch]) -> bool:
    """Tell whether all of *batches* can be appended."""
    try:
        return bool(list(_made(batches)))
    except InvalidValue:
        return False


def _made(batches: Sequence[Batch]) -> Iterator[NormalItem]:
    ids = count(1)
    for number, batch in enumerate(batches):
        given = read_given(batch)
        mark = f"b{number}"
        yield from normal_items(
            given, lambda prefix: f"{prefix}_n{next(ids)}", mark, allow_empty=True, count_max=10_000
        )


def log_of(conversation: Conversation, tokens_of: Callable[[str], int]) -> list[Item]:
    """Return the log that a context is chosen from, its texts counted by *tokens_of*."""
    log = counted_log(((each.item, each.extras, each.message) for each in _made(conversation.batches)), tokens_of)
    live = [item for item in log if item.seq not in conversation.deleted]
    if not conversation.summary:
        return live
    note = {"type": "message", "role": "user", "id": "summary", "status": "completed"}
    content = [{"type": "input_text", "text": conversation.summary}]
    [item] = counted_log([({**note, "content": content}, {}, "")], tokens_of)
    through = conversation.through
    return summarised(live, Summary(item._replace(kind=Kind.SUMMARY, seq=len(log)), through, f"item_{through}"))
