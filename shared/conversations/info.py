"""
What callers see of conversations, contexts apart: one of them, and a page of items or of conversations.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import orjson

from shared.request.owners import NOBODY, Owners


class Size(NamedTuple):
    """
    How much a conversation is: live *items*, their *tokens* as they were counted when they were appended, the *bytes*
    that all of it takes in the store. *forked_from*: the conversation that it is a copy of, None for none.
    """

    items: int
    tokens: int
    bytes: int
    version: int
    forked_from: str | None


class ConversationInfo(NamedTuple):
    """
    A conversation without its items; *metadata* is JSON. Times are Unix seconds; expiry 0 means never.

    Its last use is None, and so is its size, where what was kept of an answer does not say it. *owners*: whose it is.
    """

    id: str
    created_at_unix_s: int
    metadata: str
    used_at_unix_s: int | None = None
    expiry_s: int = 0
    size: Size | None = None
    owners: Owners = NOBODY

    @classmethod
    def told(
        cls,
        conversation_id: str,
        created_at: str,
        metadata: str,
        version: str,
        told: str = "",
        owners: Owners = NOBODY,
    ) -> Self:
        """Return what a script's reply says; *told* is what told.lua writes, "" of a reply that an older one kept."""
        if not told:
            return cls(conversation_id, int(created_at), metadata, owners=owners)
        items, tokens, size_bytes, used_at, expiry_s, forked_from = told.split(" ")
        size = Size(int(items), int(tokens), int(size_bytes), int(version), forked_from or None)
        return cls(conversation_id, int(created_at), metadata, int(used_at), int(expiry_s), size, owners)

    def as_json(self) -> bytes:
        return orjson.dumps(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return what answers say of it."""
        life: dict[str, int | None] = {}
        if (used_at := self.used_at_unix_s) is not None:
            life = {"last_active_at": used_at, "expires_at": used_at + self.expiry_s if self.expiry_s else None}
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created_at_unix_s,
            "metadata": orjson.Fragment(self.metadata),
            "user": self.owners.user or None,
            "agent": self.owners.agent or None,
            **life,
            **({} if self.size is None else self.size._asdict()),
        }


def split_owners(reply: Sequence[Any]) -> tuple[list[Any], Owners]:
    """Return what a script replied without the pair at its end, and that: whose the conversation is."""
    *facts, owners = reply
    return facts, Owners(*owners)


class Page(NamedTuple):
    """
    Part of a list: the JSON of each element, the ids of the first and the last one, whether there are more.

    *next_after*: what to go on after where that need not be the last element, None where there is no more. *times*:
    when each item was appended (Unix seconds), None where that is not known; of conversations there are none.
    """

    data: list[bytes]
    first_id: str | None
    last_id: str | None
    has_more: bool
    next_after: str | None = None
    times: list[int | None] | None = None


class ItemInfo(NamedTuple):
    """The JSON of an item, and when it was appended (Unix seconds), None where that is not known."""

    body: bytes
    created_at_unix_s: int | None


def dated(body: bytes, created_at_unix_s: int | None) -> bytes:
    """Return the JSON of an item with the time at which it was appended, spliced behind what is stored of it."""
    return b'%b,"created_at":%b}' % (body[:-1], orjson.dumps(created_at_unix_s))
