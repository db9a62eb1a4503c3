"""
Mint an API key from a program that has no loop of its own, in the store that it names itself.
"""

import asyncio
from collections.abc import Mapping

from scripts.local import tenants
from shared.environment import read_settings
from shared.request.roles import DEFAULT
from shared.store.upstash import Store


def mint(url: str, token: str, key: str, label: str = "", role: str = DEFAULT) -> None:
    """
    Make *key* valid in the store at *url*, which speaks Upstash's REST protocol; it is called by *label*, and may do
    what *role* may.

    Raises:   Unauthorized: the key has not the form of one. WrongValue: it is there, with another role.
              StoreUnavailable: the store did not take it.
    """
    mint_in({"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": token}, key, label, role)


def mint_in(environ: Mapping[str, str], key: str, label: str = "", role: str = DEFAULT) -> None:
    """Make *key* valid in the store that *environ* names. Raises as `mint` does."""
    asyncio.run(_mint(environ, key, label, role))


async def _mint(environ: Mapping[str, str], key: str, label: str, role: str) -> None:
    store = Store(read_settings(environ))
    try:
        await tenants.mint(store, key, label, role)
    finally:
        await store.close()
