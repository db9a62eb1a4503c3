"""
Making right what leads to one conversation, after a script that came to no end: its row, and its places in the indexes
and in the sets of users and agents.
"""

from collections.abc import Iterable, Sequence

from shared.conversations.conversation import Conversation
from shared.request.owners import Owners
from shared.store.indexes import Names, every_place
from shared.store.keys import members_key
from shared.store.members import KINDS
from shared.store.upstash import Store

ASKED_MAX = 3
"""How often the script may name sets that it needs as well: those of the row, of the conversation, of a new one."""


async def repair(
    store: Store, conversation: Conversation, met_as: Iterable[Owners] = (), indexes: Sequence[str] = ()
) -> None:
    """
    Do it for one that was *met_as* theirs: in their sets, or in a row that says so. *indexes*: where it stands, if that
    is known better than by what this instance believes. What cannot be done because it keeps changing stays in doubt.
    """
    tenant = conversation.caller.tenant
    places: list[str | Names] = [conversation.names[1], *(indexes or [every_place(*conversation.place)])]
    met = {pair for owners in met_as for pair in zip(KINDS, owners, strict=True) if pair[1]}
    for _ in range(ASKED_MAX):
        named = sorted(met)
        sets = [members_key(tenant, KINDS[field], name) for field, name in named]
        count = len(store.names(places)) - 1
        told = [part for pair in named for part in pair]
        reply = await store.eval("repair", [*places, *sets], [conversation.id, count, *told], is_idempotent=True)
        if reply[0] != "owner":
            return
        lacking = iter(reply[1])
        met |= set(zip(lacking, lacking, strict=True))
