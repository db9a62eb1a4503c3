"""
Make, list and revoke API keys.

    scripts/keys create acme            a new key; shown once, stored only as its SHA-256
    scripts/keys list acme              the hashes of the tenant's keys
    scripts/keys revoke wt_acme_…       end a key at once, everywhere; a hash from the list does as well

The store is the one of UPSTASH_REDIS_REST_URL/_TOKEN or KV_REST_API_URL/_TOKEN, else that of a running
scripts/dev.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.auth import TENANT_PATTERN, Caller, make_key, read_key
from shared.config import STORE_VARIABLES, ConfigError, read_settings
from shared.errors import ServiceError
from shared.store.keys import tenant_key
from shared.store.upstash import Store

DEV_STORE = Path(__file__).parents[2] / ".warmthread" / "dev-store.json"
"""Where scripts/dev says which store it serves; only while it runs, readable by its user only."""


async def mint(store: Store, key: str) -> None:
    """Make *key* valid. Raises Unauthorized: it has not the form of a key."""
    caller = read_key(key)
    await store.command("HSET", tenant_key(caller.tenant), f"k:{caller.key_hash}", "0")


async def list_hashes(store: Store, tenant: str) -> list[str]:
    """Return the SHA-256 of each valid key of *tenant*."""
    names = await store.command("HKEYS", tenant_key(tenant))
    return sorted(name.removeprefix("k:") for name in names if name.startswith("k:"))


async def revoke(store: Store, caller: Caller) -> bool:
    """End the key of *caller*; return whether there was one."""
    return bool(await store.command("HDEL", tenant_key(caller.tenant), f"k:{caller.key_hash}"))


def store_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return *environ*, with the store of a running scripts/dev if it names none itself."""
    if any(environ.get(url) for url, _ in STORE_VARIABLES) or not DEV_STORE.exists():
        return environ
    return {**environ, **json.loads(DEV_STORE.read_text())}


async def _run(arguments: argparse.Namespace) -> int:
    store = Store(read_settings(store_environ(os.environ)))
    try:
        if arguments.action == "create":
            key = arguments.key or make_key(arguments.tenant)
            if read_key(key).tenant != arguments.tenant:
                print(f"the key does not name the tenant {arguments.tenant}", file=sys.stderr)
                return 2
            await mint(store, key)
            print(json.dumps({"tenant": arguments.tenant, "key": key}) if arguments.json else key)
        elif arguments.action == "list":
            hashes = await list_hashes(store, arguments.tenant)
            print(json.dumps({"tenant": arguments.tenant, "keys": hashes}) if arguments.json else "\n".join(hashes))
        else:
            caller = Caller(arguments.tenant, arguments.key) if arguments.tenant else read_key(arguments.key)
            if not await revoke(store, caller):
                print("there is no such key", file=sys.stderr)
                return 1
    finally:
        await store.close()
    return 0


def _tenant(value: str) -> str:
    if TENANT_PATTERN.fullmatch(value) is None:
        raise argparse.ArgumentTypeError("a tenant is 1 to 40 of a-z, 0-9 and -, and does not start with -")
    return value


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/keys", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a new key and print it")
    create.add_argument("tenant", type=_tenant)
    create.add_argument("--key", help="mint this key instead of a random one")
    listing = actions.add_parser("list", help="print the hashes of a tenant's keys")
    listing.add_argument("tenant", type=_tenant)
    for action in (create, listing):
        action.add_argument("--json", action="store_true", help="print JSON")
    end = actions.add_parser("revoke", help="end a key")
    end.add_argument("key", help="the key, or its hash together with --tenant")
    end.add_argument("--tenant", type=_tenant, help="the tenant of a hash")
    try:
        return asyncio.run(_run(parser.parse_args(argv)))
    except (ConfigError, ServiceError) as error:
        print(f"could not do it: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
