"""
Several instances answer one tenant as fast as it asks; together they may admit what its rate allows, and little less.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import httpx

from scripts.local.tenants import mint, set_limits
from scripts.local.upstash import LocalUpstash
from shared.environment import read_settings
from shared.request.caller import make_key, read_key
from shared.store.upstash import Store

ROOT = Path(__file__).parents[2]
PER_MINUTE, BURST = 3_000, 50
CALLERS = 2
SHARE_MIN = 0.95
PAUSE_S = 0.002


async def hammer(url: str, key: str, until_s: float, statuses: Counter[int], admitted_at_s: list[float]) -> None:
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        while time.monotonic() < until_s:
            answer = await client.get("/v1/usage")
            statuses[answer.status_code] += 1
            if answer.status_code == 200:
                admitted_at_s.append(time.monotonic())
            else:
                wait_s = float(answer.headers.get("retry-after-ms", "0")) / 1_000
                await asyncio.sleep(max(PAUSE_S, min(wait_s, until_s - time.monotonic())))


async def verify(environ: dict[str, str], seconds: float, instances: int, share: float) -> bool:
    """Run the experiment, print what came of it, and return whether it was right."""
    store, key = Store(read_settings(environ)), make_key(f"t{uuid4().hex[:20]}")
    await mint(store, key)
    statuses: Counter[int] = Counter()
    admitted_at_s: list[float] = []
    with contextlib.ExitStack() as stack:
        urls = [_start(stack, environ) for _ in range(instances)]
        for url in urls:
            async with httpx.AsyncClient(base_url=url, timeout=60) as client:
                await client.get("/v1/usage", headers={"authorization": f"Bearer {key}"})
        await set_limits(store, read_key(key).tenant, {"rate": f"{PER_MINUTE} {BURST}"})
        began_at_s = time.monotonic()
        until_s = began_at_s + seconds
        calls = [hammer(url, key, until_s, statuses, admitted_at_s) for url in urls for _ in range(CALLERS)]
        await asyncio.gather(*calls)
        took_s = time.monotonic() - began_at_s
    await store.close()
    allowed, admitted = BURST + PER_MINUTE / 60 * took_s, len(admitted_at_s)
    print(f"{instances} instances, {took_s:.1f} s: {admitted} of {allowed:.0f} admitted, {statuses[429]} refused")
    strange = sum(statuses.values()) - admitted - statuses[429]
    return admitted <= allowed and admitted >= share * allowed and not strange


def _start(stack: contextlib.ExitStack, environ: dict[str, str]) -> str:
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.local.instance"],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    assert process.stdin is not None
    assert process.stdout is not None
    stack.callback(process.stdin.close)
    return process.stdout.readline().strip()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--instances", type=int, default=8)
    parser.add_argument("--share", type=float, default=SHARE_MIN, help=f"of what is allowed must pass ({SHARE_MIN})")


def run(arguments: argparse.Namespace) -> int:
    with LocalUpstash() as upstash:
        environ = {
            **os.environ,
            "UPSTASH_REDIS_REST_URL": upstash.url,
            "UPSTASH_REDIS_REST_TOKEN": upstash.token,
        }
        is_right = asyncio.run(verify(environ, arguments.seconds, arguments.instances, arguments.share))
    print("The rate is kept." if is_right else "wrong")
    return not is_right
