"""
Load that a driver sends by itself where a side of a release has too little of its own to be judged by.

    load = ShadowLoad({STABLE: side, CANARY: other}, key, Bounds(rate_per_s=5, total_max=2_000))
    await load.send(1.0)              for a second, to both sides alike
    await load.clear()                deletes the conversations that it made

It is an agent's turn, over and over: append what happened, read a context, now and then a page; a conversation ends
after some two dozen turns. It runs under a tenant's key of its own, and never above its rate and its total, which
outlive the driver (`sent`). Both sides get the same; what their answers tell is compared apart (own_load.py).
"""

import asyncio
import contextlib
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from scripts.releasing.samples import READS_BY_AGE, Labels, Sample
from scripts.releasing.sides import CANARY, STABLE, Answer, Side, SideUnreachable
from shared.telemetry.series import DURATION_BOUNDS_S

TURNS = 24
"""After so many a conversation is deleted, and another begun: most reads are not the first of an instance, so that it
shows what instances remember."""
EXPIRES_S = 3_600
"""What a driver that was killed left is gone after this."""
CONVERSATIONS = "/v1/conversations"
TEXT = "What was decided about the delivery, and by whom? " * 4
IN_FLIGHT_MAX = 4
"""Of a side: a side that hangs is not sent more and more."""


class Bounds(NamedTuple):
    """Of one side: requests a second, and requests in all of one stage."""

    rate_per_s: float = 5.0
    total_max: int = 10_000


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
        self._durations: dict[str, dict[Labels, Counter[int]]] = {name: {} for name in sides}
        self._reads: dict[str, Counter[Labels]] = {name: Counter() for name in sides}

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

    def take(self) -> tuple[Sample, Sample]:
        """Return what the stable and the canary answered since the last time: how fast, and from where reads."""
        taken = {
            name: Sample({READS_BY_AGE: self._reads[name]}, {"duration": self._durations[name]} if durations else {})
            for name, durations in self._durations.items()
        }
        for name in self._sides:
            self._durations[name], self._reads[name] = {}, Counter()
        return taken[STABLE], taken[CANARY]

    async def clear(self) -> None:
        """Delete what was made, as far as the sides answer."""
        for name, agents in self._agents.items():
            for agent in agents:
                for conversation in agent.made:
                    with contextlib.suppress(SideUnreachable):
                        await self._sides[name].call("DELETE", f"{CONVERSATIONS}/{conversation}", self._key)
                agent.made.clear()
                agent.conversation = ""

    async def _talk(self, name: str, agent: _Agent, until_s: float) -> None:
        pause_s = IN_FLIGHT_MAX / self.bounds.rate_per_s
        while (now_s := time.monotonic()) < until_s and self.sent[name] < self.bounds.total_max:
            self.sent[name] += 1
            try:
                status = await self._turn(name, agent)
                self.failed[name] += 400 <= status < 500
            except SideUnreachable:
                self.failed[name] += 1
            await asyncio.sleep(max(0.0, min(now_s + pause_s, until_s) - time.monotonic()))

    async def _turn(self, name: str, agent: _Agent) -> int:
        """One request. Return the status of its answer."""
        if not agent.conversation:
            body: dict[str, object] = {"items": [{"role": "user", "content": TEXT}], "expires_after_s": EXPIRES_S}
            made = await self._ask(name, "POST", "", "", body)
            if made.status < 300 and made.body:
                agent.conversation, agent.turns = str(made.body["id"]), 0
                agent.made.add(agent.conversation)
            return made.status
        path = f"/{agent.conversation}"
        agent.turns += 1
        if agent.turns > TURNS * 3:
            answer = await self._ask(name, "DELETE", path, "")
            agent.made.discard(agent.conversation)
            agent.conversation = ""
        elif agent.turns % 3 == 1:
            body = {"items": [{"role": role, "content": TEXT} for role in ("assistant", "user")]}
            answer = await self._ask(name, "POST", path, "/items", body)
        elif agent.turns % 3 == 2:
            answer = await self._ask(name, "GET", path, "/context?budget=1000&encoding=o200k_base")
        else:
            answer = await self._ask(name, "GET", path, "/items?limit=5")
        return answer.status

    async def _ask(
        self, name: str, method: str, conversation: str, rest: str, body: Mapping[str, object] | None = None
    ) -> Answer:
        """Ask a side, and note what its answer tells."""
        answer = await self._sides[name].call(method, f"{CONVERSATIONS}{conversation}{rest}", self._key, body)
        route = f"{CONVERSATIONS}{'/{conversation_id}' if conversation else ''}{rest.partition('?')[0]}"
        if answer.took_s is not None:
            self._durations[name].setdefault((method, route), Counter())[
                bisect_left(DURATION_BOUNDS_S, answer.took_s)
            ] += 1
        if answer.tier:
            self._reads[name]["", answer.tier] += 1
        return answer
