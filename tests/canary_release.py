"""A release on the fake of Vercel's API, with metrics that grow by themselves: its driver, as often as is wanted."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.releasing.changing import Timing
from scripts.releasing.driver import Driver
from scripts.releasing.policy import Policy
from scripts.releasing.sides import CANARY as CANARY_SIDE
from scripts.releasing.sides import STABLE as STABLE_SIDE
from scripts.releasing.sides import Side
from scripts.releasing.state import Keeper, State
from scripts.releasing.telling import Telling
from scripts.releasing.watching import Watcher
from tests.canary_api import CANARY, PROJECT, STABLE, STAGES, TOKEN, Api, running_api
from tests.canary_site import Kind, Site

SECRET = "secret-of-the-metrics"
QUICK = Timing(look_every_s=0.005, bake_s=0.005, settle_s=0.25, poll_s=0.002, rollback_s=2.0)
"""A status lags for less than a tenth of `settle_s` here, by reads and not by time."""
LENIENT = {"stage_s_min": 0, "stage_s_max": 60, "reference_requests": 100, "stage_requests_min": 300}
"""Of a stage is asked here what one scrape has."""


def lenient(**changes: object) -> Policy:
    return Policy.model_validate(LENIENT | changes)


async def until(holds: Callable[[], object]) -> None:
    """Return when it holds, which nothing tells but looking."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  # what it waits for is another program's.
            await asyncio.sleep(0.002)


async def nothing_wrong() -> list[str]:
    return []


@dataclass
class Rig:
    """The parts. `said`: all that drivers printed."""

    api: Api
    site: Site
    folder: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    @property
    def calls(self) -> list[str]:
        """The changes that were made, by the calls that made them."""
        return [change.call for change in self.api.machine.changes]

    @property
    def kept(self) -> State:
        state = Keeper(self.folder, PROJECT).read()
        assert state is not None
        return state

    async def drive(
        self,
        policy: Policy | None = None,
        check: Callable[[], Awaitable[list[str]]] = nothing_wrong,
        timing: Timing = QUICK,
    ) -> State:
        """Let a driver do what is left, as one does that begins now; return the state in which it ended."""
        self.folder.mkdir(exist_ok=True)
        log = self.folder / "log"
        tell = Telling([TOKEN, SECRET], log, self.said)
        sides = {
            STABLE_SIDE: Side(self.site.url, STABLE_SIDE, STABLE),
            CANARY_SIDE: Side(self.site.url, CANARY_SIDE, CANARY),
        }
        try:
            with Keeper.locked(self.folder, PROJECT) as keeper:
                state = keeper.read() or State.begin(PROJECT, CANARY, STABLE, STAGES)
                watcher = Watcher(sides, SECRET, policy or lenient(), tell)
                return await Driver(state, self.api.vercel, keeper, watcher, check, tell, timing).run()
        finally:
            tell.close()
            for side in sides.values():
                await side.close()


@asynccontextmanager
async def running_release(folder: Path, kind: Kind) -> AsyncIterator[Rig]:
    async with running_api() as api:
        site = Site({STABLE: Kind.GOOD, CANARY: kind}, SECRET, lambda: api.machine.shares)
        await site.listen()
        try:
            yield Rig(api, site, folder / "canary")
        finally:
            await site.close()
