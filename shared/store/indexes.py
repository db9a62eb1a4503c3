"""
Where in the store a tenant's indexes are: over how many shards they are spread, as this instance believes.

The tenant's hash says it, and scripts refuse names that do not agree with it (index.lua). So what this instance
remembers costs nothing to check, and is put right by the first script that it is wrong for. Until then the names, and
the argument that says what they come from, are marks in the place of the real ones. So it is with names that depend on
whose a conversation is (members.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import NamedTuple

from cachetools import LRUCache

from shared.request.owners import NOBODY, Owners
from shared.store import keys

SHARDS_MAX = 1_024
TENANTS_MAX = 10_000
"""How many of them are remembered; of others a script has to tell again."""

OWNED_MAX = 4_096
"""Of so many conversations and reservations it is remembered whose they are."""


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


class Names(ABC):
    """Names in the store of *tenant* that depend on what an instance has to believe."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant

    @abstractmethod
    def made(self, indexes: "Indexes") -> list[str]:
        """Return the names, as *indexes* believes."""


class IndexNames(Names):
    """Those that depend on the layout: *of* makes them."""

    def __init__(self, tenant: str, of: Callable[[Layout], list[str]]) -> None:
        super().__init__(tenant)
        self.of = of

    def made(self, indexes: "Indexes") -> list[str]:
        return self.of(indexes.layout(self.tenant))


class Spread:
    """The argument that says from which layout of *tenant* the names were made."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant

    def told(self, indexes: "Indexes") -> list[str]:
        return [str(indexes.layout(self.tenant))]


def index_names(tenant: str, conversation_id: str) -> Names:
    """Return the names of the activity index and of the rows that a conversation is written to."""

    def of(layout: Layout) -> list[str]:
        shard = shard_of(conversation_id, layout.shards)
        return [keys.activity_key(tenant, shard), keys.rows_key(tenant, shard)]

    return IndexNames(tenant, of)


def rows_name(tenant: str, conversation_id: str) -> Names:
    """Return the second of the two."""
    return IndexNames(tenant, lambda layout: [keys.rows_key(tenant, shard_of(conversation_id, layout.shards))])


def every_place(tenant: str, conversation_id: str) -> Names:
    """Return both, for each shard in which the conversation may stand."""

    def of(layout: Layout) -> list[str]:
        shards = layout.shards_of(conversation_id)
        return [name for shard in shards for name in (keys.activity_key(tenant, shard), keys.rows_key(tenant, shard))]

    return IndexNames(tenant, of)


def activity_names(tenant: str) -> Names:
    """Return the names of all activity indexes."""
    return IndexNames(tenant, lambda layout: [keys.activity_key(tenant, each) for each in range(layout.shards)])


def all_indexes(tenant: str) -> Names:
    """Return the names of all activity indexes, then those of all rows."""

    def of(layout: Layout) -> list[str]:
        shards = range(layout.shards)
        return [keys.activity_key(tenant, each) for each in shards] + [keys.rows_key(tenant, each) for each in shards]

    return IndexNames(tenant, of)


class Indexes:
    """What this instance believes of each tenant, and of conversations that have a user or an agent."""

    def __init__(self) -> None:
        self._layouts: dict[str, Layout] = {}
        self._owners: LRUCache[tuple[str, str], Owners] = LRUCache(OWNED_MAX)

    def layout(self, tenant: str) -> Layout:
        return self._layouts.get(tenant, Layout())

    def learn(self, tenant: str, text: str) -> None:
        """Take in what a script said of *tenant*."""
        if len(self._layouts) >= TENANTS_MAX:
            self._layouts.clear()
        self._layouts[tenant] = read_layout(text)

    def owners(self, tenant: str, conversation_id: str) -> Owners:
        return self._owners.get((tenant, conversation_id), NOBODY)

    def learn_owners(self, tenant: str, conversation_id: str, owners: Owners) -> None:
        """Take in whose a conversation is."""
        self._owners.pop((tenant, conversation_id), None)
        if owners != NOBODY:
            self._owners[tenant, conversation_id] = owners

    def names(self, named: Sequence[str | Names]) -> list[str]:
        """Return *named* with names in the place of marks."""
        names: list[str] = []
        for each in named:
            names += [each] if isinstance(each, str) else each.made(self)
        return names

    def arguments(self, arguments: Sequence[str | int | Spread]) -> list[str | int]:
        """Return *arguments* with what is believed in the place of its marks."""
        told: list[str | int] = []
        for each in arguments:
            told += each.told(self) if isinstance(each, Spread) else [each]
        return told
