"""
The soak against a deployment that runs already: the same agents in real time, for days; memory is what its metrics say.

What is asked before, and the bounds, are those of the load (`scripts/proving/load/live.py`). Each conversation expires
a day after its last use, at the latest. The store is not seen from here, and other load on the deployment is not told
from this one.
"""

import asyncio
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from scripts.proving.load.live import Plan
from scripts.proving.load.texts import Corpus
from scripts.proving.metrics.read import samples_of
from scripts.proving.soak.agents import running
from scripts.proving.soak.caller import Caller
from scripts.proving.soak.plan import DAY_S
from scripts.proving.soak.record import Record
from scripts.proving.soak.verdict import FLEET

METRIC = "warmthread_resident_max_bytes"
TIMEOUT_S = 30.0


class LiveSoak:
    """One leg of *record* against the deployment of *plan*, whose metrics *secret* opens."""

    def __init__(
        self, record: Record, plan: Plan, secret: str, corpus: Corpus, tell: Callable[[str, int, int], None]
    ) -> None:
        self._record = record
        self._plan = plan
        self._secret = secret
        self._corpus = corpus
        self._tell = tell

    async def run(self) -> None:
        """Return at its end. Raises OSError: the metrics cannot be read at its begin."""
        await asyncio.to_thread(self._resident)
        options, before_s = self._record.options, self._record.done_s
        before, began_s = self._record.requests, time.monotonic()

        def now_s() -> float:
            return before_s + time.monotonic() - began_s

        async with Caller(self._plan.url, self._plan.key) as caller:
            agents = asyncio.create_task(running(options, caller, self._corpus, now_s))
            try:
                while now_s() < options.seconds:
                    await asyncio.sleep(min(options.sample_s, options.seconds - now_s()))
                    self._note(now_s(), before, caller, await asyncio.to_thread(self._seen))
            finally:
                agents.cancel()
                await asyncio.gather(agents, return_exceptions=True)

    def _note(self, at_s: float, before: int, caller: Caller, resident: dict[str, float]) -> None:
        requests, options = before + caller.requests, self._record.options
        instances = [
            {"name": f"{FLEET}#{name}", "lasts": True, "requests": requests, "resident_bytes": value}
            for name, value in resident.items()
        ]
        said = {"leg": self._record.leg, "at_s": round(at_s, 2), "day": round(at_s / DAY_S, 4), "requests": requests}
        said["left_out"] = caller.left_out
        counted: dict[str, Any] = {"answers": dict(caller.answers), "unexpected": dict(caller.unexpected)}
        self._record.add(said | counted | {"instances": instances})
        self._tell("soak", round(min(at_s, options.seconds)), round(options.seconds))

    def _seen(self) -> dict[str, float]:
        """Return what the metrics say, nothing while they cannot be read: that is no reason to end a week's run."""
        try:
            return self._resident()
        except OSError:
            return {}

    def _resident(self) -> dict[str, float]:
        """Return deployment -> the most memory that any of its instances held lately."""
        request = urllib.request.Request(  # noqa: S310  # checked to be HTTPS, or loopback.
            f"{self._plan.url}/api/metrics", headers={"authorization": f"Bearer {self._secret}"}
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read().decode()
        return {labels.get("deployment", ""): value for labels, value in samples_of(text, METRIC)}
