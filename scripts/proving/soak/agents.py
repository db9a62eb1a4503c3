"""
What agents do in the soak, each for itself: a conversation, from its first word until it is deleted or forgotten.

    create, turns (context in the append) and replies, reads of what an instance holds; the model calls of a turn, most
    with a reservation, which is settled, released or left to end; a document is mentioned, an item deleted, a summary
    written, the log compacted, a fork made and talked to, a page or a list read; in the end it is deleted, or left to
    expire, and some come back after that and have to find nothing

All is drawn from the seed and the agent's number. Times are those of the soak's clock.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

from scripts.proving.load.texts import Corpus
from scripts.proving.soak.caller import Caller
from scripts.proving.soak.plan import Options

MODEL = "gpt-4o"
BUDGET = 2_000
DOCUMENTS = 40
CONVERSATIONS = "/v1/conversations"
REQUESTS_EACH = 21.6
"""What an agent asks on average, as counted."""

TOOL_CALLS_MAX = 3
"""Model calls of a turn before the one that answers."""

PAUSE_S = 900.0
PAUSE_REAL_S_MIN = 0.1
EXPIRIES_S = (6 * 3_600, 12 * 3_600, 24 * 3_600)
EXPIRY_REAL_S_MIN = 12.0
"""A machine that is late must not let a conversation expire under its agent."""

GONE = frozenset({404})
WAITING_MAX = 200
"""While so many requests wait for an answer, agents that come are left out: the rate is more than can be taken."""


def arrivals(seed: object, rate: float) -> Iterator[tuple[int, float]]:
    """Yield the number of each agent and when it comes, in seconds, for *rate* requests a second."""
    dice, at_s = random.Random(f"{seed} arrivals"), 0.0  # noqa: S311  # no secret.
    number = 0
    while True:
        at_s += dice.expovariate(rate / REQUESTS_EACH)
        yield number, at_s
        number += 1


async def running(options: Options, caller: Caller, corpus: Corpus, now_s: Callable[[], float]) -> None:
    """Let agents come, from now on, until this is cancelled. *now_s*: seconds of the whole soak."""
    live, before_s = set[asyncio.Task[None]](), now_s()
    try:
        for number, at_s in arrivals(options.seed, options.rate):
            if at_s < before_s:
                continue
            await asyncio.sleep(max(0.0, at_s - now_s()))
            if caller.waiting >= WAITING_MAX:
                caller.left_out += 1
                continue
            task = asyncio.create_task(Agent(number, options.seed, options.factor, corpus, caller).live())
            live.add(task)
            task.add_done_callback(live.discard)
    finally:
        left = set(live)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Agent:
    """Agent *number* of a soak whose clock runs *factor* times as fast."""

    def __init__(self, number: int, seed: object, factor: float, corpus: Corpus, caller: Caller) -> None:
        self._number = number
        self._dice = random.Random(f"{seed} agent {number}")  # noqa: S311  # no secret.
        self._factor = factor
        self._corpus = corpus
        self._caller = caller
        self._replies: list[str] = []
        self._said = 0
        self._path = ""

    async def live(self) -> None:
        expiry_s = max(self._dice.choice(EXPIRIES_S), round(EXPIRY_REAL_S_MIN * self._factor))
        body = {"items": [self._message("system", 60), self._message("user", 200)], "expires_after_s": expiry_s}
        made = await self._caller.ask("POST create", CONVERSATIONS, body)
        if made is None:
            return
        self._path = f"{CONVERSATIONS}/{made['id']}"
        for _ in range(1 + min(9, int(self._dice.expovariate(1 / 2.5)))):
            await self._rest(min(self._dice.expovariate(1 / PAUSE_S), expiry_s / 4))
            await self._turn()
        await self._afterwards()
        if self._happens(0.3):
            await self._caller.ask("DELETE delete", self._path)
        elif self._happens(0.15):
            await self._rest(1.1 * expiry_s)
            await self._caller.ask("GET forgotten", self._path, expected=GONE)

    async def _turn(self) -> None:
        for _ in range(self._dice.randint(0, TOOL_CALLS_MAX)):
            if (reservation := await self._reserve()) is not None:
                await self._settle(reservation)
        reservation = await self._reserve() if self._happens(0.6) else None
        context = {"model": MODEL, "budget": BUDGET, "format": "chat"}
        await self._append("turn", {"items": [self._question()], "context": context})
        if self._happens(0.25):
            query = f"?model={MODEL}&budget={BUDGET}&format=chat"
            await self._caller.ask(
                "GET reread", f"{self._path}/context{query}", headers={"cache-control": "max-age=60"}
            )
        said = await self._append("reply", {"items": [self._message("assistant", 120)]})
        if said is not None:
            self._replies.append(said["data"][0]["id"])
        if reservation is not None:
            await self._settle(reservation)

    async def _append(self, name: str, body: object) -> Any:
        headers = {"idempotency-key": f"{self._number}-{self._said}"} if self._happens(0.3) else {}
        return await self._caller.ask(f"POST {name}", f"{self._path}/items", body, headers=headers)

    async def _reserve(self) -> str | None:
        body = {"model": MODEL, "input_tokens": BUDGET, "max_output_tokens": 200}
        made = await self._caller.ask("POST reserve", "/v1/reservations", body)
        return None if made is None else str(made["id"])

    async def _settle(self, reservation: str) -> None:
        path = f"/v1/reservations/{reservation}"
        if self._happens(0.8):
            used = {"input_tokens": self._dice.randint(1, BUDGET), "output_tokens": self._dice.randint(1, 200)}
            await self._caller.ask("POST settle", f"{path}/settle", used)
        elif self._happens(0.5):
            await self._caller.ask("DELETE release", path)

    async def _afterwards(self) -> None:
        if self._replies and self._happens(0.2):
            body = {"through": self._dice.choice(self._replies), "text": self._text(80)}
            await self._caller.ask("POST summary", f"{self._path}/summary", body)
        if self._replies and self._happens(0.2):
            await self._caller.ask("DELETE item", f"{self._path}/items/{self._dice.choice(self._replies)}")
        if self._happens(0.1):
            await self._caller.ask("POST compact", f"{self._path}/compact")
        if self._happens(0.2):
            await self._caller.ask("GET page", f"{self._path}/items?limit=20")
        if self._happens(0.1):
            await self._caller.ask("GET list", f"{CONVERSATIONS}?limit=20")
        if self._happens(0.1):
            await self._caller.ask("GET usage", "/v1/usage")
        if self._happens(0.15):
            forked = await self._caller.ask("POST fork", f"{self._path}/fork", {})
            if forked is not None:
                said = {"items": [self._message("user", 50)]}
                await self._caller.ask("POST turn", f"{CONVERSATIONS}/{forked['id']}/items", said)

    def _question(self) -> dict[str, Any]:
        message: dict[str, Any] = self._message("user", self._dice.choice((40, 150, 600)))
        if self._happens(0.2):
            document = {"type": "input_file", "file_url": f"document:{self._dice.randrange(DOCUMENTS)}.md"}
            message["content"] = [document, {"type": "input_text", "text": message["content"]}]
        return message

    def _message(self, role: str, tokens: int) -> dict[str, Any]:
        return {"role": role, "content": self._text(tokens)}

    def _text(self, tokens: int) -> str:
        self._said += 1
        return self._corpus.text(self._number * 101 + self._said, tokens)

    def _happens(self, share: float) -> bool:
        return self._dice.random() < share

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(max(PAUSE_REAL_S_MIN, seconds / self._factor))
