"""
Names in the store that depend on whose a conversation is: the sets in which its user and its agent list it.

A script that needs them is told whom its caller believes to be user and agent, and refuses, with who they are, when
that is wrong (members.lua). Then the names are made anew (Store.eval). What this instance learned of a conversation it
believes until a script says otherwise.
"""

from collections.abc import Callable

from shared.request.owners import Owners
from shared.store.indexes import Indexes, Names, Spread
from shared.store.keys import importing_key, members_key

KINDS = {"us": "user", "ag": "agent"}
"""The fields of a conversation that say it, and what the sets of each are called."""


class MemberNames(Names):
    """Names that depend on whose the conversation is: *of* makes them."""

    def __init__(self, tenant: str, conversation_id: str, of_owners: Callable[[Owners], list[str]]) -> None:
        super().__init__(tenant)
        self.conversation_id = conversation_id
        self.of_owners = of_owners

    def made(self, indexes: Indexes) -> list[str]:
        return self.of_owners(indexes.owners(self.tenant, self.conversation_id))


class Whose(Spread):
    """The two arguments that say whom the caller believes to be user and agent of a conversation."""

    def __init__(self, tenant: str, conversation_id: str) -> None:
        super().__init__(tenant)
        self.conversation_id = conversation_id

    def told(self, indexes: Indexes) -> list[str]:
        return [*indexes.owners(self.tenant, self.conversation_id)]


def set_names(tenant: str, owners: Owners) -> list[str]:
    """Return the names of the sets of a user and of an agent, where there are such."""
    return [members_key(tenant, kind, name) for kind, name in zip(KINDS.values(), owners, strict=True) if name]


def import_names(tenant: str, owners: Owners) -> list[str]:
    """Return those sets, and behind them the one of the user's unfinished imports, where there is a user."""
    return [*set_names(tenant, owners), *([importing_key(tenant, owners.user)] if owners.user else [])]


def own_import_names(tenant: str, conversation_id: str) -> MemberNames:
    """Return these of a conversation that is imported."""
    return MemberNames(tenant, conversation_id, lambda owners: import_names(tenant, owners))


def own_sets(tenant: str, conversation_id: str) -> MemberNames:
    """Return the names of the sets in which a conversation stands."""
    return MemberNames(tenant, conversation_id, lambda owners: set_names(tenant, owners))


def sets_of_fork(tenant: str, conversation_id: str, agent: str | None) -> MemberNames:
    """Return those of its fork, which has its user, and its agent where *agent* is None."""

    def of(owners: Owners) -> list[str]:
        return set_names(tenant, owners if agent is None else owners._replace(agent=agent))

    return MemberNames(tenant, conversation_id, of)


def changing_sets(tenant: str, conversation_id: str, user: str | None, agent: str | None) -> MemberNames:
    """
    Return those into which a conversation comes and from which it goes when its user becomes *user* and its agent
    *agent*, "" for none, None for what it is: of both, the new one before the old.
    """

    def of(owners: Owners) -> list[str]:
        names: list[str] = []
        for kind, old, new in zip(KINDS.values(), owners, (user, agent), strict=True):
            if new is not None and new != old:
                names += [members_key(tenant, kind, name) for name in (new, old) if name]
        return names

    return MemberNames(tenant, conversation_id, of)
