"""
Agents that append and read while something happens to the cluster, and what came of it.

Each has a conversation of its own: it appends numbers, one after the other, each with an Idempotency-Key, and asks
again until it is told that a number is there. Then it reads by another instance, which has to show that number last.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import httpx

AGAIN_S = 0.03
PATIENCE_S = 30.0


class Found(NamedTuple):
    """What became of the numbers of all agents."""

    acknowledged: int
    lost: int
    doubled: int
    stale: int
    longest_s: float
    """The longest that one append took until it was acknowledged."""


class Agent:
    """Writes by *writing* and reads by *reading*, in a thread of its own."""

    def __init__(self, writing: httpx.Client, reading: httpx.Client) -> None:
        self._writing = writing
        self._reading = reading
        made = writing.post("/v1/conversations", json={"items": [_item(0)]})
        assert made.status_code == 200, made.text
        self.path = f"/v1/conversations/{made.json()['id']}"
        self.acknowledged = [0]
        self.stale = 0
        self.longest_s = 0.0
        self.failure = ""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_ending = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._is_ending.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert self.failure == ""

    def _run(self) -> None:
        while not self._is_ending.is_set() and not self.failure:
            number, began_at_s = len(self.acknowledged), time.monotonic()
            while not self._is_appended(number):
                if time.monotonic() - began_at_s > PATIENCE_S:
                    self.failure += f" {number} was never acknowledged"
                if self.failure:
                    return
                time.sleep(AGAIN_S)
            self.longest_s = max(self.longest_s, time.monotonic() - began_at_s)
            self.acknowledged.append(number)
            newest = self._reading.get(f"{self.path}/items", params={"limit": 1})
            if newest.status_code == 200:
                self.stale += _numbers(newest) != [number]
            elif newest.status_code != 503:
                self.failure = f"read: {newest.status_code} {newest.text}"

    def _is_appended(self, number: int) -> bool:
        headers = {"idempotency-key": f"{self.path}-{number}"}
        answer = self._writing.post(f"{self.path}/items", json={"items": [_item(number)]}, headers=headers)
        if answer.status_code not in (200, 503):
            self.failure = f"append: {answer.status_code} {answer.text}"
        return answer.status_code == 200

    def kept(self) -> list[int]:
        """Return the numbers that the conversation has, in order."""
        found: list[int] = []
        query: dict[str, str | int] = {"order": "asc", "limit": 100}
        while True:
            answer = self._reading.get(f"{self.path}/items", params=query)
            assert answer.status_code == 200, answer.text
            found += _numbers(answer)
            if not answer.json()["has_more"]:
                return found
            query["after"] = answer.json()["last_id"]


@contextmanager
def working(agents: Sequence[Agent]) -> Iterator[None]:
    """Let *agents* work until the block ends, and do some more before."""
    for agent in agents:
        agent.start()
    try:
        wait_for(agents, 5)
        yield
        wait_for(agents, 5)
    finally:
        for agent in agents:
            agent.end()


def wait_for(agents: Sequence[Agent], count: int) -> None:
    """Wait until each agent was acknowledged *count* more."""
    wanted = {agent: len(agent.acknowledged) + count for agent in agents}
    _until(lambda: all(len(agent.acknowledged) >= count or agent.failure for agent, count in wanted.items()))


def found(agents: Sequence[Agent]) -> Found:
    kept = [agent.kept() for agent in agents]
    pairs = list(zip(agents, kept, strict=True))
    return Found(
        sum(len(agent.acknowledged) for agent in agents),
        sum(len(set(agent.acknowledged) - set(numbers)) for agent, numbers in pairs),
        sum(len(numbers) - len(set(numbers)) for numbers in kept),
        sum(agent.stale for agent in agents),
        max(agent.longest_s for agent in agents),
    )


def _until(is_so: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)


def _item(number: int) -> dict[str, str]:
    return {"role": "user", "content": str(number)}


def _numbers(answer: httpx.Response) -> list[int]:
    return [int(item["content"][0]["text"]) for item in answer.json()["data"]]
