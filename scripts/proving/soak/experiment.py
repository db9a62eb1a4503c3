"""
Carries a soak out, or what is left of it: a fleet, a store whose time runs faster, agents, crons, and who looks.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from scripts.deploy.vercel_json import read_config
from scripts.faults.compression import Compression
from scripts.platform.fleet import Fleet
from scripts.platform.settings import ROOT
from scripts.proving.load.texts import Corpus
from scripts.proving.soak.agents import DOCUMENTS, running
from scripts.proving.soak.caller import Caller
from scripts.proving.soak.plan import DAY_S, deployment, fleet_settings
from scripts.proving.soak.record import Record
from scripts.proving.soak.sampling import JUDGED, lives_through, look
from shared.request.caller import read_key

DOCUMENT_TOKENS = 600
CHANGES_S = 3 * 3_600.0
"""Of the soak's time, between two changes of a document, without a notice: the sweep and its age tell of them."""

type Tell = Callable[[str, int, int], None]


class Soak:
    """One leg of *record*."""

    def __init__(self, record: Record, corpus: Corpus, tell: Tell) -> None:
        self._record = record
        self._options = record.options
        self._corpus = corpus
        self._tell = tell
        self._began_s = 0.0
        self._before_s = record.done_s
        self._before_requests = record.requests

    @property
    def _now_s(self) -> float:
        """Seconds of the whole soak, on the clock on the wall."""
        return self._before_s + time.monotonic() - self._began_s

    async def run(self) -> None:
        """Return at its end. Raises what ended any part of it."""
        real_unix_s = float(int(time.time()))
        clock = Compression(self._options.factor, real_unix_s, real_unix_s + self._before_s * self._options.factor)
        with tempfile.TemporaryDirectory() as folder:
            async with Fleet(deployment(self._options, clock, Path(folder)), fleet_settings(self._options)) as fleet:
                documents = Path(folder) / read_key(fleet.key).tenant
                documents.mkdir()
                for number in range(DOCUMENTS):
                    self._write(documents, number, number)
                await asyncio.to_thread(fleet.network.compress, clock)
                self._began_s = time.monotonic()
                agents, crons = Caller(fleet.url, fleet.key), Caller(fleet.url, fleet.secrets["CRON_SECRET"])
                async with agents, crons:
                    parts = [
                        running(self._options, agents, self._corpus, lambda: self._now_s),
                        self._crons(fleet, crons),
                        self._lives(fleet),
                        self._changes(documents),
                        self._look(fleet, [agents, crons]),
                    ]
                    await _first_of(parts)

    async def _crons(self, fleet: Fleet, caller: Caller) -> None:
        """Call each cron when it is due, and end its instance: the next day finds a cold one."""
        for at_s, path in cron_times(self._options.days, self._options.factor):
            if at_s < self._before_s:
                continue
            await asyncio.sleep(max(0.0, at_s - self._now_s))
            await caller.ask(f"GET {path}", path)
            for each in await fleet.state():
                if each.function == path:
                    await asyncio.to_thread(fleet.control.end, each.pid)
        await asyncio.Event().wait()

    async def _lives(self, fleet: Fleet) -> None:
        """End the instances that do not last, of functions whose others do, one at a time; others start cold."""
        dice = random.Random(f"{self._options.seed} lives {self._record.leg}")  # noqa: S311  # no secret.
        while True:
            await asyncio.sleep(dice.expovariate(len(JUDGED) / self._options.life_s))
            state = await fleet.state()
            ending = [
                each for each in state if each.function in JUDGED and each.phase == "ready" and not lives_through(each)
            ]
            if ending:
                await asyncio.to_thread(fleet.control.end, dice.choice(ending).pid)

    async def _changes(self, folder: Path) -> None:
        dice = random.Random(f"{self._options.seed} changes {self._record.leg}")  # noqa: S311  # no secret.
        while True:
            await asyncio.sleep(max(1.0, CHANGES_S / self._options.factor))
            self._write(folder, dice.randrange(DOCUMENTS), dice.randrange(10_000))

    def _write(self, folder: Path, number: int, text: int) -> None:
        (folder / f"{number}.md").write_text(self._corpus.text(text, DOCUMENT_TOKENS))

    async def _look(self, fleet: Fleet, callers: Sequence[Caller]) -> None:
        """Look every so often, until the end."""
        options, next_s = self._options, self._before_s
        while True:
            await asyncio.sleep(max(0.0, next_s - self._now_s))
            seen = await asyncio.to_thread(look, fleet)
            at_s = self._now_s
            self._record.add({
                "leg": self._record.leg,
                "at_s": round(at_s, 2),
                "day": round(at_s * options.factor / DAY_S, 3),
                "requests": self._before_requests + sum(each.requests for each in callers),
                "answers": sum((each.answers for each in callers), Counter()),
                "left_out": callers[0].left_out,
                "unexpected": sum((each.unexpected for each in callers), Counter()),
                **seen,
            })  # fmt: skip
            self._tell(f"soak of {options.days:g} days", round(min(at_s, options.seconds)), round(options.seconds))
            if at_s >= options.seconds:
                return
            next_s = min(max(next_s + options.sample_s, at_s), max(options.seconds, at_s))


def cron_times(days: float, factor: float) -> list[tuple[float, str]]:
    """Return when which cron is due, in seconds on the clock on the wall; vercel.json says at which time of the day."""
    found = []
    for cron in read_config(ROOT)["crons"]:
        minute, hour = map(int, cron["schedule"].split()[:2])
        due_s = 3_600 * hour + 60 * minute
        found += [((day * DAY_S + due_s) / factor, str(cron["path"])) for day in range(int(days) + 1)]
    return sorted(each for each in found if each[0] < days * DAY_S / factor)


async def _first_of(parts: list[Coroutine[Any, Any, None]]) -> None:
    """Run all until one returns, which ends the others. Raises what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
