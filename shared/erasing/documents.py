"""
Forgetting documents: what the tiers keep of those that erased conversations mentioned, and their paths elsewhere.

    marks, copies, leases      in the scope of the tenant, or of documents for all
    the hot list               by object paths
    the sweep's progress       which may have stopped at one of them

What the object store has is the tenant's own, and stays: who asks for such a document gets it from there.
"""

from collections.abc import Sequence

from shared.documents.sweep import NAME as SWEEP
from shared.items.document_paths import Place, place_for
from shared.store import keys
from shared.store.upstash import Store

AT_ONCE = 500
"""Documents of one script: two names each."""


async def forget_documents(store: Store, tenant: str, paths: Sequence[str]) -> int:
    """Forget the documents that *tenant* calls by *paths*; return how many names in the store were taken away."""
    scopes: dict[str, list[Place]] = {}
    for path in paths:
        place = place_for(tenant, path)
        scopes.setdefault(place.scope, []).append(place)
    gone = 0
    for places in scopes.values():
        for first in range(0, len(places), AT_ONCE):
            gone += await _forget(store, places[first : first + AT_ONCE])
    return gone


async def _forget(store: Store, places: Sequence[Place]) -> int:
    names = [keys.document_marks_key(places[0].scope)]
    for place in places:
        names += [keys.document_key(*place), keys.document_lease_key(*place)]
    reply = await store.eval("erase_documents", names, [place.path for place in places], is_idempotent=True)
    objects = [place.object_path for place in places]
    await store.command("ZREM", keys.HOT_KEY, *objects, is_idempotent=True)
    await store.eval("erase_progress", [keys.cron_key(SWEEP)], objects, is_idempotent=True)
    return int(reply[1])
