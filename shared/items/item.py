"""
One live item as a context sees it: stored counts and stored JSON, no parsed content.

Everything that choosing a context needs was computed when the item was appended. Deleted items are gone
before a sequence of these is made.
"""

from typing import NamedTuple


class Item(NamedTuple):
    """
    *kind* is a shared.items.kinds.Kind or its letter; *pair_key*, *name*, *is_text* and
    *documents* are as in Traits.

    *overhead_tokens*: of the chat message's frame, role and name; 0 without chat form. *content_tokens*: of
    its texts and images. *hosted_tokens*: of what has no chat form. *preceding_tokens*: overhead and content
    of every item ever appended before this one, as counted then; deletion does not change it. *body*: the
    stored JSON of the normalised item.
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
