"""
One live item as a context sees it: stored counts and stored JSON, no parsed content.

Everything that choosing a context needs was computed when the item was appended. Deleted items are gone
before a sequence of these is made.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from shared.items.short import Short

NO_DIFFERENCES: Mapping[str, tuple[int, int]] = {}


class Item(NamedTuple):
    """
    *kind* is a shared.items.kinds.Kind or its letter; *pair_key*, *name*, *is_text* and
    *documents* are as in Traits.

    *overhead_tokens*: of the chat message's frame, role and name; 0 without chat form. *content_tokens*: of its texts
    and images. *hosted_tokens*: of what has no chat form. *preceding_tokens*: overhead and content of every item ever
    appended before this one, as counted then; deletion does not change it. *body*: the stored JSON of the normalised
    item. *extras*: JSON of what it came with and items have no form for, b"" for nothing
    (shared/items/dialects/extras.py). *message*: a mark that items of one message share and its neighbours do not have;
    "" for what came as an item. *label_tokens*: of what names the call in results, its id for an output, its name for
    the call itself. *differences*: overhead and content by what another format than chat sends instead. *shorts*: the
    short forms that a result has, the shortest first. *left_out_tokens*: it is one of these, and so much of the text is
    not in it; 0 for what is whole. *created_at_unix_s*: when it was appended, None where the entry does not say.
    """

    seq: int
    id: str
    kind: str
    pair_key: str
    name: str
    overhead_tokens: int
    content_tokens: int
    hosted_tokens: int
    preceding_tokens: int
    body: bytes
    is_text: bool
    documents: tuple[str, ...] = ()
    extras: bytes = b""
    message: str = ""
    label_tokens: int = 0
    differences: Mapping[str, tuple[int, int]] = NO_DIFFERENCES
    shorts: "tuple[Short, ...]" = ()
    left_out_tokens: int = 0
    created_at_unix_s: int | None = None

    @property
    def tokens(self) -> int:
        """What it counts as a message of its own."""
        return self.overhead_tokens + self.content_tokens


def read_extras(item: Item) -> Mapping[str, Any]:
    """Return what *item* came with, {} for nothing."""
    extras: Mapping[str, Any] = orjson.loads(item.extras) if item.extras else {}
    return extras
