"""
Load that a driver sends by itself where a side of a release has too little of its own to be judged by.

    load = ShadowLoad({STABLE: side, CANARY: other}, key, Bounds(rate_per_s=5, total_max=2_000))
    await load.send(1.0)              for a second, to both sides alike
    await load.clear()                deletes the conversations that it made

It is an agent's turn, over and over: append what happened, read a context, now and then a page; a conversation ends
after a few turns. It runs under a tenant's key of its own, and never above its rate and its total, which outlive the
driver (`sent`). Both sides get the same, so that a comparison of them stays one.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.releasing.sides import Side, SideUnreachable

TURNS = 24
"""After so many a conversation is deleted, and another begun: most reads are not the first of an instance, so that it
shows what instances remember."""
EXPIRES_S = 3_600
"""What a driver that was killed left is gone after this."""
TEXT = "What was decided about the delivery, and by whom? " * 4
IN_FLIGHT_MAX = 4
"""Of a side: a side that hangs is not sent more and more."""


class Bounds(NamedTuple):
    """Of one side: requests a second, and requests in all of one stage."""

    rate_per_s: float = 5.0
    total_max: int = 3_000


@dataclass(slots=True)
class _Agent:
    """Who talks to one side."""

    conversation: str = ""
    turns: int = 0
    in_flight: int = 0
    made: set[str] = field(default_factory=set)


class ShadowLoad:
    """The load on *sides*; `sent`: requests by side, `failed`: of those, what was refused or not answered."""

    def __init__(self, sides: Mapping[str, Side], key: str, bounds: Bounds) -> None:
        self.sent = dict.fromkeys(sides, 0)
        self.failed = dict.fromkeys(sides, 0)
        self.bounds = bounds
        self._sides = sides
        self._key = key
        self._agents = {name: [_Agent() for _ in range(IN_FLIGHT_MAX)] for name in sides}

    @property
    def is_spent(self) -> bool:
        """Whether a side has had all that it may get."""
        return any(count >= self.bounds.total_max for count in self.sent.values())

    def begin_stage(self, sent: Mapping[str, int]) -> None:
        """Count from *sent* on, as far as a driver before this one came."""
        self.sent = {name: sent.get(name, 0) for name in self._sides}
        self.failed = dict.fromkeys(self._sides, 0)

    async def send(self, seconds: float) -> None:
        """Send for so long."""
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for name in self._sides:
                for agent in self._agents[name]:
                    group.create_task(self._talk(name, agent, began_s + seconds))

    async def clear(self) -> None:
        """Delete what was made, as far as the sides answer."""
        for name, agents in self._agents.items():
            for agent in agents:
                for conversation in agent.made:
                    with contextlib.suppress(SideUnreachable):
                        await self._sides[name].call("DELETE", f"/v1/conversations/{conversation}", self._key)
                agent.made.clear()
                agent.conversation = ""

    async def _talk(self, name: str, agent: _Agent, until_s: float) -> None:
        pause_s = IN_FLIGHT_MAX / self.bounds.rate_per_s
        while (now_s := time.monotonic()) < until_s and self.sent[name] < self.bounds.total_max:
            self.sent[name] += 1
            try:
                status = await self._turn(self._sides[name], agent)
                self.failed[name] += 400 <= status < 500
            except SideUnreachable:
                self.failed[name] += 1
            await asyncio.sleep(max(0.0, min(now_s + pause_s, until_s) - time.monotonic()))

    async def _turn(self, side: Side, agent: _Agent) -> int:
        """One request. Return the status of its answer."""
        body: dict[str, object]
        if not agent.conversation:
            body = {"items": [{"role": "user", "content": TEXT}], "expires_after_s": EXPIRES_S}
            status, made = await side.call("POST", "/v1/conversations", self._key, body)
            if status < 300 and made:
                agent.conversation, agent.turns = str(made["id"]), 0
                agent.made.add(agent.conversation)
            return int(status)
        path = f"/v1/conversations/{agent.conversation}"
        agent.turns += 1
        if agent.turns > TURNS * 3:
            status, _ = await side.call("DELETE", path, self._key)
            agent.made.discard(agent.conversation)
            agent.conversation = ""
        elif agent.turns % 3 == 1:
            body = {"items": [{"role": role, "content": TEXT} for role in ("assistant", "user")]}
            status, _ = await side.call("POST", f"{path}/items", self._key, body)
        elif agent.turns % 3 == 2:
            status, _ = await side.call("GET", f"{path}/context?budget=1000&encoding=o200k_base", self._key)
        else:
            status, _ = await side.call("GET", f"{path}/items?limit=5", self._key)
        return int(status)
