"""
Which server of a cluster has which slot: asked of any, and corrected by what they say when they are asked wrong.

    slot_of(name)     the slot of a key: all keys of a tenant have the tenant's
    Slots             the map; `learn` reads it anew when it is doubted, one reader at a time

A map that is old harms nobody: a server refuses, before it runs anything, what another one has.
"""

import asyncio
import random
from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from shared.store.command import Parts
from shared.store.failure import Failure, Sign
from shared.store.resp.connection import Refusal
from shared.store.resp.server import Address, NotConnected, Server, packed

SLOTS = 16_384
ASK_FOR_SLOTS = packed(["CLUSTER", "SLOTS"])
NAMELESS = frozenset({"PING", "ECHO", "INFO", "TIME", "SCAN", "KEYS", "DBSIZE", "COMMAND"})
"""Commands without a key: any server answers them, for itself."""

LEARN_PAUSE_S = 0.25
"""At least so long between two readings of the map while it is doubted; a failover takes longer."""

ASKED_MAX = 3
"""Servers that one reading asks, one after the other, beside that of the setting."""

MARKS, MARKS_TRIED = 4_096, 128
"""Names that are tried for one in a slot of a server; the more servers there are, the fewer slots each has."""

TOLD_S = 0.5
"""For so long one of them is waited for."""


def tag_of(name: str) -> str:
    """Return what decides the slot of the key *name*: what stands in its first braces, or all where that is nothing."""
    start = name.find("{")
    end = name.find("}", start + 1)
    return name[start + 1 : end] if start >= 0 and end > start + 1 else name


def slot_of(name: str) -> int:
    """Return the slot of the key *name*."""
    return crc_hqx(tag_of(name).encode(), 0) % SLOTS


def key_of(parts: Parts) -> str | None:
    """Return the first key of a command, None where it has none."""
    name = str(parts[0]).upper()
    if name in ("EVAL", "EVAL_RO"):
        return str(parts[3]) if int(parts[2]) else None
    return None if name in NAMELESS or len(parts) < 2 else str(parts[1])


def own_mark(key: str) -> str:
    """Return a name in the slot of *key*, for a write that leaves nothing."""
    return f"{{{tag_of(key)}}}:acknowledged"


class OneServer:
    """The map of a store that is one server, in one event loop."""

    def __init__(self, address: Address, open_server: Callable[[Address], Server]) -> None:
        self._server = open_server(address)

    def owner(self, key: str | None) -> Server:
        return self._server

    def mark_name(self, server: Server, beside: str) -> str:
        """As Slots.mark_name."""
        return own_mark(beside)

    def reconnect(self) -> None:
        """Its name may lead to another machine by now."""
        self._server.drop_idle()

    def close(self) -> None:
        """Close every connection."""
        self._server.abort()


