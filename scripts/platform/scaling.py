"""
The instances of one function of one deployment: which of them gets a request, when one starts, and when one ends.

    a request    to an instance with room, while fewer than `instances_min` run to one that is started for it, and else
                 to the first that has room: it waits in line, and one more is started where the line is longer than
                 those that are starting will take
    a life       drawn at the start; when it is over the instance gets no more requests, and ends after its last
    idle         after `idle_s` without a request an instance ends
    suspension   `suspend_after_s` after its last invocation, until its next request
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scripts.platform.instance import Instance, Source
from scripts.platform.schedule import life_s
from scripts.platform.settings import Deployment, FleetSettings


class Throttled(RuntimeError):
    """No instance had room for a request in time."""


class Lease(NamedTuple):
    """What a request was given; *is_cold*: the instance has answered nothing yet. *wait_s*: 0 where it had room."""

    instance: Instance
    is_cold: bool
    wait_s: float


@dataclass(slots=True)
class Tally:
    """What happened, over all functions."""

    requests: int = 0
    cold_starts: int = 0
    ended: int = 0
    killed: int = 0
    crashed: int = 0
    bad_gateways: int = 0
    timed_out: int = 0
    throttled: int = 0
    ended_cpu_s: float = 0.0
    note: Callable[[str, str], None] = field(default=lambda kind, what: None)
    """Is told of each event."""


class Scaling:
    """The instances, from the first `take` to `close`."""

    def __init__(
        self,
        deployment: Deployment,
        source: Source,
        settings: FleetSettings,
        tally: Tally,
        common: Mapping[str, str],
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.instances: list[Instance] = []
        self._deployment = deployment
        self._source = source
        self._settings = settings
        self._tally = tally
        self._common = common
        self._told = told
        self._started = 0
        self._is_over = False
        self._dice = random.Random(f"{settings.seed} {deployment.name}{source.route} routing")  # noqa: S311
        self._line: deque[asyncio.Future[Instance]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[Instance, asyncio.TimerHandle] = {}

    async def take(self) -> Lease:
        """
        Return an instance that has room, now one request fuller; `release` it afterwards.

        Raises:  Throttled: the line is too long, or took too long. InstanceFailed: what was started did not start.
        """
        began_s, self._is_over = time.monotonic(), False
        usable = [each for each in self.instances if not each.is_draining]
        if len(usable) < min(self._settings.instances_min, self._settings.instances_max):
            instance = self._give(self._start())
            try:
                await asyncio.shield(instance.ready)
            except BaseException:  # Cancelled as well: the place that was kept is free again.
                instance.in_flight -= 1
                raise
        elif (free := self._free()) is not None and not self._line:
            return Lease(self._give(free), free.answered == 0, 0.0)
        else:
            instance = await self._stand_in_line()
        return Lease(instance, instance.answered == 0, time.monotonic() - began_s)

    def release(self, instance: Instance) -> None:
        """Take a request off *instance*: it was answered, or never will be."""
        instance.answered += 1
        self._take_back(instance)

    def _take_back(self, instance: Instance) -> None:
        """Free the place of a request on *instance*, which rests where that was the last."""
        instance.in_flight -= 1
        self._serve_line()
        if instance.is_idle:
            instance.tell_quiet()
        self._rest(instance)

    def end_life(self, instance: Instance) -> None:
        """Give *instance* no more requests, and end it after those that it has."""
        if not instance.is_draining:
            instance.is_draining = True
            self._serve_line()
            self._spawn(self._drain(instance))

    def drain(self) -> None:
        """End the lives of all, once nobody stands in line; the next request makes an end of that."""
        self._is_over = True
        self._serve_line()

    async def close(self) -> None:
        """Kill all, and return when they are gone."""
        for timer in self._timers.values():
            timer.cancel()
        for instance in self.instances:
            instance.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _give(self, instance: Instance) -> Instance:
        if (timer := self._timers.pop(instance, None)) is not None:
            timer.cancel()
        instance.in_flight += 1
        instance.requests += 1
        return instance

    def _free(self) -> Instance | None:
        room = self._settings.concurrency
        free = [each for each in self.instances if each.is_ready and not each.is_draining and each.in_flight < room]
        if not free:
            return None
        if self._settings.routing == "random":
            return self._dice.choice(free)
        return min(free, key=lambda each: each.in_flight)

    async def _stand_in_line(self) -> Instance:
        if len(self._line) >= self._settings.queue_max:
            raise Throttled(f"more than {self._settings.queue_max} requests wait for {self._source.route}")
        turn: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        self._scale_out()
        try:
            await asyncio.wait([turn], timeout=self._settings.queue_s)
        except asyncio.CancelledError:
            self._leave_line(turn)
            raise
        if turn.done():  # As it may be since its time was over.
            return turn.result()
        self._line.remove(turn)
        raise Throttled(f"no instance of {self._source.route} had room within {self._settings.queue_s:g} s")

    def _leave_line(self, turn: "asyncio.Future[Instance]") -> None:
        """Take who does not wait any more out of the line, and back what it was given meanwhile."""
        if not turn.done():
            self._line.remove(turn)
        elif turn.exception() is None:
            self._take_back(turn.result())

    def _serve_line(self) -> None:
        while self._line and (free := self._free()) is not None:
            self._line.popleft().set_result(self._give(free))
        if self._line:
            self._scale_out()
        elif self._is_over:
            for instance in list(self.instances):
                self.end_life(instance)

    def _scale_out(self) -> None:
        usable = [each for each in self.instances if not each.is_draining]
        coming = sum(self._settings.concurrency - each.in_flight for each in usable if not each.is_ready)
        while len(self._line) > coming and len(usable) < self._settings.instances_max:
            usable.append(self._start())
            coming += self._settings.concurrency

    def _start(self) -> Instance:
        self._started += 1
        instance = Instance(
            self._deployment, self._source, self._started, self._common, self._told, self._settings.keep_alive_s
        )
        instance.on_end = lambda: self._rest(instance)
        self.instances.append(instance)
        self._tally.cold_starts += 1
        self._tally.note("cold start", instance.name)
        self._spawn(self._live(instance))
        return instance

    async def _live(self, instance: Instance) -> None:
        """Run *instance* through its life, which begins when it is ready."""
        lives: list[asyncio.TimerHandle] = []

        def begin(ready: asyncio.Future[None]) -> None:
            life = life_s(self._settings, instance.name)
            if life is not None and ready.exception() is None:
                lives.append(asyncio.get_running_loop().call_later(life, self.end_life, instance))
            self._serve_line()

        instance.ready.add_done_callback(begin)
        try:
            await instance.run(self._settings.start_timeout_s)
        finally:
            for timer in lives:
                timer.cancel()
            self._forget(instance)

    def _forget(self, instance: Instance) -> None:
        self.instances.remove(instance)
        if (resting := self._timers.pop(instance, None)) is not None:
            resting.cancel()
        self._tally.ended_cpu_s += instance.cpu_s
        if instance.was_killed:
            self._tally.killed += 1
            self._tally.note("kill", instance.name)
        elif instance.is_ending:
            self._tally.ended += 1
            self._tally.note("end", instance.name)
        else:
            self._tally.crashed += 1
            self._tally.note("crash", instance.name)
            if instance.failure is not None:
                # Who waited for it is told: another would fail as well, and a request must not start them for ever.
                for _ in range(min(self._settings.concurrency, len(self._line))):
                    self._line.popleft().set_exception(instance.failure)
        self._serve_line()

    async def _drain(self, instance: Instance) -> None:
        """End *instance* once its invocations have ended, or had the time that they may have."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(instance.quiet(), self._source.duration_s)
        if not instance.gone.is_set():
            await instance.end()

    def _rest(self, instance: Instance) -> None:
        """Have *instance* sleep in a while, and end in a longer one, unless a request comes before."""
        if instance.in_flight or instance.gone.is_set():
            return
        if (timer := self._timers.pop(instance, None)) is not None:
            timer.cancel()
        if instance.is_draining:
            return
        after_s = self._settings.suspend_after_s
        loop = asyncio.get_running_loop()
        if instance.invocations or after_s < 0 or instance.is_suspended:
            self._timers[instance] = loop.call_later(self._settings.idle_s, self.end_life, instance)
        else:
            self._timers[instance] = loop.call_later(after_s, self._sleep, instance)

    def _sleep(self, instance: Instance) -> None:
        instance.suspend()
        self._rest(instance)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
