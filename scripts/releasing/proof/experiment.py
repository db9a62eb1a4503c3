"""
One release from its checks to its end, of a canary with a known fault or none: real instances, a real store, load of
callers, and the driver as `scripts/canary run` has it. Only Vercel's management API is a fake.
"""

import argparse
import asyncio
import contextlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from scripts.platform.settings import FleetSettings
from scripts.releasing import running
from scripts.releasing.changing import CouldNot
from scripts.releasing.fake.project import CANARY, PROJECT, STABLE, LocalProject
from scripts.releasing.faulty import SOUND_REQUESTS, faulty
from scripts.releasing.options import account_of
from scripts.releasing.policy import Policy
from scripts.releasing.proof.load import Load
from scripts.releasing.state import Keeper, Outcome
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import DeploymentFound
from scripts.smoke.access import read_access

MEMORY_BYTES_MAX = 200_000_000
"""Of an instance, so that one that leaks comes to its limit within minutes and not hours."""
GOOD = "good"


@dataclass(frozen=True, slots=True)
class Plan:
    """*stage_s*: how long a stage lasts at least, *stage_max_s* at most; rates are requests a second."""

    kind: str
    rate_per_s: float = 30.0
    shadow_per_s: float = 30.0
    stage_s: float = 10.0
    stage_max_s: float = 150.0
    bake_s: float = 10.0
    look_every_s: float = 2.0
    seed: int = 1
    instances: int = 2
    fault_share: float | None = None
    requests_min: int = 500
    is_checked: bool = True
    """Whether the canary's own address is checked before, which starts instances of most functions."""


class Result(NamedTuple):
    """*failed*: requests of callers answered with 5xx, or not at all. *rollback_s*: from the verdict to the status."""

    kind: str
    outcome: str
    percentage: int
    seconds: float
    requests: int
    of_canary: int
    failed: int
    shadow: int
    rollback_s: float | None
    reason: str

    @property
    def is_right(self) -> bool:
        """A good canary is released, a bad one rolled back before it had half of the traffic, or never started."""
        if self.kind == GOOD:
            return self.outcome == Outcome.RELEASED
        return self.percentage == 0 or (self.outcome == Outcome.ROLLED_BACK and self.percentage < 50)


class _Unchecked(running.Job):
    async def wrong_with(self, canary: DeploymentFound) -> list[str]:
        self.tell("check", f"not checked: {canary.url}")
        return []


async def experiment(plan: Plan, folder: Path, out: Any = None) -> Result:
    """Carry it out in *folder*, which has the log of it afterwards."""
    began_s, log = time.monotonic(), folder / f"{plan.kind}.log"
    settings = FleetSettings(
        seed=plan.seed,
        # As many on both sides: one that has twice the requests of another is slower for that alone.
        instances_min=plan.instances,
        instances_max=plan.instances,
        suspend_after_s=-1,
        bucketing="client",
    )
    common = {"WARMTHREAD_MEMORY_BYTES_MAX": str(MEMORY_BYTES_MAX)}
    sound = SOUND_REQUESTS if plan.is_checked else 0
    canary = faulty("" if plan.kind == GOOD else plan.kind, plan.fault_share, sound)
    async with LocalProject(canary, settings, common) as project:
        load = Load(project.url, project.fleet.key, plan.rate_per_s, plan.seed)
        calling = asyncio.create_task(load.run())
        try:
            with Keeper.locked(folder / plan.kind, PROJECT) as keeper:
                job = _job(plan, project, folder, log, out)
                try:
                    with contextlib.suppress(CouldNot):  # Its checks found it already: the state says so.
                        await running.release(job, keeper)
                finally:
                    job.tell.close()
                state = keeper.read()
        finally:
            calling.cancel()
            await asyncio.wait([calling])
        events = [json.loads(line) for line in log.read_text().splitlines()]
        ended: dict[str, Any] = next((each for each in events if each["event"] == "ended"), {})
        changes = project.machine.changes
    assert state is not None
    shares = [round(100 * change.shares.get(CANARY, 0)) for change in changes if change.call != "rollback"]
    looks = [each for each in events if each["event"] == "look"]
    of_canary = sum(count for (name, _), count in load.answers.items() if name == CANARY)
    failed = sum(count for (_, status), count in load.answers.items() if status == "5xx")
    return Result(
        kind=plan.kind,
        outcome=state.outcome or str(state.step),
        percentage=max(shares, default=0),
        seconds=time.monotonic() - began_s,
        requests=sum(load.answers.values()) + load.lost,
        of_canary=of_canary,
        failed=failed + load.lost,
        shadow=_shadow(looks),
        rollback_s=ended.get("took_s"),
        reason=state.reasons[0] if state.reasons else "",
    )


def _shadow(looks: list[dict[str, Any]]) -> int:
    """Return how much of it was sent, over all stages: what is told counts from the begin of each."""
    by_stage = {each["stage"]: sum(each["shadow"].values()) for each in looks}
    return sum(by_stage.values())


def _job(plan: Plan, project: LocalProject, folder: Path, log: Path, out: Any) -> running.Job:
    parser = argparse.ArgumentParser()
    running.add_arguments(parser)
    environment = project.environment
    arguments = parser.parse_args(
        [
            *("--canary", CANARY, "--url", project.url, "--api", project.api_url),
            *("--project", PROJECT, "--team", environment["VERCEL_ORG_ID"], "--folder", str(folder / plan.kind)),
            *("--look-every", f"{plan.look_every_s:g}", "--bake", f"{plan.bake_s:g}", "--settle", "10"),
            *("--shadow-rate", f"{plan.shadow_per_s:g}"),
            *("--shadow-max", str(math.ceil(plan.shadow_per_s * plan.stage_max_s))),
        ]
    )
    policy = Policy(stage_s_min=plan.stage_s, stage_s_max=plan.stage_max_s, stage_requests_min=plan.requests_min)
    account = account_of(arguments, environment)
    access = read_access(environment, with_bypass=True)
    tell = Telling([account.token, *access], log, out)
    assert project.machine.production == STABLE
    job = running.Job if plan.is_checked else _Unchecked
    return job(arguments, account, access, project.url, policy, tell)