class Slots:
    """The map of one cluster, in one event loop. *open_server* makes a server of an address."""

    def __init__(self, seed: Address, open_server: Callable[[Address], Server]) -> None:
        self._seed = seed
        self._open_server = open_server
        self._servers: dict[Address, Server] = {}
        self._starts: list[int] = []
        self._owners: list[Server | None] = []
        self._moved: dict[int, Server] = {}
        self._is_doubted = True
        self._learned_at_s = -LEARN_PAUSE_S
        self._learning: asyncio.Task[str] | None = None

    def server(self, address: Address) -> Server:
        """Return the server at *address*, which may be new."""
        found = self._servers.get(address)
        if found is None:
            found = self._servers[address] = self._open_server(address)
        return found

    def owner(self, key: str | None) -> Server | None:
        """Return who has the slot of *key*, any server for None; None: that is not known."""
        if not self._owners:
            return None
        if key is None:
            found = next((each for each in self._owners if each is not None), None)
        else:
            found = self._owner_of(slot_of(key))
        # For as long as a server is away, another may be taking its place.
        if self._is_doubted or found is None or found.is_away:
            self._learn_soon()
        return found

    def mark_name(self, server: Server, beside: str) -> str:
        """
        Return a name in a slot that *server* has, for a write that leaves nothing: another slot than that of *beside*,
        which may be on its way to or from that server; and mostly another than the last time.
        """
        avoided, first = slot_of(beside), random.randrange(MARKS)  # noqa: S311  # it is no secret.
        for number in range(first, first + MARKS_TRIED):
            name = f"{{acknowledged-{number % MARKS}}}"
            slot = slot_of(name)
            if slot != avoided and self._owner_of(slot) is server:
                return name
        return own_mark(beside)

    def doubt(self) -> None:
        """The map may be old: it is read again, when somebody wants to know."""
        self._is_doubted = True

    def note_moved(self, slot: int, server: Server) -> None:
        """Somebody was told that *server* has *slot* by now."""
        self._moved[slot] = server
        self._is_doubted = True

    async def learn(self, end_at_s: float) -> None:
        """
        Read the map, or wait for whoever reads it.

        Raises:   Failure: no server told it until *end_at_s*.
        """
        loop = asyncio.get_running_loop()
        learning = self._learning = self._learning or loop.create_task(self._read())
        await asyncio.wait([learning], timeout=end_at_s - loop.time())
        reason = learning.result() if learning.done() else "it takes too long"
        if reason:
            raise Failure(f"no server tells which slots there are: {reason}", outcome_unknown=False, sign=Sign.AWAY)

    def close(self) -> None:
        """Close every connection."""
        if self._learning is not None:
            self._learning.cancel()
        for server in self._servers.values():
            server.abort()

    def _owner_of(self, slot: int) -> Server | None:
        return self._moved.get(slot) or self._owners[bisect_right(self._starts, slot) - 1]

    def _learn_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._learning is None and loop.time() - self._learned_at_s > LEARN_PAUSE_S:
            self._learning = loop.create_task(self._read())

    async def _read(self) -> str:
        """Read the map; return why it could not be read, "" when it was."""
        loop = asyncio.get_running_loop()
        reason = ""
        try:
            known = random.sample(list(self._servers.values()), min(ASKED_MAX, len(self._servers)))
            for server in [*known, self.server(self._seed)]:
                try:
                    replies, reason, _ = await server.exchange(ASK_FOR_SLOTS, 1, loop.time() + TOLD_S)
                except (NotConnected, Refusal) as error:
                    reason = f"{server.place}: {error}"
                    continue
                if replies and isinstance(replies[0], list) and replies[0]:
                    self._take(replies[0], server)
                    return ""
                reason = f"{server.place}: {replies[0] if replies else reason}"
            return reason
        finally:
            self._learned_at_s = loop.time()
            self._learning = None

    def _take(self, told: Sequence[Any], told_by: Server) -> None:
        """Keep what CLUSTER SLOTS replied: ranges of first slot, last slot and servers, the primary first."""
        ranges = sorted((first, last, servers) for first, last, *servers in told)
        starts: list[int] = []
        owners: list[Server | None] = []
        free_from = 0
        for first, last, (primary, *_) in ranges:
            if first > free_from:
                starts.append(free_from)
                owners.append(None)
            starts.append(first)
            owners.append(self.server(self._address(primary[0], primary[1], told_by)))
            free_from = last + 1
        if free_from < SLOTS:
            starts.append(free_from)
            owners.append(None)
        there = {self._address(host, port, told_by) for _, _, servers in ranges for host, port, *_ in servers}
        for address in self._servers.keys() - there:
            if address != self._seed:
                self._servers.pop(address).retire()
        for address in there:
            self.server(address)  # Replicas too: they tell the map when nobody else can.
        self._starts, self._owners = starts, owners
        self._moved.clear()
        self._is_doubted = False

    def _address(self, host: str | None, port: int, told_by: Server) -> Address:
        """Return the address that a server tells; of itself it may not know the name."""
        return Address(host if host and host != "?" else told_by.address.host, port)
