"""
What warming does for the first requests of a fresh instance, on a recorded trace.

Each 512-token block of the trace is a document. Everything before the split is replayed as uses, by the trace's own
clock; then the store has forgotten all documents, as after a quiet week. A fresh instance answers the next requests,
once without warming and once after /api/cron/warm's work. A hit is a document that L1 or L2 had. Trace: JSON lines with
`timestamp` in ms and `hash_ids`, as Mooncake publishes them.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.config import Settings
    from shared.document_paths import Place

SCOPE = "bench"


class Request(NamedTuple):
    at_unix_s: float
    blocks: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, help="mooncake_conversation.jsonl, or one like it")
    parser.add_argument(
        "--splits", type=int, nargs="+", default=[3_000, 6_000, 9_000], help="requests that come before"
    )
    parser.add_argument("--requests", type=int, default=100, help="of the fresh instance (100)")


def run(arguments: argparse.Namespace) -> int:
    from scripts.benchmarks.tables import markdown
    from scripts.local.upstash import LocalUpstash
    from shared.config import read_settings

    lines = arguments.trace.read_text().splitlines()
    trace = [
        Request(row["timestamp"] / 1_000, [str(block) for block in row["hash_ids"]]) for row in map(json.loads, lines)
    ]
    rows = []
    for split in arguments.splits:
        past, future = trace[:split], trace[split : split + arguments.requests]
        with LocalUpstash() as upstash, tempfile.TemporaryDirectory(prefix="warmthread-") as folder:
            for block in {block for request in [*past, *future] for block in request.blocks}:
                path = Path(folder, SCOPE, block)
                path.parent.mkdir(exist_ok=True)
                path.write_text(f"block {block}")
            stores = {"UPSTASH_REDIS_REST_URL": upstash.url, "UPSTASH_REDIS_REST_TOKEN": upstash.token}
            settings = read_settings({**stores, "WARMTHREAD_DOCUMENTS_URL": folder})
            rows.append([f"{split:,}", *asyncio.run(_compare(settings, past, future))])
    header = ["requests before", "documents asked for", "hits without", "hits after warming", "ratio", "warming, s"]
    print(markdown(header, rows))
    return 0


async def _compare(settings: "Settings", past: list[Request], future: list[Request]) -> list[str]:
    from shared.documents.documents import Documents
    from shared.documents.warm import Warm
    from shared.offload import Pool
    from shared.store.upstash import Store
    from shared.tokens.counter import Counter as TokenCounter
    from shared.tokens.encodings import Encodings

    store, pool = Store(settings), Pool(settings.pool_threads)
    counter = TokenCounter(Encodings(pool), pool)
    await _replay_uses(store, past)
    without = await _first_requests(Documents(store, counter, settings), future)
    await _forget(store)
    begin_s = time.monotonic()
    warmed = await Warm(store, Documents(store, counter, settings), counter, settings).store_then_instance()
    seconds = time.monotonic() - begin_s
    after = await _first_requests(Documents(store, counter, settings), future)
    await store.close()
    hits = [found["L1"] + found["L2"] for found in (without, after)]
    assert warmed.failed == 0
    return [
        f"{sum(after.values()):,}",
        *(f"{each:,}" for each in hits),
        f"{hits[1] / max(hits[0], 1):.2f}",
        f"{seconds:.1f} ({warmed.documents:,})",
    ]


async def _replay_uses(store: object, past: list[Request]) -> None:
    from shared.documents.heat import Heat
    from shared.later import Later
    from shared.store.upstash import Store

    assert isinstance(store, Store)
    now_s = 0.0
    heat = Heat(store, lambda: 1_000_000 + now_s)
    for request in past:
        now_s, later = request.at_unix_s, Later()
        for block in request.blocks:
            heat.note(_place(block), later)
        await later.run()
    await heat.flush()


async def _first_requests(documents: object, future: list[Request]) -> Counter[str]:
    from shared.documents.documents import Documents

    assert isinstance(documents, Documents)
    found: Counter[str] = Counter()
    for request in future:
        answers = await asyncio.gather(*(documents.tiers.get(_place(block), None) for block in request.blocks))
        found.update(each.origin.value for each in answers)
    return found


async def _forget(store: object) -> None:
    from shared.store import keys
    from shared.store.upstash import Store

    assert isinstance(store, Store)
    names = await store.command("KEYS", f"{keys.document_key(SCOPE, '')}*")
    for name in [*names, keys.document_marks_key(SCOPE), keys.SCOPES_KEY]:
        await store.command("DEL", name)


def _place(block: str) -> "Place":
    from shared.document_paths import Place

    return Place(SCOPE, block)
