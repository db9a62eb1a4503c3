"""
Scripts made to end half-way, one write after the other, and what is there afterwards.

    for failure in failures(server, name):     its first, second, … write is refused, until it has no more
        …                                      one call that runs the script *name*

`tenant_seen` is all that a tenant can see, `check_indexes` all that it cannot.
"""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx

from scripts.faults.server import FaultyServer
from shared.store import keys
from shared.store.indexes import read_layout, shard_of
from shared.store.script import scripts

NAMES = {scripts.source(name, takes_permits=takes): name for name in scripts.names() for takes in (False, True)}
WRITES_MAX = 40

ENDED: set[tuple[str, int]] = set()
"""Each script with each write that it was refused, of all tests."""

ELSEWHERE = {
    "tests of budgets": ("append_settle", "append_settle_read", "read_reserve", "release", "reserve", "settle"),
    "tests of keys": ("key_uses",),
    "tests of erasures": ("erase_begin", "erase", "erase_documents", "erase_end", "erase_progress", "erase_tenant"),
    "tests of documents": (
        *("document_begin", "document_count", "document_notice", "document_store", "document_sweep"),
        *("document_write", "document_written"),
        *("heat", "lease", "metrics"),
    ),
}
"""Which scripts that write are made to end half-way elsewhere."""


STEADY = ("id", "object", "created_at", "metadata", "user", "agent")
"""What lists say of a conversation that no change in vain moves."""


class _Refusal:
    """
    The next run of the script *name* is refused its *nth* write; with *goes_on* any until one was: a script that wants
    to know more first writes nothing.
    """

    def __init__(self, name: str, nth: int, goes_on: Callable[[], bool]) -> None:
        self._name = name
        self._nth = nth
        self._goes_on = goes_on
        self.is_done = False

    def __call__(self, source: str) -> int:
        if (self.is_done and not self._goes_on()) or NAMES.get(source) != self._name:
            return 0
        self.is_done = True
        return self._nth


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what is done after a response."""
    give_up_at_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < give_up_at_s, "it did not come"
        time.sleep(0.005)


def wait_for_refusal(server: FaultyServer) -> None:
    """Wait until the script was run that `failures` is about, also behind an answer, and the store has answered."""
    refusal = server.nth_write
    assert isinstance(refusal, _Refusal)
    wait_until(lambda: refusal.is_done and server.requests == len(server.statuses))


def failures(server: FaultyServer, name: str, *, asks_first: bool = False) -> Iterator[int]:
    """
    Yield 1, 2, …: the next run of the script *name* is refused that write, until it has none that is. One that
    *asks_first*, for names that its caller did not know, is run again with these.
    """
    for nth in range(1, WRITES_MAX):
        before = server.ended_half_way
        goes_on = partial(_is_as_before, server, before) if asks_first else bool
        server.nth_write = refusal = _Refusal(name, nth, goes_on)
        yield nth
        server.nth_write = None
        assert refusal.is_done, f"{name} was not run"
        if server.ended_half_way == before:
            return
        ENDED.add((name, nth))
    raise AssertionError(f"{name} has too many writes")


def _is_as_before(server: FaultyServer, ended_half_way: int) -> bool:
    return server.ended_half_way == ended_half_way


def tenant_seen(api: httpx.Client) -> list[Any]:
    """Return the tenant's conversations as its key sees them, without the ids that the service chose."""
    listed = api.get("/v1/conversations", params={"limit": 100}).json()["data"]
    return sorted((_seen(api, each) for each in listed), key=str)


def _seen(api: httpx.Client, info: dict[str, Any]) -> list[Any]:
    path = f"/v1/conversations/{info['id']}"
    whole = api.get(path).json()
    # Its place in the list may be newer than its newest use: a change that ended half-way moved it.
    assert whole["last_active_at"] <= info["last_active_at"]
    steady = {name: info[name] for name in STEADY}
    assert {name: whole[name] for name in STEADY} == steady
    items = [
        {name: value for name, value in each.items() if name not in ("id", "created_at")}
        for order in ("asc", "desc")
        for each in api.get(path + "/items", params={"order": order, "limit": 100}).json()["data"]
    ]
    context = api.get(path + "/context", params={"budget": 100_000, "format": "text"}).json()
    life = whole["expires_at"] and whole["expires_at"] - whole["last_active_at"]
    facts = [life, *(whole[name] for name in ("items", "tokens"))]
    whose = {name: info[name] for name in ("user", "agent")}
    for name, value in whose.items():
        if value is not None:
            theirs = api.get("/v1/conversations", params={"limit": 100, name: value}).json()["data"]
            # What was read meanwhile may have been used since.
            assert steady in [{name: each[name] for name in steady} for each in theirs]
            assert {each[name] for each in theirs} == {value}
    return [info["metadata"], whose, facts, items, context["tokens"], context["text"], context["omitted"]]


