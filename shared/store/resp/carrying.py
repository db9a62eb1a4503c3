"""
Commands on their way to a server, or to those of a cluster, until each has its result.

What belongs to one server travels in one write on one connection, and its replies come in order; what came before a
connection was lost counts. A server says, before it runs anything, when a command is not its to carry out (MOVED, ASK),
or not now (TRYAGAIN, CLUSTERDOWN, LOADING, READONLY): it is sent again, as often as that is said and there is time.
What may have been carried out is never sent again.

With WARMTHREAD_REPLICAS_ACKNOWLEDGE a WAIT goes behind what may write, on the same connection. WAIT asks about the last
write of its own connection; who only finds what an earlier attempt wrote has none there. So a write of ours, which
leaves nothing, goes directly before it: the replicas that heard of this one have all that the server wrote until then.
It has a slot of its own: one that is on its way is no place for it. Where they are too few, nobody knows whether the
write outlives its server: its outcome is unknown.
"""

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.store.command import Command
from shared.store.failure import Failure, Sign
from shared.store.replies import WITHIN, refused
from shared.store.resp.connection import LATE, Refusal
from shared.store.resp.server import Address, NotConnected, Server, packed
from shared.store.resp.slots import OneServer, Slots, key_of

PAUSE_S = (0.01, 0.03)
"""Before a command is sent again to a store that is changing."""

HOPS_AT_ONCE = 2
"""Redirections that are followed without a pause: one is usual; a cluster that changes may send back and forth."""

REPLY_S_MIN = 0.02
"""With less left nothing is sent again: what has no reply in time has an unknown outcome, and so far it has none."""

ASKING = packed(["ASKING"])
AWAY = frozenset({"CLUSTERDOWN", "LOADING", "MASTERDOWN"})
LATER = AWAY | {"READONLY", "TRYAGAIN"}
"""
Not now: nobody has the slot yet, the server starts, it is the primary no more, or the slot is on its way and some of a
script's names are here and some are not.
"""

READS = frozenset(
    (
        *("DBSIZE", "ECHO", "EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HSCAN", "INFO"),
        *("KEYS", "LLEN", "LRANGE", "MGET", "PING", "PTTL", "SCAN", "SCARD", "SISMEMBER", "SMEMBERS", "STRLEN"),
        *("TIME", "TTL", "TYPE", "ZCARD", "ZMSCORE", "ZRANGE", "ZREVRANGE", "ZSCORE"),
    )
)
"""Commands that write nothing; of scripts their heads tell."""

REPLY_SHARE, REPLY_S_MAX = 0.5, 0.2
"""WAIT gives up before time is up, by this share of it and at most so long: an idle server looks every 100 ms, and its
reply has to get here, for too few replicas are no sign that the server is away."""

MARK = "#!lua flags=allow-oom\nlocal told = redis.call('SET', KEYS[1], '')\nredis.call('DEL', KEYS[1])\nreturn told"
"""A write that every replica hears of. What only makes room is acknowledged in a full store as well."""

MISSING = object()


class Route(NamedTuple):
    """Where a command goes; with *is_asking* though the slot is not yet that server's."""

    server: Server
    is_asking: bool = False


