"""
Mint an API key from a program that has no loop of its own, in the store that it names itself.
"""

import asyncio
from collections.abc import Mapping

from scripts.local import tenants
from shared.environment import read_settings
from shared.store.upstash import Store


def mint(url: str, token: str, key: str, label: str = "") -> None:
    """
    Make *key* valid in the store at *url*, which speaks Upstash's REST protocol; it is called by *label*.

    Raises:   Unauthorized: the key has not the form of one. StoreUnavailable: the store did not take it.
    """
    mint_in({"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": token}, key, label)


def mint_in(environ: Mapping[str, str], key: str, label: str = "") -> None:
    """Make *key* valid in the store that *environ* names. Raises as `mint` does."""
    asyncio.run(_mint(environ, key, label))


async def _mint(environ: Mapping[str, str], key: str, label: str) -> None:
    store = Store(read_settings(environ))
    try:
        await tenants.mint(store, key, label)
    finally:
        await store.close()
