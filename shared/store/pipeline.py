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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from shared.process import log
from shared.store.breaker import Breakers
from shared.store.command import REPLIES_BYTES_MAX, Command, Transport
from shared.store.failure import Failure, Sign
from shared.store.turns import Turns

COMMANDS_MAX = 32
"""The store answers when the last command of a request is done: more would make the first callers wait."""

BYTES_MAX = 256 * 1024
"""Small commands do not wait for the transfer of large ones, which travel alone."""

LARGE_WAITS = 10
"""For so many timeouts a large command waits for its turn; then it has one of its own."""

PAUSE_S = (0.005, 0.05)
"""Before the one retry: instances that lost their answers together do not come back together."""

RETRY_TIME_MIN_S = 0.01
"""A retry that cannot end in time is not sent."""

SAME_DEADLINE_S = 0.001
"""The deadlines of a tick's commands lie microseconds apart; the deadline of their request then serves them all."""


class Tick(NamedTuple):
    """What was called in the current tick of one event loop."""

    loop: asyncio.AbstractEventLoop
    commands: list[Command]


class Pipeline:
    """Collects commands, sends them through one transport, and hands out the results."""

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._clock = clock
        self.breakers = Breakers(clock)
        # A tick is used once and belongs to its loop, so that nothing waits in a loop that was closed.
        self._tick: Tick | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._turns: tuple[asyncio.AbstractEventLoop, Turns] | None = None
        self.sent = self.failed = 0
        """Requests since the start, and those of them that brought no good answer."""
        self.commands: Counter[str] = Counter()
        """What was in them, by name."""

    def wait_s(self, command: Command) -> float:
        """Return the time until *command* may be sent, 0 when it may be now."""
        return self.breakers.at(self._transport.place(command)).wait_s()

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
        for place, at_once in self._at_places(_waiting(tick.commands)).items():
            for commands in _split(at_once):
                self._limit_waiting(tick.loop, commands)
                # Started at once and not a tick later: a read on a warm instance is short enough to feel it.
                request = asyncio.Task(self._carry(place, commands), loop=tick.loop, eager_start=True)
                self._requests.add(request)
                request.add_done_callback(partial(self._end, commands))

    def _at_places(self, commands: Iterable[Command]) -> dict[str, list[Command]]:
        """Return what goes where, in order: nobody waits for an answer of another server."""
        found: dict[str, list[Command]] = {}
        for command in commands:
            found.setdefault(self._transport.place(command), []).append(command)
        return found

    def _limit_waiting(self, loop: asyncio.AbstractEventLoop, commands: Sequence[Command]) -> None:
        """The request may run until its last deadline; who has an earlier one leaves it then."""
        last_at_s = _last_deadline(commands)
        for command in commands:
            if last_at_s - command.deadline_at_s > SAME_DEADLINE_S:
                late = Failure("no answer in the caller's time", outcome_unknown=True, sign=Sign.NONE)
                loop.call_later(command.deadline_at_s - self._clock(), _fail, [command], late)

    async def _carry(self, place: str, commands: Sequence[Command]) -> None:
        if not commands[0].is_large:
            await self._carry_now(place, commands)
            return
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = loop, Turns()
        async with self._turns[1].turn(commands[0].owner) as turn:
            if waiting := _waiting(commands):
                await self._carry_now(place, waiting)
            turn.reply_bytes = commands[0].reply_bytes

    async def _carry_now(self, place: str, commands: Sequence[Command]) -> None:
        failed = await self._attempt(place, commands)
        if not failed:
            return
        pause_s = random.uniform(*PAUSE_S)  # noqa: S311  # jitter is no secret.
        end_at_s = self._clock() + pause_s + RETRY_TIME_MIN_S
        again: dict[Command, Failure] = {}
        for command, failure in failed.items():
            if failure.sign is Sign.AWAY and command.is_idempotent and command.deadline_at_s > end_at_s:
                again[command] = failure
            else:
                _fail([command], failure)
        if again:
            await asyncio.sleep(pause_s)
            await self._retry(again)

    async def _retry(self, lost: Mapping[Command, Failure]) -> None:
        if commands := _waiting(lost):
            # A server that is away may have been replaced meanwhile.
            failed = await self._attempt(self._transport.place(commands[0]), commands)
            for command, failure in failed.items():
                _fail([command], failure.after(lost[command]))

    async def _attempt(self, place: str, commands: Sequence[Command]) -> dict[Command, Failure]:
        """Send one request and hand out its results; return why some have none."""
        breaker = self.breakers.at(place)
        ticket = breaker.enter()
        if ticket is None:
            return dict.fromkeys(commands, away(breaker.wait_s()))
        self.sent += 1
        self.commands.update([command.name for command in commands])
        for observed in {each.observed for each in commands}:
            if observed is not None:
                observed.store_requests += 1
        left_s = _last_deadline(commands) - self._clock()
        is_refused_whole = False
        try:
            results = await self._transport.carry(commands, left_s)
        except Failure as reason:
            results, is_refused_whole = [reason] * len(commands), True
        failed: dict[Command, Failure] = {}
        for command, result in zip(commands, results, strict=True):
            if isinstance(result, Failure):
                failed[command] = result
            elif not command.result.done():
                command.result.set_result(result)
        for failure in dict.fromkeys(failed.values()):
            log.warning(f"store: {failure}")
        sign = _sign_of(failed.values())
        self.failed += is_refused_whole or sign is not Sign.THERE
        breaker.record(ticket, sign)
        return failed

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


def _sign_of(failures: Iterable[Failure]) -> Sign:
    """Return what the failures of one request say of the store."""
    signs = {failure.sign for failure in failures}
    return next((sign for sign in (Sign.AWAY, Sign.NONE) if sign in signs), Sign.THERE)


def _fail(commands: Iterable[Command], failure: Failure) -> None:
    for command in _waiting(commands):
        command.result.set_exception(failure.for_caller(is_read=command.is_read))


def _last_deadline(commands: Iterable[Command]) -> float:
    return max(command.deadline_at_s for command in commands)
