"""
Make, replace, list and revoke API keys, and set what a tenant may use.

    scripts/keys create acme --label CI --rate 600 --burst 100 --tokens-day 100000 --usd-month 100
    scripts/keys create acme --role append           a key that goes on with conversations, and changes none
    scripts/keys set acme --rate none --price gpt-4o=2.5,10 --bytes 500MB
    scripts/keys set acme --per-user rate=60 --per-user usd-month=5 --per-agent tokens-day=none
    scripts/keys rotate wt_acme_… --overlap 3600     a new key; the old one ends an hour later
    scripts/keys label wt_acme_… "CI of the site"    what the list calls it; "" takes the label away
    scripts/keys list acme                           the tenant's keys by their hashes, and its bytes; --json: all
    scripts/keys tenants                             every tenant: its keys, conversations, bytes and limits
    scripts/keys revoke wt_acme_…                    end a key at once; a hash from the list does as well
    scripts/keys delete acme > receipt.json          erase all of a tenant, and print a receipt; run again it goes on

A new key is shown once and stored only as its SHA-256. Its role says what it may do, and never changes; the one that
takes its place has the same. The store is the one of WARMTHREAD_STORE_URL,
UPSTASH_REDIS_REST_URL/_TOKEN or KV_REST_API_URL/_TOKEN, else that of the scripts/dev that started first and still runs.
A tenant is new with its first create; every other action wants one that is known, for a slip of the pen would make
another.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.local.dev_store import STORE_FILE, running
from scripts.local.tenants import (
    BUDGETS,
    KINDS,
    OF_EACH,
    Summary,
    WrongValue,
    describe,
    is_known,
    mint,
    read_label,
    read_limits,
    revoke,
    rotate,
    set_label,
    set_limits,
    tenants,
)
from shared.config import STORE_VARIABLES
from shared.environment import read_settings
from shared.errors import ServiceError
from shared.request.caller import TENANT_PATTERN, Caller, make_key, read_key
from shared.request.roles import DEFAULT, MEANINGS, ROLES
from shared.setting import EVERYTHING, RESP_VARIABLE, ConfigError
from shared.store.upstash import Store

DEV_STORE = Path(__file__).parents[2] / STORE_FILE

OVERLAP_S, OVERLAP_S_MAX = 86_400, 90 * 86_400
HASH = re.compile(r"[0-9a-f]{64}")


def store_environ(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return *environ*, with the store of a running scripts/dev if it names none itself."""
    if environ.get(RESP_VARIABLE) or any(environ.get(url) for url, _ in STORE_VARIABLES):
        return environ
    return {**environ, **(running(DEV_STORE) or {})}


async def _run(arguments: argparse.Namespace) -> int:
    store = Store(read_settings(store_environ(os.environ), only=EVERYTHING))
    try:
        return await ACTIONS[arguments.action](store, arguments)
    finally:
        await store.close()


async def _create(store: Store, arguments: argparse.Namespace) -> int:
    tenant, key = arguments.tenant, arguments.key or make_key(arguments.tenant)
    if read_key(key).tenant != tenant:
        return _fail(f"the key does not name the tenant {tenant}", 2)
    # Limits first: the key must not be valid for a moment without them.
    await set_limits(store, tenant, read_limits(vars(arguments)))
    await mint(store, key, arguments.label, arguments.role)
    return _show(arguments, tenant, key)


async def _rotate(store: Store, arguments: argparse.Namespace) -> int:
    old = _caller(arguments)
    key = make_key(old.tenant)
    if not await rotate(store, key, old.key_hash, arguments.overlap):
        return _fail("there is no such key", 1)
    return _show(arguments, old.tenant, key)


async def _set(store: Store, arguments: argparse.Namespace) -> int:
    changes = read_limits(vars(arguments))
    if not changes:
        return _fail("nothing to set; scripts/keys set --help says what there is", 2)
    if not arguments.new and not await is_known(store, arguments.tenant):
        return _unknown(arguments.tenant, "; --new sets it all the same")
    await set_limits(store, arguments.tenant, changes)
    return 0


