"""
What is seen in the pictures: a tenant with budgets, a conversation of several recorded dialogues, and agents at work.
"""

import itertools
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx

from scripts.local.tenants import read_limits
from scripts.local.upstash import LocalUpstash
from shared.store import keys

ROOT = Path(__file__).resolve().parents[2]
DIALOGUES = ROOT / "tests/data/tau_airline_12.jsonl"
TENANT = "acme"
BUDGET = 6_000
AGENTS = 3
PAUSE_S = (0.02, 0.25)
RULES = "baggage.md"
SUMMARY = (
    "The customer booked a one-way flight to Seattle with three checked bags, paid with a certificate and a card, and "
    "was told the rules of cancellation."
)


def dialogues() -> list[list[dict[str, Any]]]:
    """The recorded dialogues, each as messages of Chat Completions."""
    return [json.loads(line)["messages"] for line in DIALOGUES.read_text().splitlines()]


def set_up(api: httpx.Client, store: LocalUpstash, documents: Path) -> str:
    """Give the tenant limits, prices, a document and a past; return the id of its long conversation."""
    limits = read_limits(
        {"tokens_day": "2000000", "usd_month": "250", "price": ["gpt-4o=2.5,10", "gpt-4o-mini=0.15,0.6"]}
    )
    command = ["HSET", keys.tenant_key(TENANT), *itertools.chain.from_iterable(limits.items())]
    httpx.post(store.url, json=command, headers={"authorization": f"Bearer {store.token}"}).raise_for_status()
    (documents / TENANT).mkdir(parents=True)
    (documents / TENANT / RULES).write_text(rules())
    for model, tokens in (("gpt-4o", (812_000, 41_000)), ("gpt-4o-mini", (364_000, 52_000))):
        aside = api.post("/v1/reservations", json={"tokens": sum(tokens), "usd": 5}).raise_for_status().json()
        used = {"model": model, "input_tokens": tokens[0], "output_tokens": tokens[1]}
        api.post(f"/v1/reservations/{aside['id']}/settle", json=used).raise_for_status()
    api.post("/v1/reservations", json={"tokens": 120_000, "usd": 1.5}).raise_for_status()
    return long_conversation(api)


def rules() -> str:
    """What the airline of the dialogues says of bags, from its own system message."""
    policy = str(dialogues()[0][0]["content"])
    return "\n".join(line for line in policy.splitlines() if "bag" in line) * 3


def long_conversation(api: httpx.Client) -> str:
    """Append five dialogues, one after the other, with a summary of the first and a document in the last."""
    first, *others = dialogues()[:5]
    body = {"messages": first, "format": "chat", "metadata": {"title": "Flights of Mia Li"}}
    conversation = str(api.post("/v1/conversations", json=body).raise_for_status().json()["id"])
    path = f"/v1/conversations/{conversation}"
    last = api.get(f"{path}/items", params={"limit": 1}).raise_for_status().json()["data"][0]["id"]
    api.post(f"{path}/summary", json={"through": last, "text": SUMMARY}).raise_for_status()
    for messages in others:
        api.post(f"{path}/items", json={"messages": messages[1:], "format": "chat"}).raise_for_status()
    content = [
        {"type": "input_file", "file_url": f"document:{RULES}"},
        {"type": "input_text", "text": "How many bags may I take, by these rules?"},
    ]
    reply = {"role": "assistant", "content": "As a gold member in economy: three bags for free, and $50 for each more."}
    items = [
        {"role": "user", "content": content},
        reply,
        {"role": "user", "content": "And for my friend, who is silver?"},
    ]
    api.post(f"{path}/items", json={"items": items}).raise_for_status()
    return conversation


class Agents:
    """Some agents, from `with` to its end: each goes through a dialogue a turn at a time, with a context each."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(seed,), daemon=True) for seed in range(AGENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        headers = {"authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=30) as api:
            for messages in itertools.cycle(chance.sample(dialogues(), 6)):
                for _ in self._dialogue(api, messages, chance):
                    if self._stopped.wait(chance.uniform(*PAUSE_S)):
                        return

    def _dialogue(self, api: httpx.Client, messages: list[dict[str, Any]], chance: random.Random) -> Iterator[None]:
        """Go through *messages*; yield after each request."""
        body = {"messages": messages[:2], "format": "chat", "metadata": {"title": f"Call {chance.randrange(10_000)}"}}
        path = f"/v1/conversations/{api.post('/v1/conversations', json=body).json()['id']}"
        yield
        for turn in itertools.batched(messages[2:], 2):
            context = {"model": "gpt-4o", "budget": 3_000, "format": "chat"}
            api.post(f"{path}/items", json={"messages": turn, "format": "chat", "context": context})
            yield
            if chance.random() < 0.5:
                api.get(f"{path}/items", headers={"cache-control": "max-age=5"})
                yield
            if chance.random() < 0.2:
                api.get(f"/v1/documents/{RULES}")
                yield
            if chance.random() < 0.05:
                api.get(f"{path}/items/no-such-item")
                yield
