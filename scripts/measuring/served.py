"""
An instance that is measured: scripts/benchmarks/lag_server.py in a process of its own, and requests to it.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import orjson
from pyreqwest.client import Client, ClientBuilder

from scripts.measuring.counted_store import CountedStore
from scripts.measuring.environment import ROOT
from shared.process.lag import Lag

KEY = "wt_bench_local-only"
TIMEOUT_S = 60.0


class Served(NamedTuple):
    """Where the instance is, and its process."""

    url: str
    pid: int


class Answer(NamedTuple):
    """What came back, and after how long."""

    status: int
    took_ms: float
    body: bytes


@contextlib.contextmanager
def instance_at(store: CountedStore, checkout: Path = ROOT, **variables: str) -> Iterator[Served]:
    """Run an instance of *checkout* for this block, with settings of its own. Raises OSError: it did not start."""
    environ = {
        **os.environ,
        **variables,
        "UPSTASH_REDIS_REST_URL": store.url,
        "UPSTASH_REDIS_REST_TOKEN": store.token,
    }
    command = [sys.executable, "-m", "scripts.benchmarks.lag_server"]
    with subprocess.Popen(command, cwd=checkout, env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            if not url:
                raise OSError("the instance did not start")
            yield Served(url, server.pid)
        finally:
            server.terminate()


def mint_as(checkout: Path, store: CountedStore, key: str) -> None:
    """Make *key* valid for instances of *checkout*: each version keeps its keys under names of its own."""
    program = "import sys; from scripts.local.mint import mint; mint(*sys.argv[1:])"
    subprocess.run([sys.executable, "-c", program, store.url, store.token, key], cwd=checkout, check=True)


@contextlib.asynccontextmanager
async def client_of(served: Served) -> AsyncIterator[Client]:
    """A client of the instance, once that answers. Raises OSError: it answers with an error."""
    builder = ClientBuilder().base_url(served.url).default_headers({"authorization": f"Bearer {KEY}"}).http1_only()
    async with builder.timeout(timedelta(seconds=TIMEOUT_S)).build() as client:
        await ask(client, "GET", "/v1/conversations")
        yield client


async def timed(
    client: Client, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Send one request and wait for all of its answer."""
    begin_s = time.perf_counter()
    request = client.request(method, path).headers(headers or {}).body_bytes(body).build()
    response = await request.send()
    raw = bytes(await response.bytes())
    return Answer(response.status, (time.perf_counter() - begin_s) * 1000, raw)


async def ask(client: Client, method: str, path: str, body: bytes = b"") -> bytes:
    """Return the body of an answer. Raises OSError: it is an error."""
    answer = await timed(client, method, path, body)
    if answer.status != 200:
        raise OSError(f"{method} {path} was answered {answer.status}: {answer.body[:200]!r}")
    return answer.body


async def create(client: Client, *batches: bytes) -> str:
    """Make a conversation of *batches* and return its path."""
    made = orjson.loads(await ask(client, "POST", "/v1/conversations", b"{}"))
    path = f"/v1/conversations/{made['id']}"
    for batch in batches:
        await ask(client, "POST", f"{path}/items", batch)
    return path


async def watch(client: Client) -> None:
    """Begin to watch the instance's loop."""
    await ask(client, "POST", "/-/lag")


async def watched(client: Client) -> Lag:
    """Return what was seen since."""
    return Lag(*orjson.loads(await ask(client, "GET", "/-/lag")))
