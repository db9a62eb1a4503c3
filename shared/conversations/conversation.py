"""
A conversation as its caller names it: what use cases take, and where the names in the store come from.
"""

from typing import NamedTuple

from shared.request.caller import Caller
from shared.store import keys


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
    def activity_name(self) -> str:
        return keys.activity_key(self.caller.tenant)

    @property
    def metadata_name(self) -> str:
        return keys.metadata_key(self.caller.tenant)
