"""
Damage on purpose, by which a checker shows that it can fail: what was tampered with, past the service, has to be found.

    lost       an acknowledged item is taken out of the store
    doubled    an item stands in the store twice
    stale      a read is recorded as if it had not shown what was acknowledged before
    overrun    the books are let go over their limit
"""

from collections.abc import Callable, Sequence
from typing import Any

from scripts.proving.coherence.stored import Stored
from scripts.proving.history.recorded import Append, Delete, Operation, Outcome, Read
from shared.store import keys

PLANTS = ("lost", "doubled", "stale", "overrun")

type Run = Callable[..., Any]
"""Carries out a command on the store, past the service."""


def lose(run: Run, key: str, item_id: str) -> None:
    """Take an item of the conversation *key* out of the store, as if it had never been there."""
    place = run("HGET", key, f"i:{item_id}")
    run("HDEL", key, f"i:{item_id}", place)


def double(run: Run, key: str, item_id: str) -> None:
    """Store the item once more, as the newest, under another id."""
    entry = run("HGET", key, run("HGET", key, f"i:{item_id}"))
    newest = run("HINCRBY", key, "v", 1)
    run("HSET", key, str(newest), entry, f"i:{item_id}_again", str(newest))


def overrun(run: Run, tenant: str) -> None:
    """Let *tenant* spend ten times what it may, by its books, while whoever looks knows the old limit."""
    name = keys.tenant_key(tenant)
    run("HSET", name, "limit:tokens-month", int(run("HGET", name, "limit:tokens-month")) * 10)


def acknowledged(operations: Sequence[Operation], stored: Stored) -> str:
    """Return the id of an item that was acknowledged and nobody deleted. Raises ValueError: there is none."""
    log = stored.log()
    for each in operations:
        if isinstance(each, Append) and each.outcome is Outcome.OK and each.ids and each.ids[-1] in log.live:
            return each.ids[-1]
    raise ValueError("nothing was acknowledged")


def staled(operations: Sequence[Operation]) -> list[Operation]:
    """Return *operations* with one read that lacks what it had to show. Raises ValueError: there is none to spoil."""
    appends = [each for each in operations if isinstance(each, Append) and each.outcome is Outcome.OK]
    gone = {each.id for each in operations if isinstance(each, Delete)}
    for at, read in enumerate(operations):
        if not isinstance(read, Read) or not read.is_whole or read.max_age_ns:
            continue
        known = {id_ for each in appends if each.end_ns < read.start_ns for id_ in each.ids}
        if len(read.ids) > 1 and read.ids[-1] in known - gone:
            spoilt = read._replace(ids=read.ids[:-1], version=None)
            return [*operations[:at], spoilt, *operations[at + 1 :]]
    raise ValueError("no read to spoil")
