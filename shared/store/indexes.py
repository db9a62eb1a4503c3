"""
Where in the store a tenant's indexes are: over how many shards they are spread, as this instance believes.

The tenant's hash says it, and scripts refuse names that do not agree with it (index.lua). So what this instance
remembers costs nothing to check, and is put right by the first script that it is wrong for. Until then the names, and
the argument that says what they come from, are marks in the place of the real ones.
"""

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import NamedTuple

from shared.store import keys

SHARDS_MAX = 1_024
TENANTS_MAX = 10_000
"""How many of them are remembered; of others a script has to tell again."""


class Layout(NamedTuple):
    """Over how many *shards*; while rows are moved, *moving_from* how many."""

    shards: int = 1
    moving_from: int = 0

    def __str__(self) -> str:
        return f"{self.shards} {self.moving_from}" if self.moving_from else str(self.shards)

    def shards_of(self, conversation_id: str) -> list[int]:
        """Return the shard of a conversation; behind it the one that it may not have left yet."""
        places = [shard_of(conversation_id, self.shards)]
        if self.moving_from and (older := shard_of(conversation_id, self.moving_from)) not in places:
            places.append(older)
        return places


def read_layout(text: str) -> Layout:
    """Return what the field `shards` says."""
    return Layout(*map(int, text.split()))


def shard_of(conversation_id: str, shards: int) -> int:
    """
    Return the shard of a conversation, as index.lua does: by the last four digits of an id that the service made, which
    are random; of an id that a client chose, which may end as all of its others do, by those of its hash.
    """
    digits = conversation_id
    if keys.MADE_ID.fullmatch(conversation_id) is None:
        digits = sha1(conversation_id.encode(), usedforsecurity=False).hexdigest()
    return int(digits[-4:], 16) % shards


class Names:
    """Names in the store that depend on the layout of *tenant*: *of* makes them."""

    def __init__(self, tenant: str, of: Callable[[Layout], list[str]]) -> None:
        self.tenant = tenant
        self.of = of


class Spread:
    """The argument that says from which layout of *tenant* the names were made."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant


def index_names(tenant: str, conversation_id: str) -> Names:
    """Return the names of the activity index and of the rows that a conversation is written to."""

    def of(layout: Layout) -> list[str]:
        shard = shard_of(conversation_id, layout.shards)
        return [keys.activity_key(tenant, shard), keys.rows_key(tenant, shard)]

    return Names(tenant, of)


def rows_name(tenant: str, conversation_id: str) -> Names:
    """Return the second of the two."""
    return Names(tenant, lambda layout: [keys.rows_key(tenant, shard_of(conversation_id, layout.shards))])


def every_place(tenant: str, conversation_id: str) -> Names:
    """Return both, for each shard in which the conversation may stand."""

    def of(layout: Layout) -> list[str]:
        shards = layout.shards_of(conversation_id)
        return [name for shard in shards for name in (keys.activity_key(tenant, shard), keys.rows_key(tenant, shard))]

    return Names(tenant, of)


def activity_names(tenant: str) -> Names:
    """Return the names of all activity indexes."""
    return Names(tenant, lambda layout: [keys.activity_key(tenant, each) for each in range(layout.shards)])


def all_indexes(tenant: str) -> Names:
    """Return the names of all activity indexes, then those of all rows."""

    def of(layout: Layout) -> list[str]:
        shards = range(layout.shards)
        return [keys.activity_key(tenant, each) for each in shards] + [keys.rows_key(tenant, each) for each in shards]

    return Names(tenant, of)


class Indexes:
    """What this instance believes of each tenant."""

    def __init__(self) -> None:
        self._layouts: dict[str, Layout] = {}

    def layout(self, tenant: str) -> Layout:
        return self._layouts.get(tenant, Layout())

    def learn(self, tenant: str, text: str) -> None:
        """Take in what a script said of *tenant*."""
        if len(self._layouts) >= TENANTS_MAX:
            self._layouts.clear()
        self._layouts[tenant] = read_layout(text)

    def names(self, named: Sequence[str | Names]) -> list[str]:
        """Return *named* with names in the place of marks."""
        names: list[str] = []
        for each in named:
            names += [each] if isinstance(each, str) else each.of(self.layout(each.tenant))
        return names

    def arguments(self, arguments: Sequence[str | int | Spread]) -> list[str | int]:
        """Return *arguments* with the layout in the place of its mark."""
        return [str(self.layout(each.tenant)) if isinstance(each, Spread) else each for each in arguments]
