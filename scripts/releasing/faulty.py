"""
Canaries that are bad in a known way, to see a judge at work. The module is also the prelude of their instances.

    erring       2 % of requests fail            slow         each takes 30 % longer
    tail-slow    3 % take six times as long      leaking      100 kB a request are never given back
    cold-cache   nothing is remembered between requests

Only the routes of /v1 have it, those of operators work; and each instance only after its first requests, or the checks
before a release would find it, which is not what is to be seen here.
"""

import asyncio
import importlib
import itertools
import os
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.platform.settings import Deployment

VARIABLE, SHARE_VARIABLE, SOUND_VARIABLE = "CANARY_FAULT", "CANARY_FAULT_SHARE", "CANARY_FAULT_AFTER"
FAULTS = ("erring", "slow", "tail-slow", "leaking", "cold-cache")
SHARES = {"erring": 0.02, "tail-slow": 0.03}
SLOWER, TAIL_SLOWER = 0.3, 5.0
"""How much longer than it takes."""
LEAK_BYTES = 100_000
SOUND_REQUESTS = 30
"""Of an instance, before the fault begins."""

type Serve = Callable[[Any, Any], Awaitable[Any]]


def faulty(fault: str, share: float | None = None, sound: int = SOUND_REQUESTS) -> "Deployment":
    """
    Return a canary that has *fault*, "" for a good one, after *sound* requests of each instance.

    *share* of requests: that of SHARES unless given.
    """
    from scripts.platform.settings import Deployment

    if not fault:
        return Deployment("dpl_canary")
    if fault == "cold-cache":
        return Deployment("dpl_canary", environment={"WARMTHREAD_L1_BYTES_MAX": "0"})
    share = SHARES.get(fault, 1.0) if share is None else share
    given = {VARIABLE: fault, SHARE_VARIABLE: repr(share), SOUND_VARIABLE: str(sound)}
    return Deployment("dpl_canary", environment=given, prelude="scripts.releasing.faulty")


def faulty_serve(serve: Serve, fault: str, share: float, sound: int, dice: random.Random) -> Serve:
    """Return what serves as *serve* does, with the fault."""
    leaked: list[bytearray] = []
    numbers = itertools.count(1)

    async def served(route: Any, request: Any) -> Any:
        if not route.path.startswith("/v1/") or next(numbers) <= sound:
            return await serve(route, request)
        is_struck = dice.random() < share
        if fault == "erring" and is_struck:
            raise RuntimeError("this canary errs on purpose")
        began_s = time.perf_counter()
        answer = await serve(route, request)
        took_s = time.perf_counter() - began_s
        if fault == "slow":
            await asyncio.sleep(SLOWER * took_s)
        elif fault == "tail-slow" and is_struck:
            await asyncio.sleep(TAIL_SLOWER * took_s)
        elif fault == "leaking":
            leaked.append(bytearray(os.urandom(1)) * LEAK_BYTES)
        return answer

    return served


def _strike() -> None:
    """Have the service's handlers answer with the fault. It looks `serve` up at each request."""
    app, dice = importlib.import_module("shared.app"), random.Random()  # noqa: S311  # no secret.
    share, sound = float(os.environ[SHARE_VARIABLE]), int(os.environ[SOUND_VARIABLE])
    app.serve = faulty_serve(app.serve, os.environ[VARIABLE], share, sound, dice)  # type: ignore[attr-defined]


if VARIABLE in os.environ:
    _strike()
