"""
The durable tier: Upstash Redis over HTTP, or Redis and Valkey and their clusters in their own protocol.

    eval, command -> encode -> Pipeline (what is called in one tick of the loop travels together) -> Transport

Every call ends within Settings.store_timeout_s, and before its caller's own deadline; one whose reply may be large may
before that wait for its turn. It is sent once; a script that only reads, or what its caller declares idempotent, once
more when the answer was lost. Whatever keeps a result from arriving becomes StoreUnavailable, whose `outcome_unknown`
tells whether a write may have happened. While the store is away, the Breaker lets calls fail at once. A Store may be
used from one event loop after another.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from shared.config import Settings
from shared.errors import StoreFull, TooLarge
from shared.process.clock import Instant
from shared.process.pool import Pool
from shared.request.erasures import Erasures
from shared.request.invocation import ANY_ROLE, CURRENT, HOLDS_PERMIT, Invocation
from shared.request.observation import store_waits
from shared.request.owners import Owners
from shared.request.permits import read_rate
from shared.setting import RESP_SCHEMES
from shared.store.command import REPLIES_BYTES_MAX, SMALL_REPLY_BYTES, Command, Transport
from shared.store.failure import Failure, Sign
from shared.store.indexes import Indexes, Names, Spread
from shared.store.keys import tenant_of_name
from shared.store.members import Whose
from shared.store.pipeline import LARGE_WAITS, Pipeline, away
from shared.store.script import scripts
from shared.store.span_names import SpanNames
from shared.store.spending import Spender, slowed

LAYOUTS_MAX = 6
"""How often the names of one script are made: each time something that they depend on may have changed again."""

EXIT_S = 0.01
"""The HTTP library's thread lets go of the interpreter a moment after the last answer; one that ends in that moment
is aborted. Measured: 4 of 120 processes without this pause, none of 120 with it."""


class _Sending(NamedTuple):
    """How a script is sent, each time that it is: whether it may be sent twice, until when, what it may bring."""

    is_idempotent: bool
    deadline_at_s: float | None
    reply_bytes_max: int


class StoreCounts(NamedTuple):
    """
    Requests *sent*, and those of them that brought no good answer; the *commands* in them, by the name of the
    script or the command; how often the store was taken for away.
    """

    sent: int
    failed: int
    commands: Mapping[str, int]
    taken_for_away: int


class Store:
    """One database. Make one for an instance and `close` it in the loop that used it last."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic, pool: Pool | None = None
    ) -> None:
        self._timeout_s = settings.store_timeout_s
        self._request_bytes_max = settings.store_request_bytes_max
        self._clock = clock
        self._names = SpanNames(settings.store_url)
        self._indexes = Indexes()
        self.erasures = Erasures()
        self._transport = _open_transport(settings, pool)
        self._pipeline = Pipeline(self._transport, clock)

    async def eval(
        self,
        name: str,
        keys: Sequence[str | Names],
        arguments: Sequence[str | int | Spread],
        *,
        is_idempotent: bool = False,
        deadline_at_s: float | None = None,
        reply_bytes_max: int = SMALL_REPLY_BYTES,
    ) -> list[Any]:
        """
        Run the script *name* and return its reply; the first argument is the SHA-256 of the caller's key, but for
        scripts that are keyless. What *is_idempotent*, as every script is that only reads, may be sent twice. No answer
        is awaited after *deadline_at_s* on the monotonic clock, nor after that of the current invocation, whose role
        the key has to have, and whose permit the script takes if it has none. *reply_bytes_max*: what the reply may
        hold, about; what may be large travels alone. Names that depend on a tenant's layout, or on whose something is,
        are made here, and anew when the script says that they are not right. A script that only reads is not counted
        against the rate while the store has no room for that.

        Raises:   Unauthorized, InsufficientRole, RateExceeded (all only within an invocation, but for the rates of
                  users and agents): nothing was done.
                  StoreUnavailable: `outcome_unknown` says whether it may have run.
                  TooLarge: the request would exceed the store's limit; nothing was sent.
        """
        sending = _Sending(is_idempotent or scripts.is_read(name), _within_invocation(deadline_at_s), reply_bytes_max)
        for _ in range(LAYOUTS_MAX):
            names, told = self._indexes.names(keys), self._indexes.arguments(arguments)
            reply = await self._eval(name, names, told, sending)
            if not self._put_right(reply, arguments):
                return reply
        raise Failure("its indexes keep moving", outcome_unknown=False, sign=Sign.THERE).for_caller(is_read=False)

    def _put_right(self, reply: list[Any], arguments: Sequence[str | int | Spread]) -> bool:
        """
        Take in what a script replied who was told what is not so any more; return whether it did. Raises RateExceeded.
        """
        match reply[0]:
            case "shards":
                [tenant] = {each.tenant for each in arguments if isinstance(each, Spread)}
                self._indexes.learn(tenant, reply[1])
            case "owner" if whose := [each for each in arguments if isinstance(each, Whose | Spender)]:
                self.learn_owners(whose[0].tenant, whose[0].conversation_id, Owners(*reply[1:]))
            case "spender":
                spenders = [each for each in arguments if isinstance(each, Spender)]
                for each in spenders[:-1]:
                    each.is_taken = True  # It came to the reservation, which stands behind the conversation.
                self.learn_owners(spenders[-1].tenant, spenders[-1].conversation_id, Owners(*reply[1:]))
            case "slow":
                raise slowed(reply)
            case _:
                return False
        return True

    def owners(self, tenant: str, conversation_id: str) -> Owners:
        """Return whose a conversation is, as this instance believes."""
        return self._indexes.owners(tenant, conversation_id)

    def names(self, named: Sequence[str | Names]) -> list[str]:
        """Return names with those of what this instance believes in the place of marks."""
        return self._indexes.names(named)

    def learn_owners(self, tenant: str, conversation_id: str, owners: Owners) -> None:
        """Take in whose a conversation is: what was just written, or that it is nobody's, because it is gone."""
        self._indexes.learn_owners(tenant, conversation_id, owners)

    async def _eval(
        self,
        name: str,
        keys: Sequence[str],
        arguments: Sequence[str | int],
        sending: _Sending,
    ) -> list[Any]:
        """Run a script whose names are made, admitted as the current invocation is."""
        invocation = CURRENT.get()
        if not scripts.asks_for_key(name):
            return await self._run(name, keys, arguments, sending)
        roles = ANY_ROLE
        if invocation is not None:
            invocation.has_written |= not scripts.is_read(name)
            roles = invocation.roles
        tenant = tenant_of_name(keys[0])
        while True:
            ask, asked_at = HOLDS_PERMIT, None
            if invocation is not None:
                ask, asked_at = invocation.ask(str(arguments[0])), invocation.now()
            takes_permits, erasures = ask.startswith(" "), self.erasures.known(tenant)
            try:
                asking = _asking(arguments, roles, f"{ask}@{erasures}")
                reply = await self._run(name, keys, asking, sending, takes_permits=takes_permits)
            except StoreFull:
                # A script that counts permits may write. Until there is room, what only reads goes uncounted.
                if invocation is None or not (takes_permits and scripts.is_read(name)):
                    raise
                invocation.admit_uncounted()
                continue
            finally:
                if invocation is not None:
                    invocation.give_up()
            if reply[0] == "limited" and invocation is not None:
                invocation.became_limited()
                continue
            # Before anything is made of the reply, and before the key counts as confirmed.
            if reply[0] == "erased":
                self.erasures.learn(tenant, reply[1])
                continue
            operation = reply[0] if takes_permits else reply
            if operation[0] not in ("unauthorised", "forbidden"):
                self.erasures.learn(tenant, reply[2] if takes_permits else erasures)
            if invocation is not None and asked_at is not None:
                _learn(invocation, ask, asked_at, reply)
            return operation

    async def _run(
        self,
        name: str,
        keys: Sequence[str],
        arguments: Sequence[str | int],
        sending: _Sending,
        *,
        takes_permits: bool = False,
    ) -> list[Any]:
        """Send a script with what its first argument asks for, and return what it replies, permits included."""
        is_read = scripts.is_read(name)
        source = scripts.source(name, takes_permits=takes_permits, locks_keys=self._transport.locks_keys)
        parts = ["EVAL", source, len(keys), *keys, *arguments]
        is_idempotent, deadline_at_s, reply_bytes_max = sending
        end_at_s = self._end_at_s(deadline_at_s, reply_bytes_max)
        owner = keys[0] if keys else ""
        command = Command(parts, end_at_s, is_idempotent, is_read, reply_bytes_max, owner, name)
        reply = await self._call(command)
        if not isinstance(reply, list) or not reply:
            strange = Failure("a reply that is none of ours", outcome_unknown=True, sign=Sign.THERE)
            raise strange.for_caller(is_read=is_read)
        return reply

    async def command(
        self,
        *parts: str | int | float,
        is_idempotent: bool = False,
        deadline_at_s: float | None = None,
        reply_bytes_max: int = SMALL_REPLY_BYTES,
    ) -> Any:
        """Send one command and return its result: None, str, int or nested lists. Otherwise as `eval`."""
        end_at_s = self._end_at_s(_within_invocation(deadline_at_s), reply_bytes_max)
        name = str(parts[0]).lower()
        return await self._call(Command(parts, end_at_s, is_idempotent, False, reply_bytes_max, "", name))

    def _end_at_s(self, deadline_at_s: float | None, reply_bytes_max: int) -> float:
        """Return until when a command may be waited for; of a large one the transport has but one timeout."""
        timeouts = 1 + LARGE_WAITS if reply_bytes_max > REPLIES_BYTES_MAX else 1
        end_at_s = self._clock() + timeouts * self._timeout_s
        return end_at_s if deadline_at_s is None else min(end_at_s, deadline_at_s)

    async def _call(self, command: Command) -> Any:
        wait_s = self._pipeline.wait_s(command)
        if wait_s > 0:
            raise away(wait_s).for_caller(is_read=command.is_read)
        command.body = self._checked(await self._transport.encode(command.parts))
        if command.deadline_at_s <= self._clock():
            late = Failure("no time left", outcome_unknown=False, sign=Sign.NONE)
            raise late.for_caller(is_read=command.is_read)
        with store_waits(self._names[str(command.parts[0]), command.name]):
            return await self._pipeline.call(command)

    def _checked(self, body: bytes) -> bytes:
        if len(body) > self._request_bytes_max:
            raise TooLarge(
                f"The request takes {len(body)} bytes on its way to the store; the limit is {self._request_bytes_max}.",
                limit_bytes=self._request_bytes_max,
            )
        return body

    def counted(self) -> StoreCounts:
        """Return what was counted since the start."""
        pipeline = self._pipeline
        return StoreCounts(pipeline.sent, pipeline.failed, pipeline.commands, pipeline.breakers.opened)

    def was_away(self) -> bool:
        """Tell whether the store was taken for away at any time since this was asked last."""
        return self._pipeline.breakers.was_open()

    async def close(self) -> None:
        """Give up what is under way and close every connection."""
        await self._pipeline.close()
        await self._transport.close()
        await asyncio.sleep(EXIT_S)