async def _list(store: Store, arguments: argparse.Namespace) -> int:
    if not await is_known(store, arguments.tenant):
        return _unknown(arguments.tenant)
    tenant = await describe(store, arguments.tenant)
    lines = [_key_line(tenant, key) for key in tenant["keys"]]
    print(json.dumps(tenant) if arguments.json else "\n".join([*lines, _space(tenant)]))
    return 0


async def _label(store: Store, arguments: argparse.Namespace) -> int:
    is_there = await set_label(store, _caller(arguments), arguments.label)
    return 0 if is_there else _fail("there is no such key", 1)


async def _tenants(store: Store, arguments: argparse.Namespace) -> int:
    async for page in tenants(store):
        for each in page:
            print(json.dumps(each.as_json()) if arguments.json else _tenant_line(each), flush=True)
    return 0


async def _delete(store: Store, arguments: argparse.Namespace) -> int:
    from scripts.local.deleting import Busy, Telling, TenantErasure
    from shared.erasing.receipts import signed

    tenant, settings = arguments.tenant, read_settings(store_environ(os.environ), only=EVERYTHING)
    if not await is_known(store, tenant):
        return _unknown(tenant)
    if not arguments.yes and not _is_sure(tenant):
        return _fail(f"nothing was deleted; --yes deletes {tenant} without a question", 2)
    with Telling() as tell:
        try:
            receipt = await TenantErasure(store, settings, tenant, tell).run()
        except Busy as error:
            return _fail(f"{error}; its keys are revoked already", 1)
    print(json.dumps(signed(receipt, settings.receipt_secret), indent=2))
    print(
        f"Not deleted: what {tenant} has in the object store, under {tenant}/, and what the store's provider keeps as "
        "backups; docs/users.md says for how long.",
        file=sys.stderr,
    )
    return 0


def _is_sure(tenant: str) -> bool:
    """Ask whoever sits at a terminal."""
    if not sys.stdin.isatty():
        return False
    print(f"This erases all conversations, keys and budgets of {tenant}, for good.", file=sys.stderr)
    print(f"Type {tenant} to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == tenant


async def _revoke(store: Store, arguments: argparse.Namespace) -> int:
    return 0 if await revoke(store, _caller(arguments)) else _fail("there is no such key", 1)


ACTIONS = {
    "create": _create,
    "rotate": _rotate,
    "set": _set,
    "label": _label,
    "list": _list,
    "tenants": _tenants,
    "revoke": _revoke,
    "delete": _delete,
}


def _caller(arguments: argparse.Namespace) -> Caller:
    if arguments.tenant is None:
        return read_key(arguments.key)
    if HASH.fullmatch(arguments.key) is None:
        raise WrongValue("with --tenant the key is a hash, as list prints it")
    return Caller(arguments.tenant, arguments.key)


def _show(arguments: argparse.Namespace, tenant: str, key: str) -> int:
    print(json.dumps({"tenant": tenant, "key": key}) if arguments.json else key)
    return 0


def _space(tenant: Mapping[str, Any]) -> str:
    limit = tenant["bytes"]
    return f"bytes: {tenant['bytes_used']} used of {'the default' if limit is None else limit}"


def _key_line(tenant: Mapping[str, Any], key: str) -> str:
    """Return a key's hash, its role, and what else is known of it, behind two spaces each."""
    used, ends = tenant["last_used"].get(key), tenant["ends_at"].get(key)
    times = [f"{what} {_day(at)}" for what, at in (("used", used), ("ends", ends)) if at]
    return "  ".join(filter(None, [key, tenant["roles"][key], tenant["labels"].get(key, ""), *times]))


def _tenant_line(each: Summary) -> str:
    limits = ", ".join(_limit_texts(each.limits))
    roles = ", ".join(f"{count} {role}" for role, count in each.roles.items())
    facts = [
        f"keys {each.keys}" + (f" ({roles})" if roles else ""),
        f"conversations {each.conversations}",
        f"bytes {each.bytes_used}",
    ]
    return "  ".join([each.tenant, *facts, limits or "no limits"])


def _limit_texts(limits: Mapping[str, Any]) -> list[str]:
    """Return a text for each limit that is set, of users and agents behind those of the tenant."""
    texts = []
    for name, value in limits.items():
        if isinstance(value, dict):
            texts += [f"{name.replace('_', ' ')} {each}" for each in _limit_texts(value)]
        elif value is not None:
            texts.append(f"{name} {value}")
    return texts


def _day(at_unix_s: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at_unix_s))