def row_of(run: Callable[..., Any], name: str) -> list[str]:
    """Return what the row of a conversation has to say: when it was made, its expiry, and what is behind its size."""
    told = run("HMGET", name, "c", "cu", "e", "m", "us", "ag")
    created, micros, expiry, metadata, *whose = (each or "" for each in told)
    if not any(whose):
        return [created, expiry, metadata]
    sizes = " ".join(str(len(each.encode())) for each in whose)
    return [f"@{int(created) * 1_000_000 + int(micros or 0)}", expiry, f"{sizes} {''.join(whose)}{metadata}"]


def check_members(run: Callable[..., Any], tenant: str) -> None:
    """The sets of users and agents hold their conversations, by when they were made, and no others."""
    prefix = keys.conversation_key(tenant, "")
    expected: dict[str, dict[str, int]] = {}
    for name in run("KEYS", re.sub(r"([*?\[\]])", r"\\\1", prefix) + "*"):
        created, micros, *whose = run("HMGET", name, "c", "cu", "us", "ag")
        for kind, each in zip(("user", "agent"), whose, strict=True):
            if each:
                at_us = int(created) * 1_000_000 + int(micros or 0)
                expected.setdefault(keys.members_key(tenant, kind, each), {})[name.removeprefix(prefix)] = at_us
    sets = run("KEYS", f"{keys.SCHEMA}:{{{tenant}}}:of:*")
    found = {name: dict(zip(*[iter(run("ZRANGE", name, 0, -1, "WITHSCORES"))] * 2, strict=True)) for name in sets}
    assert {name: {each: int(float(at)) for each, at in held.items()} for name, held in found.items()} == expected


def check_indexes(run: Callable[..., Any], tenant: str) -> None:
    """
    Every conversation has its place and a true row, and stands in the sets of its user and its agent; every place has a
    conversation; and what expires does.
    """
    prefix = keys.conversation_key(tenant, "")
    names = run("KEYS", re.sub(r"([*?\[\]])", r"\\\1", prefix) + "*")
    rows: dict[str, str] = {}
    places: list[str] = []
    layout = read_layout(run("HGET", keys.tenant_key(tenant), "shards") or "1")
    assert not layout.moving_from
    for shard in range(layout.shards):
        its_rows = dict(zip(*[iter(run("HGETALL", keys.rows_key(tenant, shard)))] * 2, strict=True))
        assert {shard_of(each, layout.shards) for each in its_rows} <= {shard}
        rows |= its_rows
        places += run("ZRANGE", keys.activity_key(tenant, shard), 0, -1)
    assert sorted(places) == sorted(rows) == sorted(name.removeprefix(prefix) for name in names)
    check_members(run, tenant)
    for name in names:
        expiry, used, size = run("HMGET", name, "e", "t", "b")
        # What appending changes of it is only made right by the sweep.
        facts = rows[name.removeprefix(prefix)].split(" ", 4)
        assert [facts[0], facts[1], facts[4]] == row_of(run, name)
        assert int(facts[2]) <= int(used)
        assert int(size) > 0
        assert (run("TTL", name) > 0) == (expiry != "0")
        fields = dict(zip(*[iter(run("HGETALL", name))] * 2, strict=True))
        newest = int(fields["v"]) - int(fields.get("o", 0))
        entries = {int(field): value for field, value in fields.items() if field.isdigit()}
        assert sorted(entries) == list(range(1, newest + 1))
        kinds = {seq: value.split(" ", 3)[2] for seq, value in entries.items()}
        live = [seq for seq, kind in kinds.items() if kind not in "x-myz" and not kind.isupper()]
        assert len(live) == int(fields["n"])
        for seq in live:
            item_id = re.search(r"\[\d+,\d+,\d+,\"([^\"]*)\"", entries[seq])
            assert item_id
            assert fields[f"i:{item_id[1]}"] == str(seq)
