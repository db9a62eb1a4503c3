"""
What warming does for the first requests of a fresh conversations' instance, on a recorded trace, over HTTP.

Each 512-token block of the trace is a document, in S3 (moto's server). Everything before the split is replayed as uses,
by the trace's own clock; then the store has forgotten all documents, as after a quiet week. A fresh instance, a process
of its own, is asked for a context of a conversation that mentions the blocks of the next request, and so on; once after
another process was sent GET /api/cron/warm, and once without. Trace: JSON lines with `timestamp` in ms and
`hash_ids`, as Mooncake publishes them.

A document of a context is from the source if S3 was asked for it, from L2 if the store sent it, else from L1; the first
is counted at a proxy, the second by the store's own statistics.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import httpx

    from scripts.faults.server import FaultyServer
    from scripts.local.object_store import ObjectStore
    from scripts.local.upstash import LocalUpstash
    from scripts.proving.fleet import Instance

TENANT = "bench"
DOCUMENTS_MAX = 256
"""Of a conversation, the most that can be set: as many blocks as Mooncake's longest requests have."""

BUDGET = "budget=1000000&document_budget=90"
TIMEOUT_S = 120.0


class Request(NamedTuple):
    at_unix_s: float
    blocks: list[str]


class Tiers(NamedTuple):
    """Where documents came from."""

    l1: int
    l2: int
    source: int

    @property
    def hits(self) -> int:
        return self.l1 + self.l2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, help="mooncake_conversation.jsonl, or one like it")
    parser.add_argument(
        "--splits", type=int, nargs="+", default=[3_000, 6_000, 9_000], help="requests that come before"
    )
    parser.add_argument("--requests", type=int, default=100, help="of the fresh instance (100)")


def run(arguments: argparse.Namespace) -> int:
    from scripts.measuring.tables import markdown

    lines = arguments.trace.read_text().splitlines()
    trace = [
        Request(row["timestamp"] / 1_000, list(dict.fromkeys(map(str, row["hash_ids"]))))
        for row in map(json.loads, lines)
    ]
    rows = []
    for split in arguments.splits:
        print(f"behind {split:,} requests …", file=sys.stderr)
        with running_bench() as bench:
            rows.append([f"{split:,}", *bench.compare(trace[:split], trace[split : split + arguments.requests])])
    each = ["L1", "L2", "source"]
    header = ["requests before", "documents asked for", *each, *(f"warmed: {name}" for name in each)]
    print(markdown([*header, "hits, times", "warming, s"], rows))
    return 0


@contextmanager
def running_bench() -> Iterator["Bench"]:
    """Run a store, an object store and a proxy that counts what it is asked for."""
    import httpx

    from scripts.faults.server import FaultyServer
    from scripts.local.mint import mint
    from scripts.local.object_store import running_s3
    from scripts.local.upstash import LocalUpstash
    from shared.request.caller import make_key

    with ExitStack() as stack:
        upstash = stack.enter_context(LocalUpstash())
        s3 = stack.enter_context(running_s3())
        front = stack.enter_context(FaultyServer(s3.url))
        mint(upstash.url, upstash.token, key := make_key(TENANT))
        http = stack.enter_context(httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S))
        yield Bench(upstash, s3, front, http)


