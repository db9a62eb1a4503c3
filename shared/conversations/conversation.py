"""
A conversation as its caller names it: what use cases take, and where the names in the store come from.
"""

import time
from typing import NamedTuple

from shared.request.caller import Caller
from shared.store import keys
from shared.store.attempts import Attempt
from shared.store.indexes import Names, Spread, index_names
from shared.store.members import Whose
from shared.store.spending import Spender


class Conversation(NamedTuple):
    """The conversation *id* of the caller's tenant. Nothing says that there is one."""

    caller: Caller
    id: str

    @property
    def place(self) -> tuple[str, str]:
        """What stands for it in this instance's memory: other callers of the tenant share it."""
        return self.caller.tenant, self.id

    @property
    def names(self) -> list[str]:
        """The first two names of every script that works on one conversation: tenant and conversation."""
        tenant, conversation_id = self.place
        return [keys.tenant_key(tenant), keys.conversation_key(tenant, conversation_id)]

    @property
    def index_names(self) -> Names:
        """The next two of every script that changes one: where the tenant's list has it."""
        return index_names(self.caller.tenant, self.id)

    @property
    def left_name(self) -> str:
        """What is left of it for a day when it was deleted."""
        return keys.left_key(self.caller.tenant, keys.mark_of(self.id))

    @property
    def whose(self) -> Whose:
        """The two arguments that say whose the caller of a script believes it to be."""
        return Whose(*self.place)

    @property
    def spender(self) -> Spender:
        """The last arguments of a script that adds to it, or spends for it; its `books` are the last names."""
        return Spender(*self.place)

    def arguments(self, attempt: Attempt, record_s: int, at_us: int | None = None) -> list[str | int | Spread]:
        """Return the first arguments of every script that changes one; *at_us*: when, now if it does not say."""
        at_us = now_us() if at_us is None else at_us
        return [self.caller.key_hash, *attempt.arguments(record_s), at_us, self.id, Spread(self.caller.tenant)]


def now_us() -> int:
    """Return the wall clock in microseconds; it orders a tenant's conversations, and tells a repeated append's age."""
    return time.time_ns() // 1_000