def _unknown(tenant: str, way_out: str = "") -> int:
    return _fail(f"there is no tenant {tenant}: scripts/keys create {tenant} makes it{way_out}", 1)


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _tenant(value: str) -> str:
    if TENANT_PATTERN.fullmatch(value) is None:
        raise argparse.ArgumentTypeError("a tenant is 1 to 40 of a-z, 0-9 and -, and does not start with -")
    return value


def _labelled(value: str) -> str:
    try:
        return read_label(value)
    except WrongValue as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _roles() -> str:
    """Return what each role may do, each all that the ones before it may."""
    return "; ".join(f"{role}: {text}" for role, text in MEANINGS.items())


def _overlap(value: str) -> int:
    if not value.isdigit() or int(value) > OVERLAP_S_MAX:
        raise argparse.ArgumentTypeError(f"an overlap is 0 to {OVERLAP_S_MAX} seconds")
    return int(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/keys", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser("create", help="make a new key and print it")
    create.add_argument("tenant", type=_tenant)
    create.add_argument("--key", help="mint this key instead of a random one")
    create.add_argument("--label", type=_labelled, default="", help="what the list calls the key")
    create.add_argument("--role", choices=ROLES, default=DEFAULT, help=f"what the key may do ({DEFAULT}). {_roles()}")
    change = actions.add_parser("set", help="change what a tenant may use; what is not named stays as it is")
    change.add_argument("tenant", type=_tenant)
    change.add_argument("--new", action="store_true", help="also for a tenant that has no key yet")
    for action in (create, change):
        action.add_argument("--rate", help="requests a minute, or none")
        action.add_argument("--burst", help="requests at once (a sixth of the rate)")
        for name in BUDGETS:
            action.add_argument(f"--{name}", help=f"budget of {name.replace('-', ' in a ')} (UTC), or none")
        for kind in KINDS:
            names = ", ".join(OF_EACH)
            about = f"limit of each {kind} by itself, or NAME=none; names are {names}"
            action.add_argument(f"--per-{kind}", action="append", metavar="NAME=VALUE", help=about)
        action.add_argument("--bytes", help="what its conversations may take, as 500MB; none: the default")
        action.add_argument("--price", action="append", metavar="MODEL=IN,OUT", help="USD for a million tokens")
    listing = actions.add_parser("list", help="print the hashes of a tenant's keys")
    listing.add_argument("tenant", type=_tenant)
    replace = actions.add_parser("rotate", help="make a new key, and let the old one end after an overlap")
    replace.add_argument("--overlap", type=_overlap, default=OVERLAP_S, metavar="S", help=f"seconds ({OVERLAP_S})")
    naming = actions.add_parser("label", help="say what the list calls a key")
    end = actions.add_parser("revoke", help="end a key")
    erase = actions.add_parser("delete", help="erase all of a tenant, and print a receipt")
    erase.add_argument("tenant", type=_tenant)
    erase.add_argument("--yes", action="store_true", help="do it without a question")
    for action in (replace, naming, end):
        action.add_argument("key", help="the key, or its hash together with --tenant")
        action.add_argument("--tenant", type=_tenant, help="the tenant of a hash")
    naming.add_argument("label", type=_labelled, help='at most 64 characters; "": none')
    everybody = actions.add_parser("tenants", help="print what every tenant has, one a line")
    for action in (create, listing, replace, everybody):
        action.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main(argv: list[str] | None = None) -> int:
    try:
        return asyncio.run(_run(_parser().parse_args(argv)))
    except WrongValue as error:
        return _fail(str(error), 2)
    except (ConfigError, ServiceError) as error:
        return _fail(f"could not do it: {error}", 1)


if __name__ == "__main__":
    sys.exit(main())
