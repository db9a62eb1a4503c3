"""
Callers of a project: agents that append and read. They keep no cookies, so the platform splits them by who they are:
each stays on one side. Arrivals are drawn, and do not wait for answers.
"""

import asyncio
import contextlib
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from scripts.platform.rollout import CLIENT_HEADER
from scripts.releasing.sides import DEPLOYMENT

TIMEOUT_S = 20.0
IN_FLIGHT_MAX = 64
"""A fleet that hangs is not asked more and more; what would be above that is counted as not sent."""
ENDS = 0.08
"""The share of turns with which a conversation ends."""
TEXT = "The parcel was to arrive on Monday, and did not. Where is it, and who can say? " * 3


class Talk(NamedTuple):
    """A *conversation* and the *agent* that has it."""

    agent: str
    conversation: str


@dataclass
class Load:
    """Load on *url* at *rate_per_s*, drawn from *seed*. `answers`: how many, by deployment and class of status."""

    url: str
    key: str
    rate_per_s: float
    seed: int
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: int = 0
    not_sent: int = 0

    async def run(self) -> None:
        """Send until it is cancelled."""
        dice = random.Random(f"{self.seed} load")  # noqa: S311  # no secret.
        limits = httpx.Limits(max_connections=IN_FLIGHT_MAX)
        headers = {"authorization": f"Bearer {self.key}"}
        async with (
            httpx.AsyncClient(base_url=self.url, headers=headers, timeout=TIMEOUT_S, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            under_way: set[asyncio.Task[None]] = set()
            talks: list[Talk] = []
            while True:
                await asyncio.sleep(dice.expovariate(self.rate_per_s))
                if len(under_way) >= IN_FLIGHT_MAX:
                    self.not_sent += 1
                    continue
                client.cookies.clear()
                task = group.create_task(self._turn(client, dice, talks))
                under_way.add(task)
                task.add_done_callback(under_way.discard)

    async def _turn(self, client: httpx.AsyncClient, dice: random.Random, talks: list[Talk]) -> None:
        """One request of one agent."""
        if not talks or dice.random() < ENDS:
            body = {"items": [{"role": "user", "content": TEXT}], "expires_after_s": 3_600}
            agent = f"agent {dice.getrandbits(64):x}"
            made = await self._send(client, agent, "POST", "/v1/conversations", body)
            if made is not None and made.is_success:
                talks.append(Talk(agent, made.json()["id"]))
                del talks[:-20]
            return
        talk, what = dice.choice(talks), dice.random()
        agent, path = talk.agent, f"/v1/conversations/{talk.conversation}"
        if what < 0.4:
            body = {"items": [{"role": role, "content": TEXT} for role in ("assistant", "user")]}
            await self._send(client, agent, "POST", f"{path}/items", body)
        elif what < 0.8:
            await self._send(client, agent, "GET", f"{path}/context?budget=2000&encoding=o200k_base", None)
        else:
            await self._send(client, agent, "GET", f"{path}/items?limit=10", None)

    async def _send(
        self, client: httpx.AsyncClient, agent: str, method: str, path: str, body: dict[str, object] | None
    ) -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.request(method, path, json=body, headers={CLIENT_HEADER.decode(): agent})
            self.answers[answer.headers.get(DEPLOYMENT, ""), f"{answer.status_code // 100}xx"] += 1
            return answer
        self.lost += 1
        return None
