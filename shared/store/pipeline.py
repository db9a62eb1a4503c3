"""
The commands of one tick of the event loop travel together: one request instead of one each.

    call -> the tick's commands -> requests of at most COMMANDS_MAX, BYTES_MAX and REPLIES_BYTES_MAX
         -> results, matched by position

Within one request the store carries commands out in the order of the calls; requests overtake each other. Every
command has its own outcome: one that is refused, cancelled or out of time takes no other with it. When a request
is lost, its idempotent commands are sent once more, in the same order and without the others.

A command whose reply may be large travels alone and in turns (turns.py): nobody else's answer waits for its transfer.
That it took too long says nothing about the store, and does not count against it; that no connection was had does.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from shared.jsonbytes.read import WHOLE_BYTES
from shared.process import log
from shared.process.pool import Pool
from shared.request.observation import OBSERVED, Observation
from shared.store.breaker import Breaker
from shared.store.failure import Failure, Sign
from shared.store.replies import read_replies
from shared.store.transport import Transport
from shared.store.turns import Turns

COMMANDS_MAX = 32
"""The store answers when the last command of a request is done: more would make the first callers wait."""

BYTES_MAX = 256 * 1024
"""Small commands do not wait for the transfer of large ones, which travel alone."""

REPLIES_BYTES_MAX = 1_250_000
"""What the replies of one request may hold together; they take 12 ms at a gigabit, and a reply comes whole or not."""

SMALL_REPLY_BYTES = 32 * 1024
"""What a reply may hold when nobody says: a conversation's metadata, or what a tenant has used, at their largest."""

LARGE_WAITS = 10
"""For so many timeouts a large command waits for its turn; then it has one of its own."""

PAUSE_S = (0.005, 0.05)
"""Before the one retry: instances that lost their answers together do not come back together."""

RETRY_TIME_MIN_S = 0.01
"""A retry that cannot end in time is not sent."""

SAME_DEADLINE_S = 0.001
"""The deadlines of a tick's commands lie microseconds apart; the deadline of their request then serves them all."""


def _result() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class Command:
    """
    A command and the future of its result. Made once, by whoever asks for it.

    `is_idempotent`: sending it twice does what sending it once does. `is_read`: it stores nothing in any case. *name*:
    its script's, or its own. *reply_bytes_max*: what its reply may hold, about; *owner*: whose it is. *body* is *parts*
    as JSON, from when it is sent on, *reply_bytes* how large the answer to its request was.
    """

    parts: Sequence[str | int | float]
    deadline_at_s: float
    is_idempotent: bool
    is_read: bool
    reply_bytes_max: int = SMALL_REPLY_BYTES
    owner: str = ""
    name: str = ""
    reply_bytes: int | None = None
    body: bytes = b""
    result: asyncio.Future[Any] = field(default_factory=_result)
    observed: Observation | None = field(default_factory=OBSERVED.get)
    """What is seen of the request that asks."""

    @property
    def is_large(self) -> bool:
        return self.reply_bytes_max > REPLIES_BYTES_MAX

    @property
    def is_script(self) -> bool:
        return self.parts[0] == "EVAL"


class Tick(NamedTuple):
    """What was called in the current tick of one event loop."""

    loop: asyncio.AbstractEventLoop
    commands: list[Command]


