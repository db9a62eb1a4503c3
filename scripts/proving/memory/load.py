"""
Callers with large conversations: appends of large items, contexts, pages and lists of many conversations.

Each caller has conversations of its own, and takes a new one for the oldest when they have grown, so that the store
stays at its size.
"""

import asyncio
import random
import time
from collections import Counter
from datetime import timedelta

import orjson
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from scripts.measuring.served import timed
from shared.context.render import FORMATS

TIMEOUT_S = 60.0
CONVERSATIONS = 8
CONVERSATION_BYTES_MAX = 8_000_000
BODY_BYTES_MAX = 4_400_000
WORDS = (
    "It was a bright cold day in April, ",
    "and the clocks were striking thirteen. ",
    "春が来た。",
    '{"a": [1, 2]}, ',
)
PAUSE_S = 0.1

EXPECTED = ("200", "503 memory_pressed", "422 context_does_not_fit")
"""Success, large bodies refused for want of memory, small budgets where the last item is large."""


class Answers:
    """What came back: statuses, codes of problems, tiers; *dropped* says why connections ended without an answer."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.tiers: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.is_over = False
        """No caller is to ask any more."""

    def wrong(self) -> dict[str, int]:
        """Return what must not happen."""
        return {name: count for name, count in self.outcomes.items() if name not in EXPECTED} | dict(self.dropped)


def client_of(url: str, key: str) -> Client:
    headers = {"authorization": f"Bearer {key}"}
    return ClientBuilder().base_url(url).default_headers(headers).timeout(timedelta(seconds=TIMEOUT_S)).build()


class Caller:
    """One caller; it waits for each answer before it goes on."""

    def __init__(self, client: Client, answers: Answers, seed: int) -> None:
        self._client = client
        self._answers = answers
        self._chance = random.Random(seed)  # noqa: S311 - no secret.
        self._conversations: list[tuple[str, int]] = []

    async def run(self, until_s: float) -> None:
        while time.monotonic() < until_s and not self._answers.is_over:
            await self._step()

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes | None:
        """Send one request, note what came of it, and return its answer if it is a 200."""
        try:
            answer = await timed(self._client, method, path, body)
        except PyreqwestError as error:
            self._answers.dropped[f"no answer: {type(error).__name__}"] += 1
            await asyncio.sleep(PAUSE_S)
            return None
        if answer.status == 200:
            self._answers.outcomes["200"] += 1
            return answer.body
        code = orjson.loads(answer.body)["error"]["code"]
        self._answers.outcomes[f"{answer.status} {code}"] += 1
        return None

    async def _step(self) -> None:
        kind = self._chance.random()
        if len(self._conversations) < CONVERSATIONS or kind < 0.05:
            await self._begin()
        elif kind < 0.35:
            await self._append()
        elif kind < 0.7:
            path, _ = self._chance.choice(self._conversations)
            budget = self._chance.choice((2_000, 8_000, 100_000, 3_000_000))
            await self.ask("GET", f"{path}/context?budget={budget}&format={self._chance.choice(FORMATS)}")
        elif kind < 0.95:
            path, _ = self._chance.choice(self._conversations)
            await self.ask("GET", f"{path}/items?limit={self._chance.choice((1, 20, 100))}")
        else:
            await self.ask("GET", "/v1/conversations?limit=100")

    async def _begin(self) -> None:
        if len(self._conversations) >= CONVERSATIONS:
            path, _ = self._conversations.pop(0)
            await self.ask("DELETE", path)
        made = await self.ask("POST", "/v1/conversations", b"{}")
        if made is not None:
            self._conversations.append((f"/v1/conversations/{orjson.loads(made)['id']}", 0))

    async def _append(self) -> None:
        at = self._chance.randrange(len(self._conversations))
        path, size_bytes = self._conversations[at]
        body = self._items()
        if size_bytes + len(body) > CONVERSATION_BYTES_MAX:
            del self._conversations[at]
            await self.ask("DELETE", path)
        elif await self.ask("POST", f"{path}/items", body) is not None:
            self._conversations[at] = (path, size_bytes + len(body))

    def _items(self) -> bytes:
        """Return a body of up to the most there may be, at times a small one."""
        size_bytes = self._chance.choice((2_000, 50_000, 200_000, 1_000_000, BODY_BYTES_MAX))
        count = self._chance.choice((5, 20, 100))
        word = self._chance.choice(WORDS)
        text = word * (size_bytes // count // len(orjson.dumps(word)) or 1)
        return orjson.dumps({"items": [{"role": "user", "content": text} for _ in range(count)]})
