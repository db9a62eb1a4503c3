"""
When each API key was used last, told to the store in the request that hands over what was counted.

Coarse, and that is enough for who asks whether a key is still in use: to the hour, written once for it, by whichever
instance is first. An instance that ends before its flush tells nothing, nor does one that never flushes.
"""

from collections.abc import Awaitable
from contextlib import suppress

from shared.errors import StoreUnavailable
from shared.request.key_uses import KeyUses
from shared.store import keys
from shared.store.upstash import Store

TENANTS_MAX = 16
"""In one flush: they travel with it. Those that are left over go with the next."""

KEYS_MAX = 1_000
"""Of one script: Lua unpacks fewer than 8,000."""


def telling_uses(store: Store, uses: KeyUses) -> list[Awaitable[None]]:
    """Return what notes the keys that were used in this hour. What the store does not take is lost; it is no matter."""
    hour_at_unix_s, found = uses.take(TENANTS_MAX)
    return [_tell(store, tenant, hour_at_unix_s, hashes) for tenant, hashes in found.items()]


async def _tell(store: Store, tenant: str, hour_at_unix_s: int, hashes: list[str]) -> None:
    with suppress(StoreUnavailable):
        arguments: list[str | int] = [hour_at_unix_s, *hashes[:KEYS_MAX]]
        # Not sent again, so that it makes no request of its own.
        await store.eval("key_uses", [keys.tenant_key(tenant)], arguments)