class Pipeline:
    """Collects commands, sends them through one transport and breaker, and hands out the results."""

    def __init__(self, transport: Transport, breaker: Breaker, pool: Pool, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._transport = transport
        self._breaker = breaker
        self._clock = clock
        # A tick is used once and belongs to its loop, so that nothing waits in a loop that was closed.
        self._tick: Tick | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._turns: tuple[asyncio.AbstractEventLoop, Turns] | None = None
        self.sent = self.failed = 0
        """Requests since the start, and those of them that brought no good answer."""
        self.commands: Counter[str] = Counter()
        """What was in them, by name."""

    async def call(self, command: Command) -> Any:
        """Send *command* with the others of this tick and return its result. Raises StoreUnavailable."""
        loop = command.result.get_loop()
        tick = self._tick
        if tick is None or tick.loop is not loop:
            tick = self._tick = Tick(loop, [])
            loop.call_soon(self._send, tick)
        tick.commands.append(command)
        return await command.result

    async def close(self) -> None:
        """Give up the requests that this loop waits for."""
        loop = asyncio.get_running_loop()
        requests = [request for request in self._requests if request.get_loop() is loop]
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    def _send(self, tick: Tick) -> None:
        if self._tick is tick:
            self._tick = None
        for commands in _split(_waiting(tick.commands)):
            self._limit_waiting(tick.loop, commands)
            # Started at once and not a tick later: a read on a warm instance is short enough to feel it.
            request = asyncio.Task(self._carry(commands), loop=tick.loop, eager_start=True)
            self._requests.add(request)
            request.add_done_callback(partial(self._end, commands))

    def _limit_waiting(self, loop: asyncio.AbstractEventLoop, commands: Sequence[Command]) -> None:
        """The request may run until its last deadline; who has an earlier one leaves it then."""
        last_at_s = _last_deadline(commands)
        for command in commands:
            if last_at_s - command.deadline_at_s > SAME_DEADLINE_S:
                late = Failure("no answer in the caller's time", outcome_unknown=True, sign=Sign.NONE)
                loop.call_later(command.deadline_at_s - self._clock(), _fail, [command], late)

    async def _carry(self, commands: Sequence[Command]) -> None:
        if not commands[0].is_large:
            await self._carry_now(commands)
            return
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = loop, Turns()
        async with self._turns[1].turn(commands[0].owner) as turn:
            if waiting := _waiting(commands):
                await self._carry_now(waiting)
            turn.reply_bytes = commands[0].reply_bytes

    async def _carry_now(self, commands: Sequence[Command]) -> None:
        failure = await self._attempt(commands)
        if failure is None:
            return
        pause_s = random.uniform(*PAUSE_S)  # noqa: S311  # jitter is no secret.
        again: list[Command] = []
        if failure.sign is Sign.AWAY:
            end_at_s = self._clock() + pause_s + RETRY_TIME_MIN_S
            again = [each for each in _waiting(commands) if each.is_idempotent and each.deadline_at_s > end_at_s]
        _fail([each for each in commands if each not in again], failure)
        if again:
            await asyncio.sleep(pause_s)
            await self._retry(_waiting(again), failure)

    async def _retry(self, commands: Sequence[Command], first: Failure) -> None:
        failure = await self._attempt(commands) if commands else None
        if failure is not None:
            failure.outcome_unknown |= first.outcome_unknown
            _fail(commands, failure)

    async def _attempt(self, commands: Sequence[Command]) -> Failure | None:
        """Send one request and hand out its results; return why there are none."""
        ticket = self._breaker.enter()
        if ticket is None:
            return away(self._breaker.wait_s())
        self.sent += 1
        self.commands.update([command.name for command in commands])
        for observed in {each.observed for each in commands}:
            if observed is not None:
                observed.store_requests += 1
        try:
            results = await self._request(commands)
        except Failure as failure:
            self.failed += 1
            log.warning(f"store: {failure}")
            self._breaker.record(ticket, failure.sign)
            return failure
        self._breaker.record(ticket, Sign.THERE)
        for command, result in zip(commands, results, strict=True):
            if isinstance(result, Failure):
                log.warning(f"store: {result}")
                _fail([command], result)
            elif not command.result.done():
                command.result.set_result(result)
        return None

    async def _request(self, commands: Sequence[Command]) -> list[Any | Failure]:
        is_pipeline = len(commands) > 1
        bodies = b",".join([command.body for command in commands])
        path, body = ("pipeline", b"[" + bodies + b"]") if is_pipeline else ("", bodies)
        left_s = _last_deadline(commands) - self._clock()
        status, raw = await self._transport.post(path, body, left_s, is_large=commands[0].is_large)
        commands[0].reply_bytes = len(raw)
        are_scripts = [command.is_script for command in commands]
        read = partial(read_replies, status, raw, are_scripts, is_pipeline=is_pipeline)
        return await self._pool.run_when(len(raw) > WHOLE_BYTES, read)

    def _end(self, commands: Sequence[Command], request: asyncio.Task[None]) -> None:
        """Nobody may wait for a request that has ended, whatever ended it."""
        self._requests.discard(request)
        if request.cancelled():
            _fail(commands, Failure("closed", outcome_unknown=True, sign=Sign.NONE))
        elif bug := request.exception():
            for command in _waiting(commands):
                command.result.set_exception(bug)


def away(wait_s: float) -> Failure:
    """Return the failure of a command that the breaker keeps back."""
    return Failure("away", outcome_unknown=False, sign=Sign.NONE, wait_s=wait_s)


def _split(commands: Iterable[Command]) -> Iterator[list[Command]]:
    """Yield the commands of one request after the other, in order; those with a large reply by themselves."""
    request: list[Command] = []
    size_bytes = replies_bytes = 0
    for command in commands:
        if command.is_large:
            yield [command]
            continue
        is_full = size_bytes + len(command.body) > BYTES_MAX or len(request) == COMMANDS_MAX
        if request and (is_full or replies_bytes + command.reply_bytes_max > REPLIES_BYTES_MAX):
            yield request
            request, size_bytes, replies_bytes = [], 0, 0
        request.append(command)
        size_bytes += len(command.body) + len(b",")
        replies_bytes += command.reply_bytes_max
    if request:
        yield request


def _waiting(commands: Iterable[Command]) -> list[Command]:
    """Return those that are neither settled nor given up by their callers."""
    return [command for command in commands if not command.result.done()]


def _fail(commands: Iterable[Command], failure: Failure) -> None:
    for command in _waiting(commands):
        command.result.set_exception(failure.for_caller(is_read=command.is_read))


def _last_deadline(commands: Iterable[Command]) -> float:
    return max(command.deadline_at_s for command in commands)
