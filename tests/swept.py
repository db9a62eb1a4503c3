"""How tests have the sweep look at what was written."""

from collections.abc import Iterable
from typing import Any

import httpx

from shared.store import keys
from tests.bearers import CRON

MINUTES_US = 120_000_000


def age(run: Any, tenant: str, shards: Iterable[int], by_us: int) -> None:
    """Let all that *tenant* wrote be older."""
    for shard in shards:
        name = keys.activity_key(tenant, shard)
        scored = run("ZRANGE", name, 0, -1, "WITHSCORES")
        for conversation, at_us in zip(scored[::2], scored[1::2], strict=True):
            run("ZADD", name, int(at_us) - by_us, conversation)


def age_unswept(run: Any, tenant: str, shards: Iterable[int] = (0,), by_us: int = MINUTES_US) -> None:
    """Let all that *tenant* wrote be older, and no sweep have looked at it."""
    age(run, tenant, shards, by_us)
    run("HSET", keys.TENANTS_KEY, tenant, "")


def sweep(service: httpx.Client) -> dict[str, Any]:
    """Return what a sweep did with conversations."""
    answer = service.get("/api/cron/sweep", headers=CRON)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["conversations"]
    return result
