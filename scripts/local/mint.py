"""
Mint an API key from a program that has no loop of its own, in the store that it names itself.
"""

import asyncio

from scripts.local import tenants
from shared.environment import read_settings
from shared.store.upstash import Store


def mint(url: str, token: str, key: str, label: str = "") -> None:
    """
    Make *key* valid in the store at *url*, called by *label*.

    Raises:   Unauthorized: the key has not the form of one. StoreUnavailable: the store did not take it.
    """
    asyncio.run(_mint(url, token, key, label))


async def _mint(url: str, token: str, key: str, label: str) -> None:
    store = Store(read_settings({"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": token}))
    try:
        await tenants.mint(store, key, label)
    finally:
        await store.close()
