"""
A project with two deployments that run here: real instances behind a router, a real store, and the fake of Vercel's
API, which moves the traffic between them.

    async with LocalProject(Deployment("dpl_canary", environment={…}), FleetSettings()) as project:
        project.url, project.api_url        production, and Vercel's API
        project.environment                 what `scripts/canary run` needs of it, secrets included
"""

import contextlib
import secrets
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from scripts.platform.fleet import Fleet
from scripts.platform.settings import Deployment, FleetSettings
from scripts.releasing.fake.machine import FakeDeployment, Machine
from scripts.releasing.fake.previews import Origin, Previews
from scripts.releasing.fake.server import FakeVercel

PROJECT, TEAM = "prj_local", "team_local"
STABLE, CANARY = "dpl_stable", "dpl_canary"


class LocalProject:
    """What runs within the block. *port*: of the API, 0: any that is free. *flush_s*: how often metrics are told."""

    def __init__(
        self,
        canary: Deployment,
        settings: FleetSettings,
        common: Mapping[str, str] | None = None,
        port: int = 0,
        flush_s: float = 1.0,
    ) -> None:
        environment = {"WARMTHREAD_METRICS_FLUSH_S": f"{flush_s:g}", "WARMTHREAD_LOG_LEVEL": "off", **(common or {})}
        stable = Deployment(STABLE, canary.project, environment)
        self.deployments = {
            STABLE: stable,
            CANARY: Deployment(
                CANARY, canary.project, environment | dict(canary.environment), canary.prelude, canary.built
            ),
        }
        self.fleet = Fleet(stable, settings)
        self.token, self.bypass = secrets.token_urlsafe(18), secrets.token_urlsafe(18)
        self.api_url = ""
        self._port = port
        self._resources = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return self.fleet.url

    @property
    def environment(self) -> dict[str, str]:
        return {
            "VERCEL_TOKEN": self.token,
            "VERCEL_PROJECT_ID": PROJECT,
            "VERCEL_ORG_ID": TEAM,
            "VERCEL_AUTOMATION_BYPASS_SECRET": self.bypass,
            "WARMTHREAD_KEY": self.fleet.key,
            "WARMTHREAD_METRICS_SECRET": self.fleet.secrets["WARMTHREAD_METRICS_SECRET"],
        }

    async def __aenter__(self) -> Self:
        """Raises FleetError, OSError or ValkeyError: something did not start; then nothing is left running."""
        async with contextlib.AsyncExitStack() as started:
            await started.enter_async_context(self.fleet)
            await self.fleet.deploy(self.deployments[CANARY])
            origins = {name: Origin(self.fleet.url, {"x-fleet-deployment": name}) for name in self.deployments}
            previews = Previews(self.bypass, origins)
            started.push_async_callback(previews.close)
            await previews.listen()
            found = {name: FakeDeployment(name, previews.urls[name]) for name in self.deployments}
            self.machine = Machine(PROJECT, found, STABLE, lambda: int(time.time() * 1_000), team=TEAM)
            self.fake = FakeVercel(self.machine, self.token, traffic=self._move)
            started.push_async_callback(self.fake.close)
            await self.fake.listen(self._port)
            self.api_url = self.fake.url
            self._resources = started.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def _move(self, shares: Mapping[str, float]) -> None:
        """Give the newer of two deployments its share, or all to the only one."""
        name = CANARY if CANARY in shares else STABLE
        await self.fleet.roll(self.deployments[name], shares[name])
