"""
`scripts/canary` as its users start it, over a deployment that really runs: killed with -9 at every step and started
again, it ends as one that was not; and nothing that it prints, logs or keeps has a secret in it.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.releasing.fake.previews import Origin, Previews
from scripts.releasing.fake.server import Fault, Hold
from scripts.releasing.state import Keeper, State, Step
from tests.bearers import METRICS_SECRET
from tests.canary_api import PROJECT, STABLE, TEAM, TOKEN, Api, make_machine, running_api
from tests.canary_release import LENIENT
from tests.canary_site import Kind, Site

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
CANARY = "local"
"""What the service of the tests calls its deployment."""
BYPASS = "bypass-of-the-tests-0123"
PATIENCE_S = 120
RELEASED, ROLLED_BACK, COULD_NOT = 0, 1, 3


@dataclass
class Rig:
    """A project, its metrics, and the command line over it."""

    api: Api
    site: Site
    folder: Path
    key: str
    said: str = ""

    @property
    def calls(self) -> list[str]:
        return [change.call for change in self.api.machine.changes]

    @property
    def kept(self) -> State | None:
        return Keeper(self.folder, PROJECT).read()

    async def start(self, subcommand: str, *options: str) -> asyncio.subprocess.Process:
        secrets = {"VERCEL_TOKEN": TOKEN, "VERCEL_AUTOMATION_BYPASS_SECRET": BYPASS, "WARMTHREAD_KEY": self.key}
        secrets["WARMTHREAD_METRICS_SECRET"] = METRICS_SECRET
        common = ["--project", PROJECT, "--team", TEAM, "--api", self.api.fake.url, "--folder", str(self.folder)]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.releasing", subcommand, *common, *options),
            cwd=ROOT,
            env=os.environ | secrets,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def release(self, *options: str) -> asyncio.subprocess.Process:
        policy = self.folder.parent / "policy.json"
        policy.write_text(json.dumps(LENIENT))
        quick = ["--look-every", "0.01", "--bake", "0.02", "--settle", "2", "--policy", str(policy), "--no-shadow"]
        log = ["--log", str(self.folder.parent / "log")]
        return await self.start("run", "--canary", CANARY, "--url", self.site.url, *quick, *log, *options)

    async def end(self, process: asyncio.subprocess.Process) -> int:
        """Wait until it ends; return its status."""
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
        self.said += said.decode()
        assert process.returncode is not None
        return process.returncode

    async def kill_when(self, process: asyncio.subprocess.Process, reached: Awaitable[object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await reached
        process.kill()
        await self.end(process)

    def check_no_secret(self) -> None:
        kept = [path.read_text() for path in self.folder.parent.rglob("*") if path.is_file()]
        for secret in (TOKEN, BYPASS, METRICS_SECRET, self.key):
            assert all(secret not in text for text in (self.said, *kept))


@pytest.fixture
def rigged(
    service_url: str, key: str, tmp_path: Path, fresh_crons: None
) -> Callable[[Kind], "asynccontextmanager[Rig]"]:
    @asynccontextmanager
    async def run(kind: Kind) -> AsyncIterator[Rig]:
        previews = Previews(BYPASS, {CANARY: Origin(service_url, {})})
        await previews.listen()
        async with running_api(make_machine(previews.urls)) as api:
            site = Site({STABLE: Kind.GOOD, CANARY: kind}, METRICS_SECRET, lambda: api.machine.shares)
            await site.listen()
            try:
                yield Rig(api, site, tmp_path / "canary", key)
            finally:
                await site.close()
                await previews.close()

    return run  # type: ignore[return-value]


async def killed_in_call(rig: Rig, name: str, *, applied: bool) -> None:
    """Start a driver, and kill it while its call of *name* is under way."""
    rig.api.fake.hold = hold = Hold(name, applied)
    await rig.kill_when(await rig.release(), hold.reached.wait())
    if not applied:
        rig.api.fake.faults[name].append(Fault.LOSE_REQUEST)
    rig.api.fake.hold = None
    hold.go.set()


async def killed_in_scrape(rig: Rig) -> None:
    rig.site.hold = hold = Hold(0, applied=False)
    await rig.kill_when(await rig.release(), hold.reached.wait())
    rig.site.hold = None
    hold.go.set()


async def killed_in_check(rig: Rig) -> None:
    async def checking() -> None:
        while rig.kept is None:
            await asyncio.sleep(0.005)

    await rig.kill_when(await rig.release(), checking())
    assert rig.kept is not None
    assert rig.kept.step is Step.CHECK


async def test_a_driver_killed_at_every_step_releases_all_the_same(rigged: Callable[..., "asynccontextmanager[Rig]"]) -> None:
    async with rigged(Kind.GOOD) as rig:  # type: ignore[attr-defined]
        steps = []

        async def note(killed: Awaitable[None]) -> None:
            await killed
            assert rig.kept is not None
            steps.append(rig.kept.step)

        await note(killed_in_check(rig))
        await note(killed_in_call(rig, "configure", applied=False))
        await note(killed_in_call(rig, "start", applied=True))
        await note(killed_in_scrape(rig))
        await note(killed_in_call(rig, "approve", applied=False))
        await note(killed_in_call(rig, "complete", applied=True))
        await note(killed_in_scrape(rig))
        status = await rig.end(await rig.release())
        again = await rig.end(await rig.release())

        assert steps == [
            *(Step.CHECK, Step.CONFIGURE, Step.START, Step.WATCH, Step.APPROVE, Step.COMPLETE, Step.BAKE),
        ]
        assert (status, again) == (RELEASED, RELEASED), rig.said
        assert rig.calls == ["configure", "start", "approve", "approve", "complete"]
        assert rig.api.machine.shares == {CANARY: 1.0}
        assert "was released before" in rig.said
        rig.check_no_secret()


async def test_a_driver_killed_while_it_rolls_back_has_rolled_back(rigged: Callable[..., "asynccontextmanager[Rig]"]) -> None:
    async with rigged(Kind.ERRING) as rig:  # type: ignore[attr-defined]
        await killed_in_call(rig, "rollback", applied=True)
        status = await rig.end(await rig.release())

        assert status == ROLLED_BACK, rig.said
        assert rig.calls == ["configure", "start", "rollback"]
        assert rig.api.machine.shares == {STABLE: 1.0}
        rig.check_no_secret()
