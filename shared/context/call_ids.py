"""
Which id a call is sent with: its own, or another one made of its place in the log, its alias.

    own     where the format admits it, no later call of the log has the same, and its result names it by that
    alias   `call_` and nine digits: the tokens that were appended before the call, which stay the same for good

The newest call keeps its id, so what is older need not be known, and the open call at the end has the id by which its
caller answers. A caller who was sent an alias may answer by it: the result finds its call (groups.py).
"""

from functools import lru_cache
from hashlib import sha256
from re import compile as pattern

from shared.items.item import Item

_ALIAS = pattern(r"call_\d{9}")
_ALIAS_CHARS = 14
_BY_ITEM_ID = "mcp_approval"
"""A family whose calls are named by the ids of their items, of which no two are equal."""


@lru_cache(maxsize=4096)
def call_id_of(pair_key: str) -> str | None:
    """Return the id of a call, or of the call that an output answers; None where it is that of an item."""
    family, _, call_id = pair_key.partition(":")
    return None if family == _BY_ITEM_ID else call_id


def is_alias(call_id: str) -> bool:
    return len(call_id) == _ALIAS_CHARS and _ALIAS.fullmatch(call_id) is not None


def alias_of(call: Item) -> str:
    """Return the alias of a *call*. It survives compaction and forks, other than its place in the log."""
    if call.overhead_tokens:
        return f"call_{call.preceding_tokens:09d}"
    # Without tokens of its own it may share their number with a neighbour. It is in no format that counts ids.
    return f"call_{sha256(call.id.encode()).hexdigest()[:24]}"
