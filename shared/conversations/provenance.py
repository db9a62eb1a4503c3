"""
Which version of a conversation an answer is of, where it came from, and when it has to be called used.
"""

import time
from functools import partial
from typing import NamedTuple, Self

from shared.conversations.conversation import Conversation
from shared.conversations.snapshot import Header
from shared.request.after_response import Later
from shared.request.freshness import Tier
from shared.store.attempts import etag
from shared.store.indexes import Names, Spread, rows_name
from shared.store.upstash import Store

TOUCH_SHARE = 10
"""A read renews the expiry when a tenth of it has gone by since the last use."""


class Provenance(NamedTuple):
    """
    Version, life and origin of what an answer was made from. Times are Unix seconds; expiry 0 means never.
    *is_partial*: of what L2 answered, the instance held a part.
    """

    generation: str
    version: int
    expiry_s: int
    used_at_unix_s: int
    tier: Tier = Tier.L2
    age_s: float = 0.0
    chain: str = ""
    is_partial: bool = False

    @classmethod
    def of(cls, header: Header, tier: Tier, age_s: float, *, is_partial: bool = False) -> Self:
        """Return what is said of an answer made at *header*, validated *age_s* ago."""
        life = header.expiry_s, header.used_at_unix_s
        return cls(header.generation, header.version, *life, tier, age_s, header.chain, is_partial)

    @property
    def etag(self) -> str:
        return etag(self.generation, self.version, self.chain)

    def etag_with(self, digest: str) -> str:
        """Return the tag of an answer that also depends on parameters."""
        return f'{self.etag[:-1]}.{digest}"'


def touch_when_due(store: Store, conversation: Conversation, provenance: Provenance, later: Later) -> None:
    """Renew the expiry of a conversation after the response, when enough of it has gone by and the store is there."""
    now_unix_s = int(time.time())
    is_due = provenance.expiry_s and now_unix_s - provenance.used_at_unix_s > provenance.expiry_s // TOUCH_SHARE
    if is_due and provenance.tier in (Tier.L1, Tier.L2):
        caller = conversation.caller
        names: list[str | Names] = [*conversation.names, rows_name(caller.tenant, conversation.id)]
        arguments: list[str | int | Spread] = [caller.key_hash, now_unix_s, conversation.id, Spread(caller.tenant)]
        later.add(partial(store.eval, "touch", names, arguments), "renewing the expiry", *conversation.place)