class Carrying:
    """The commands of one request; it ends at *end_at_s* on the loop's clock, too soon for its usual time if unfair."""

    def __init__(self, slots: Slots | OneServer, end_at_s: float, replicas: int, *, is_unfair: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots = slots
        self._end_at_s = end_at_s
        self._replicas = replicas
        self._is_unfair = is_unfair
        self._results: dict[Command, Any | Failure] = {}
        self._routes: dict[Command, Route] = {}
        self._said: dict[Command, str] = {}
        self._needs_pause = False

    async def all_of(self, commands: Sequence[Command]) -> list[Any | Failure]:
        """Return the result of each, or why it has none."""
        hops = 0
        while waiting := [each for each in commands if each not in self._results]:
            if self._needs_pause or hops > HOPS_AT_ONCE:
                self._needs_pause = False
                await asyncio.sleep(random.uniform(*PAUSE_S))  # noqa: S311  # jitter is no secret.
            hops += 1
            if hops > 1 and self._loop.time() >= self._end_at_s - REPLY_S_MIN:
                self._give_up(waiting)
                break
            groups = await self._grouped(waiting)
            exchanges = [self._exchange(route, group) for route, group in groups.items()]
            if len(exchanges) == 1:
                await exchanges[0]
            else:
                await asyncio.gather(*exchanges)
        return [self._results[each] for each in commands]

    async def _grouped(self, waiting: Sequence[Command]) -> Mapping[Route, list[Command]]:
        """Return what goes where, in order; what nobody has waits."""
        groups: dict[Route, list[Command]] = {}
        for command in waiting:
            route = self._routes.pop(command, None) or await self._route(command)
            if route is not None:
                groups.setdefault(route, []).append(command)
        return groups

    async def _route(self, command: Command) -> Route | None:
        slots, key = self._slots, key_of(command.parts)
        owner = slots.owner(key)
        if owner is None and isinstance(slots, Slots):
            try:
                await slots.learn(self._end_at_s)
            except Failure as failure:
                self._results[command] = failure
                return None
            owner = slots.owner(key)
        if owner is None:
            self._said[command], self._needs_pause = "CLUSTERDOWN no server has this slot", True
            return None
        return Route(owner)

    async def _exchange(self, route: Route, commands: Sequence[Command]) -> None:
        """Send *commands* and take note of what became of each."""
        writes = [each for each in commands if self._replicas and _may_write(each)]
        pieces = [piece for each in commands for piece in ([ASKING, each.body] if route.is_asking else [each.body])]
        if writes:
            left_s = self._end_at_s - self._loop.time()
            left_ms = int((left_s - min(REPLY_S_MAX, left_s * REPLY_SHARE)) * 1_000)
            mark = packed(["EVAL", MARK, 1, self._slots.mark_name(route.server, key_of(writes[0].parts) or "")])
            pieces += [*([ASKING] if route.is_asking else []), mark, packed(["WAIT", self._replicas, max(1, left_ms)])]
        try:
            replies, lost, size_bytes = await route.server.exchange(b"".join(pieces), len(pieces), self._end_at_s)
        except NotConnected as error:
            await self._not_connected(route, commands, error)
            return
        except Refusal as refusal:  # Of the login.
            failure = refused(str(refusal), str(refusal), False)
            self._results.update(dict.fromkeys(commands, failure))
            return
        commands[0].reply_bytes = size_bytes
        replies += [MISSING] * (len(pieces) - len(replies))
        acknowledged = _acknowledged(*replies[-2:]) if writes else None
        if writes and isinstance(replies[-2], Refusal) and isinstance(self._slots, Slots):
            self._slots.doubt()
        for command, reply in zip(commands, replies[1::2] if route.is_asking else replies, strict=False):
            if reply is MISSING:
                self._results[command] = self._lost(command, lost)
            elif isinstance(reply, Refusal):
                self._refused(command, str(reply), route.server)
            elif command in writes and (acknowledged is None or acknowledged < self._replicas):
                count = "nobody knows how many" if acknowledged is None else acknowledged
                reason = f"{count} of {self._replicas} replicas have it in time"
                self._results[command] = Failure(reason, outcome_unknown=True, sign=Sign.THERE)
            else:
                self._results[command] = reply

    def _lost(self, command: Command, why: str) -> Failure:
        """Return the failure of what was sent, and has no reply."""
        if isinstance(self._slots, Slots):
            self._slots.doubt()
        is_nobodys_fault = why == LATE and (self._is_unfair or command.is_large)
        return Failure(f"no answer ({why})", outcome_unknown=True, sign=Sign.NONE if is_nobodys_fault else Sign.AWAY)

    async def _not_connected(self, route: Route, commands: Sequence[Command], error: NotConnected) -> None:
        """Nothing was sent: where others have by now what was this server's, it goes there."""
        sign = Sign.NONE if error.is_late and self._is_unfair else Sign.AWAY
        failure = Failure(f"no connection to {route.server.place} ({error})", outcome_unknown=False, sign=sign)
        if isinstance(self._slots, Slots):
            self._slots.doubt()
            try:
                await self._slots.learn(self._end_at_s)
            except Failure as unknown:
                failure = unknown
        for command in commands:
            owner = self._slots.owner(key_of(command.parts))
            if owner is None or owner.place == route.server.place or route.is_asking:
                self._results[command] = failure

    def _refused(self, command: Command, said: str, by: Server) -> None:
        """Take note of what a server says in the place of a result: an end, or a way on."""
        word, _, rest = said.partition(" ")
        if re.search(WITHIN, said) is not None:
            word = ""  # A script has begun, whatever ended it.
        self._said[command] = said
        if word in ("MOVED", "ASK") and isinstance(self._slots, Slots):
            slot, _, where = rest.partition(" ")
            host, _, port = where.rpartition(":")
            server = self._slots.server(Address(host or by.address.host, int(port)))
            if word == "ASK":
                self._routes[command] = Route(server, is_asking=True)
            else:
                self._slots.note_moved(int(slot), server)
        elif word in LATER:
            self._needs_pause = True
            if isinstance(self._slots, Slots):
                if word != "TRYAGAIN":
                    self._slots.doubt()
            elif word == "READONLY":
                self._slots.reconnect()  # Its name leads to another machine by now.
        else:
            hint = ": it is a cluster, whose address ends in ?cluster" if word == "MOVED" else ""
            self._results[command] = refused(said + hint, said, command.is_script)

    def _give_up(self, waiting: Sequence[Command]) -> None:
        """Time is up for what was refused before it began."""
        for command in waiting:
            said = self._said.get(command, "no time left")
            sign = Sign.AWAY if said.partition(" ")[0] in AWAY else Sign.THERE
            self._results[command] = Failure(said, outcome_unknown=False, sign=sign)


def _acknowledged(marked: Any, waited: Any) -> int | None:
    """Return how many replicas have what was written, None where that is not known."""
    return waited if isinstance(waited, int) and marked == "OK" else None


def _may_write(command: Command) -> bool:
    return not (command.is_read or (not command.is_script and str(command.parts[0]).upper() in READS))
