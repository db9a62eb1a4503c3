"""`scripts/canary` over a project on the fake of Vercel's API, whose canary is a deployment that really runs."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.releasing.fake.previews import Origin, Previews
from scripts.releasing.state import Keeper, State
from tests.bearers import METRICS_SECRET
from tests.canary_api import PROJECT, STABLE, TEAM, TOKEN, Api, make_machine, running_api
from tests.canary_release import LENIENT
from tests.canary_site import Kind, Site

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

    @property
    def secrets(self) -> dict[str, str]:
        return {
            "VERCEL_TOKEN": TOKEN,
            "VERCEL_AUTOMATION_BYPASS_SECRET": BYPASS,
            "WARMTHREAD_KEY": self.key,
            "WARMTHREAD_METRICS_SECRET": METRICS_SECRET,
        }

    @property
    def account(self) -> list[str]:
        """The options that say whose project it is, and where."""
        return ["--project", PROJECT, "--team", TEAM, "--api", self.api.fake.url, "--folder", str(self.folder)]

    def options(self, *more: str) -> list[str]:
        """Those of a release that hurries."""
        policy = self.folder.parent / "policy.json"
        policy.write_text(json.dumps(LENIENT))
        quick = ["--look-every", "0.01", "--bake", "0.02", "--settle", "2", "--policy", str(policy), "--no-shadow"]
        log = ["--log", str(self.folder.parent / "log")]
        return ["--canary", CANARY, "--url", self.site.url, *self.account, *quick, *log, *more]

    async def release(self, *more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.releasing", "run", *self.options(*more)),
            cwd=ROOT,
            env=os.environ | self.secrets,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

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


@asynccontextmanager
async def running_project(service_url: str, key: str, folder: Path, kind: Kind) -> AsyncIterator[Rig]:
    """The canary's own address leads to *service_url*; its metrics are those of *kind*."""
    previews = Previews(BYPASS, {CANARY: Origin(service_url, {})})
    await previews.listen()
    async with running_api(make_machine(previews.urls)) as api:
        site = Site({STABLE: Kind.GOOD, CANARY: kind}, METRICS_SECRET, lambda: api.machine.shares)
        await site.listen()
        try:
            yield Rig(api, site, folder / "canary", key)
        finally:
            await site.close()
            await previews.close()
