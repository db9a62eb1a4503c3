"""A project on the fake of Vercel's API, and a client of it: what the tests of releases need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scripts.releasing.fake.machine import FakeDeployment, Machine
from scripts.releasing.fake.server import FakeVercel
from scripts.releasing.vercel import Account, Vercel

TOKEN = "token-of-the-tests-0123456789"
PROJECT, TEAM = "prj_tests", "team_tests"
STABLE, CANARY, OTHER, PREVIEW = "dpl_stable", "dpl_canary", "dpl_other", "dpl_preview"
STAGES = (10, 25, 50, 100)


@dataclass
class Api:
    fake: FakeVercel
    vercel: Vercel

    @property
    def machine(self) -> Machine:
        return self.fake.machine


def make_machine(urls: dict[str, str] | None = None) -> Machine:
    """Return a project whose domains lead to STABLE. *urls*: where deployments answer, others besides too."""
    found = {
        name: FakeDeployment(
            name, (urls or {}).get(name, f"{name}.example.test"), "" if name == PREVIEW else "production"
        )
        for name in (STABLE, CANARY, OTHER, PREVIEW, *(urls or {}))
    }
    ticks = iter(range(1_700_000_000_000, 1_800_000_000_000))
    return Machine(PROJECT, found, STABLE, lambda: next(ticks), team=TEAM)


@asynccontextmanager
async def running_api(machine: Machine | None = None, limit: int = 600, window_s: float = 60.0) -> AsyncIterator[Api]:
    fake = FakeVercel(machine or make_machine(), TOKEN, limit=limit, window_s=window_s)
    await fake.listen()
    try:
        async with Vercel(account_of(fake), first_pause_s=0.001) as vercel:
            yield Api(fake, vercel)
    finally:
        await fake.close()


def account_of(fake: FakeVercel, **other: str) -> Account:
    return Account(**{"token": TOKEN, "project": PROJECT, "team": TEAM, "api_url": fake.url, **other})
