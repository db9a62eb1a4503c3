"""
What an instance holds: its resident memory while it answers ten thousand mixed requests. Linux only.

Appends, contexts in two encodings, pages and single items of 50 conversations, one request in a hundred with 1 MB; one
encoding is loaded, as the models of a deployment mostly share it, and the other one with --second.
"""

import argparse
import asyncio
import os
import random
import sys
from pathlib import Path
from typing import NamedTuple

import orjson
from pyreqwest.client import Client

from scripts.measuring.counted_store import counted_store
from scripts.measuring.served import KEY, Served, ask, client_of, create, instance_at
from scripts.measuring.tables import markdown
from shared.context.render import FORMATS

CONVERSATIONS = 50
AT_ONCE = 8
LOOKS = 20


class Look(NamedTuple):
    """The resident memory after so many requests."""

    requests: int
    resident_mb: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=10_000, help="requests in all (10,000)")
    parser.add_argument("--second", action="store_true", help="count in a second encoding as well")
    parser.add_argument("--short", action="store_true", help="200 requests: that it works, no figures")


def run(arguments: argparse.Namespace) -> int:
    if not Path("/proc/self/statm").exists():
        print("resident memory is read from /proc, which is not here", file=sys.stderr)
        return 2
    looks = measure(200 if arguments.short else arguments.requests, is_second=arguments.second)
    print(markdown(["requests", "resident MB"], [[f"{look.requests:,}", f"{look.resident_mb:.1f}"] for look in looks]))
    return 0


def measure(requests: int, *, is_second: bool = False) -> list[Look]:
    """Return LOOKS looks at the memory, evenly spread. Raises OSError: a request failed."""
    from scripts.local.mint import mint

    with counted_store() as store, instance_at(store) as served:
        mint(store.url, store.token, KEY)
        return asyncio.run(_measure(served, requests, is_second))


async def _measure(served: Served, requests: int, is_second: bool) -> list[Look]:
    chance = random.Random(1)  # noqa: S311 - no secret.
    async with client_of(served) as client:
        first = orjson.dumps({"items": [_message(chance, 40) for _ in range(20)]})
        paths = [await create(client, first) for _ in range(CONVERSATIONS)]
        looks = [Look(0, _resident_mb(served.pid))]
        step = max(1, requests // LOOKS)
        for done in range(step, requests + 1, step):
            for start in range(0, step, AT_ONCE):
                count = min(AT_ONCE, step - start)
                await asyncio.gather(*(_request(client, chance, paths, is_second) for _ in range(count)))
            looks.append(Look(done, _resident_mb(served.pid)))
    return looks


async def _request(client: Client, chance: random.Random, paths: list[str], is_second: bool) -> None:
    at, kind = chance.randrange(len(paths)), chance.random()
    if kind < 0.01:
        # A new conversation in its place keeps the store, and what reads of it bring, at the same size.
        large = orjson.dumps({"items": [{"role": "user", "content": "It was a bright cold day. " * 38_000}]})
        paths[at] = await create(client, large)
    elif kind < 0.3:
        await ask(client, "POST", f"{paths[at]}/items", orjson.dumps({"items": [_message(chance, 60)] * 2}))
    elif kind < 0.7:
        model = "gpt-4" if is_second and kind < 0.35 else "gpt-4o"
        form = chance.choice(FORMATS)
        await ask(client, "GET", f"{paths[at]}/context?model={model}&budget=2000000&format={form}")
    else:
        await ask(client, "GET", f"{paths[at]}/items?limit=20")


def _message(chance: random.Random, words: int) -> dict[str, str]:
    text = " ".join(f"word{chance.randrange(1_000)}" for _ in range(chance.randrange(1, words)))
    return {"role": chance.choice(("user", "assistant")), "content": text}


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