def _open_transport(settings: Settings, pool: Pool | None) -> Transport:
    """Return the way to the store that *settings* name. Each has a library of its own, which is loaded here."""
    if settings.store_url.startswith(RESP_SCHEMES):
        from shared.store.resp.transport import RespTransport

        return RespTransport(settings)
    from shared.store.transport import HttpTransport

    return HttpTransport(settings, pool=pool)


def _asking(arguments: Sequence[str | int], roles: str, ask: str) -> list[str | int]:
    """Return *arguments* with what goes behind the hash of a key: *roles* that will do, *ask* of its tenant's rate."""
    return [f"{arguments[0]}{roles}{ask}", *arguments[1:]]


def _learn(invocation: Invocation, ask: str, asked_at: Instant, reply: list[Any]) -> None:
    """Take in what a script that was told *ask* replied. Raises Unauthorized, InsufficientRole, RateExceeded."""
    operation, rate = (reply[0], read_rate(reply[1])) if ask.startswith(" ") else (reply, None)
    if operation[0] == "forbidden":
        raise invocation.learn_role(operation[1])
    invocation.learn(ask, asked_at, operation[0], rate)


def _within_invocation(deadline_at_s: float | None) -> float | None:
    """Return *deadline_at_s*, or that of the current invocation where it is earlier."""
    invocation = CURRENT.get()
    if invocation is None:
        return deadline_at_s
    return min(invocation.deadline_at_s, deadline_at_s or invocation.deadline_at_s)
