"""
What others cost a caller: strangers who send slowly, and a tenant that reads large pages.

An instance in a process of its own serves over HTTP; the local Upstash server and Valkey have processes of theirs. The
caller has a key of its own and reads its conversation of one message, one read after the other. Beside it first nothing
happens; then strangers hold connections on which bodies never come, to an instance of 256 MiB, which has few slots;
then a tenant asks for pages of 4 MB, all at once and again when all have come, from a process of its own: what it costs
to receive them is not what they cost the caller.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson
from pyreqwest.client import Client, ClientBuilder

from scripts.measuring.counted_store import CountedStore, counted_store
from scripts.measuring.environment import ROOT
from scripts.measuring.served import KEY, Answer, Served, client_of, create, instance_at, timed
from scripts.measuring.tables import markdown, percentile

OTHER_KEY = "wt_other_local-only"
WRONG_KEY = "wt_nobody_at-all-12345"
MEMORY_BYTES = 256 * 1_048_576
STRANGERS, PAGES = 60, 31
PAGE_BYTES = 4_000_000
PAUSE_S = 0.003

Beside = Callable[[], AbstractAsyncContextManager[list[Answer]]]


class Row(NamedTuple):
    """What the caller waited, in milliseconds; how often it, and its neighbours, were refused; the store's requests."""

    caller_ms: list[float]
    caller_refused: int
    others: list[Answer]
    asked: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=10, help="how long each row is measured (10)")
    parser.add_argument("--quick", action="store_true", help="half a second each: that it works, no figures")


def run(arguments: argparse.Namespace) -> int:
    print(table(measure(0.5 if arguments.quick else arguments.seconds)))
    return 0


def measure(seconds: float) -> dict[str, Row]:
    """Return the rows by name. Raises OSError: something did not start or answer."""
    from scripts.local.mint import mint

    with (
        counted_store() as store,
        instance_at(store, WARMTHREAD_MEMORY_BYTES_MAX=str(MEMORY_BYTES)) as small,
        instance_at(store) as served,
    ):
        for key in (KEY, OTHER_KEY):
            mint(store.url, store.token, key)
        return asyncio.run(_rows(store, small, served, seconds))


async def _rows(store: CountedStore, small: Served, served: Served, seconds: float) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    async with client_of(small) as crowded, client_of(served) as client, _neighbour(served.url) as neighbour:
        mine = await create(client, orjson.dumps({"items": [{"role": "user", "content": "hi"}]}))
        half = orjson.dumps({"items": [{"role": "user", "content": "x" * (PAGE_BYTES // 8)}] * 4})
        theirs = await create(neighbour, half, half)
        beside: dict[str, tuple[Client, Beside]] = {
            "nothing": (client, _nothing),
            f"{STRANGERS} strangers whose bodies do not come": (crowded, lambda: _strangers(small)),
            f"{PAGES} pages of 4 MB at once, of another tenant": (
                client,
                lambda: _pages(served, f"{theirs}/items"),
            ),
        }
        for name, (caller, begin) in beside.items():
            rows[name] = await _row(store, caller, mine, begin, seconds)
    return rows


async def _row(store: CountedStore, client: Client, path: str, begin: Beside, seconds: float) -> Row:
    taken: list[Answer] = []
    async with begin() as others:
        before = store.look()
        end_at_s = time.monotonic() + seconds
        while time.monotonic() < end_at_s:
            taken.append(await timed(client, "GET", path))
            await asyncio.sleep(PAUSE_S)
        asked = store.spent_since(before).requests
    return Row([each.took_ms for each in taken], sum(each.status != 200 for each in taken), others, asked)


@contextlib.asynccontextmanager
async def _nothing() -> AsyncIterator[list[Answer]]:
    yield []


@contextlib.asynccontextmanager
async def _strangers(served: Served) -> AsyncIterator[list[Answer]]:
    """Hold as many connections as there are strangers; one that is closed is opened again."""
    address = urlsplit(served.url)
    head = (
        f"POST /v1/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WRONG_KEY}\r\nContent-Length: 10\r\n\r\n"
    )

    async def hold() -> None:
        while True:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(head.encode())
                await reader.read()
            finally:
                writer.close()

    async with _while(hold, STRANGERS):
        await asyncio.sleep(0.2)
        yield []


@contextlib.asynccontextmanager
async def _pages(served: Served, path: str) -> AsyncIterator[list[Answer]]:
    answers: list[Answer] = []
    command = [sys.executable, "-m", __name__, served.url, path]
    reader = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert reader.stdout is not None
    try:
        await reader.stdout.readline()
        yield answers
    finally:
        out, _ = await reader.communicate()  # It reads until its input ends.
        answers += [Answer(status, took_ms, b"") for status, took_ms in orjson.loads(out or b"[]")]


async def _read_pages(url: str, path: str) -> list[tuple[int, float]]:
    """Ask for the pages at once, and again when all have come, until the input of this process ends."""
    answers: list[tuple[int, float]] = []
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    async with _neighbour(url) as client:
        print("reading", flush=True)
        while not ended.done():
            pages = await asyncio.gather(*(timed(client, "GET", path) for _ in range(PAGES)))
            answers += [(page.status, page.took_ms) for page in pages]
    return answers


def _neighbour(url: str) -> Client:
    headers = {"authorization": f"Bearer {OTHER_KEY}"}
    return ClientBuilder().base_url(url).default_headers(headers).http1_only().build()


@contextlib.asynccontextmanager
async def _while(work: Callable[[], object], count: int) -> AsyncIterator[None]:
    """Do *work*, a coroutine function, as often at once, until the block ends."""
    tasks = [asyncio.ensure_future(work()) for _ in range(count)]  # type: ignore[call-overload]  # coroutines.
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def table(rows: dict[str, Row]) -> str:
    """Return *rows* as Markdown."""
    header = ["beside a caller's small reads", "reads", "p50 ms", "p95 ms", "max ms", "refused", "others' answers"]
    header += ["of them refused", "requests to the store"]
    return markdown(
        header,
        [
            [
                name,
                f"{len(row.caller_ms):,}",
                f"{percentile(row.caller_ms, 0.5):.1f}",
                f"{percentile(row.caller_ms, 0.95):.1f}",
                f"{max(row.caller_ms):.1f}",
                str(row.caller_refused),
                str(len(row.others)) if row.others else "",
                str(sum(each.status != 200 for each in row.others)) if row.others else "",
                str(row.asked),
            ]
            for name, row in rows.items()
        ],
    )


if __name__ == "__main__":
    print(orjson.dumps(asyncio.run(_read_pages(*sys.argv[1:]))).decode())