class Bench:
    """One measurement."""

    def __init__(self, upstash: "LocalUpstash", s3: "ObjectStore", front: "FaultyServer", http: "httpx.Client") -> None:
        self._upstash = upstash
        self._s3 = s3
        self._front = front
        self._http = http
        self._cron_secret = secrets.token_hex(16)

    def compare(self, past: list[Request], future: list[Request]) -> list[str]:
        hottest = asyncio.run(self._replay_uses(past))
        for block in {*hottest, *(block for request in future for block in request.blocks)}:
            self._s3.put(f"{TENANT}/{block}", f"block {block}")
        with self._instance() as writer:
            paths = [self._converse(writer, request) for request in future]
        # Warming comes first: what the measured requests use gets hot as well.
        with self._instance() as fresh, self._instance(WARMTHREAD_OWN_URL=fresh.url) as other:
            begin_s = time.monotonic()
            secret = {"authorization": f"Bearer {self._cron_secret}"}
            warmed = self._http.get(f"{other.url}/api/cron/warm", headers=secret).raise_for_status().json()
            seconds = time.monotonic() - begin_s
            if warmed["failed"] or warmed["instance"] != 200:
                raise OSError(f"warming was not carried out: {warmed}")
            after = self._first_requests(fresh, paths)
        self._forget()
        with self._instance() as fresh:
            without = self._first_requests(fresh, paths)
        tiers = [f"{each:,}" for each in (*without, *after)]
        times = f"{after.hits / max(without.hits, 1):.2f}"
        return [f"{sum(after):,}", *tiers, times, f"{seconds:.1f} ({warmed['documents']:,})"]

    @contextmanager
    def _instance(self, **settings: str) -> Iterator["Instance"]:
        from scripts.proving.fleet import environment_without_store, running_instances

        environment = environment_without_store()
        environment |= self._s3.settings(self._front.url) | settings
        environment |= {
            "UPSTASH_REDIS_REST_URL": self._upstash.url,
            "UPSTASH_REDIS_REST_TOKEN": self._upstash.token,
            "WARMTHREAD_CONVERSATION_DOCUMENTS_MAX": str(DOCUMENTS_MAX),
            "CRON_SECRET": self._cron_secret,
        }
        with running_instances(1, environment) as [instance]:
            yield instance

    def _converse(self, instance: "Instance", request: Request) -> str:
        """Make a conversation that mentions the blocks of *request* and return the path of its context."""
        parts = [{"type": "input_file", "file_url": f"document:{block}"} for block in request.blocks]
        body = {"items": [{"role": "user", "content": parts}]}
        made = self._http.post(f"{instance.url}/v1/conversations", json=body).raise_for_status().json()
        return f"/v1/conversations/{made['id']}/context?{BUDGET}"

    def _first_requests(self, instance: "Instance", paths: list[str]) -> Tiers:
        """Ask *instance* for all contexts, and tell where their documents came from. Raises OSError: one is missing."""
        asked, sent, count = self._front.requests, self._sent(), 0
        for path in paths:
            documents = self._http.get(instance.url + path).raise_for_status().json()["documents"]
            if any(each["status"] != "whole" for each in documents):
                raise OSError(f"a context does not hold all of its documents: {documents[:3]}")
            count += len(documents)
        source, l2 = self._front.requests - asked, self._sent() - sent
        return Tiers(count - l2 - source, l2, source)

    def _sent(self) -> int:
        """Return how many documents the store ever sent: nothing else is read as a whole hash."""
        statistics = str(self._command("INFO", "commandstats"))
        _, _, rest = statistics.partition("cmdstat_hgetall:calls=")
        return int(rest.partition(",")[0] or 0)

    def _command(self, *parts: str | int) -> Any:
        headers = {"authorization": f"Bearer {self._upstash.token}"}
        return self._http.post(self._upstash.url, json=parts, headers=headers).raise_for_status().json()["result"]

    def _forget(self) -> None:
        from shared.store import keys

        names = self._command("KEYS", f"{keys.document_key(TENANT, '')}*")
        self._command("DEL", *names, keys.document_marks_key(TENANT), keys.SCOPES_KEY)

    async def _replay_uses(self, past: list[Request]) -> list[str]:
        """Count the uses of *past*, each at its time; return the hottest documents."""
        from shared.documents.heat import Heat
        from shared.environment import read_settings
        from shared.items.document_paths import Place
        from shared.request.after_response import Later
        from shared.store.upstash import Store

        variables = {"UPSTASH_REDIS_REST_URL": self._upstash.url, "UPSTASH_REDIS_REST_TOKEN": self._upstash.token}
        settings = read_settings(variables)
        store, now_s = Store(settings), 0.0
        heat = Heat(store, lambda: 1_000_000 + now_s)
        for request in past:
            now_s, later = request.at_unix_s, Later()
            for block in request.blocks:
                heat.note(Place(TENANT, block), later)
            await later.run()
        await heat.flush()
        hottest = await heat.hottest(settings.warm_documents_max)
        await store.close()
        return [each.path for each in hottest]
