"""
What callers see of conversations, contexts apart: one of them, and a page of items or of conversations.
"""

from typing import NamedTuple

import orjson


class ConversationInfo(NamedTuple):
    """A conversation without its items; *metadata* is JSON."""

    id: str
    created_at_unix_s: int
    metadata: str

    def as_json(self) -> bytes:
        return orjson.dumps(
            {
                "id": self.id,
                "object": "conversation",
                "created_at": self.created_at_unix_s,
                "metadata": orjson.Fragment(self.metadata),
            }
        )


class Page(NamedTuple):
    """
    Part of a list: the JSON of each element, the ids of the first and the last one, whether there are more.

    *next_after*: what to go on after where that need not be the last element, None where there is no more.
    """

    data: list[bytes]
    first_id: str | None
    last_id: str | None
    has_more: bool
    next_after: str | None = None
