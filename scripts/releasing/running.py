"""
Release a deployment to all traffic by stages, or roll it back: checks it, and judges it at each stage by its metrics.

Needs VERCEL_TOKEN, WARMTHREAD_KEY (a tenant's key of its own for checks and shadow load) and WARMTHREAD_METRICS_SECRET;
VERCEL_AUTOMATION_BYPASS_SECRET where deployments are protected. None of them is ever printed or kept. What was
interrupted goes on with the same command. Exits with 0: released; 1: rolled back; 2: held, not decided in time; 3: it
could not go on, and says why and where the release is; 130: interrupted by Ctrl-C, the release stays where it is.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from scripts.local.signals import INTERRUPTED, Stop
from scripts.releasing.changing import CouldNot
from scripts.releasing.checking import unfit, wrong_with
from scripts.releasing.driver import Driver
from scripts.releasing.options import (
    COULD_NOT,
    HELD,
    RELEASED,
    ROLLED_BACK,
    account_of,
    add_account,
    add_timing,
    stages,
    timing_of,
)
from scripts.releasing.policy import Policy
from scripts.releasing.shadow import Bounds, ShadowLoad
from scripts.releasing.sides import CANARY, STABLE, Side
from scripts.releasing.state import BrokenState, Keeper, Locked, Outcome, State, Step
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import ACTIVE, Account, DeploymentFound, Rolling, Vercel, VercelError
from scripts.releasing.watching import Watcher
from scripts.smoke.access import Access, WrongUse, read_access, read_url
from scripts.smoke.deployment import BYPASS_HEADER
from scripts.smoke.result import Check
from scripts.smoke.result import State as CheckState

ENDS_IN_ORDER = True
STATUS_OF = {Outcome.RELEASED: RELEASED, Outcome.ROLLED_BACK: ROLLED_BACK, Outcome.HELD: HELD}
USUAL = Bounds()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--canary", required=True, metavar="ID", help="the deployment to release: dpl_…, or its address"
    )
    parser.add_argument("--url", required=True, help="where production answers, as https://memory.example.com")
    add_account(parser)
    add_timing(parser)
    parser.add_argument(
        "--stages", type=stages, default=(10, 25, 50, 100), metavar="LIST", help="percentages (10,25,50,100)"
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="JSON of what the judge has other than by default")
    parser.add_argument("--document", default="", metavar="PATH", help="a document of the key's tenant, to be read")
    parser.add_argument("--no-shadow", action="store_true", help="send no load of its own, however little there is")
    parser.add_argument("--shadow-rate", type=float, default=USUAL.rate_per_s, metavar="N", help="of it, a second (5)")
    parser.add_argument("--shadow-max", type=int, default=USUAL.total_max, metavar="N", help="of it, a stage (10000)")
    parser.add_argument("--again", action="store_true", help="release anew what was released or rolled back before")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done; read only")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append what happens to it, a JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    stop = Stop()
    try:
        account, url = account_of(arguments, os.environ), read_url(arguments.url)
        has_bypass = bool(os.environ.get("VERCEL_AUTOMATION_BYPASS_SECRET"))
        access = read_access(os.environ, with_bypass=has_bypass)
        for name, value in (("WARMTHREAD_KEY", access.key), ("WARMTHREAD_METRICS_SECRET", access.metrics)):
            if not value:
                raise WrongUse(f"{name} is not set")
        if not 0 < arguments.shadow_rate <= 1_000 or arguments.shadow_max < 0:
            raise WrongUse("--shadow-rate is more than 0 and at most 1000, --shadow-max at least 0")
        policy = Policy.read(arguments.policy) if arguments.policy else Policy()
        tell = Telling([account.token, *access], arguments.log)
    except (ValueError, OSError) as error:  # WrongUse is one.
        print(f"could not begin: {error}", file=sys.stderr)
        return COULD_NOT
    try:
        return _run(Job(arguments, account, access, url, policy, tell), stop)
    finally:
        tell.close()


class Job:
    """What was asked for, and who tells of it."""

    def __init__(
        self, arguments: argparse.Namespace, account: Account, access: Access, url: str, policy: Policy, tell: Telling
    ) -> None:
        self.arguments = arguments
        self.account = account
        self.access = access
        self.url = url
        self.policy = policy
        self.tell = tell

    async def wrong_with(self, canary: DeploymentFound) -> list[str]:
        """Return what is wrong with the canary at its own address."""
        return await wrong_with(canary, self.access, self.arguments.document, self.hear)

    def hear(self, check: Check) -> None:
        if check.state is not CheckState.PASSED:
            self.tell("check", f"  {check.name}: {check.state}: {check.text}")


def _run(job: Job, stop: Stop) -> int:
    """Release, with what can go wrong in sentences."""
    try:
        with Keeper.locked(job.arguments.folder, job.account.project) as keeper:
            status = asyncio.run(_until_stopped(job, keeper, stop))
            if status == INTERRUPTED:
                job.tell("interrupted", "Interrupted. " + where_it_is(keeper.read()))
            return status
    except Locked as error:
        job.tell("could not", f"could not begin: {error}")
        return COULD_NOT
    except (CouldNot, VercelError, BrokenState, ValueError, OSError) as error:
        job.tell("could not", f"could not go on: {error}")
        with contextlib.suppress(BrokenState, OSError):
            job.tell("state", where_it_is(Keeper(job.arguments.folder, job.account.project).read()))
        return COULD_NOT


async def _until_stopped(job: Job, keeper: Keeper, stop: Stop) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(release(job, keeper))

    def end() -> None:
        loop.call_soon_threadsafe(task.cancel)

    stop.tell(end)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED


async def release(job: Job, keeper: Keeper) -> int:
    async with Vercel(job.account) as vercel:
        canary = await vercel.deployment(job.arguments.canary)
        state = await _state_of(job, vercel, keeper.read(), canary.id)
        if job.arguments.dry_run:
            return await _say_what_would_be(job, vercel, state, canary)
        if state.step is Step.ENDED:
            job.tell("ended", f"{canary.id} was {state.outcome} before; --again releases it anew")
            return STATUS_OF[state.outcome]
        async with _watching(job, state) as watcher:
            check = partial(job.wrong_with, canary)
            timing = timing_of(job.arguments)
            driver = Driver(state, vercel, keeper, watcher, check, job.tell, timing)
            ended = await driver.run()
        if ended.outcome is Outcome.HELD:
            job.tell("state", where_it_is(ended))
        return STATUS_OF[ended.outcome]


async def _state_of(job: Job, vercel: Vercel, kept: State | None, canary: str) -> State:
    """Return the state that the release of *canary* goes on from. Raises CouldNot: another one is under way."""
    if kept is not None and kept.project != job.account.project:
        raise CouldNot(f"the state in {job.arguments.folder} is of the project {kept.project}")
    if kept is not None and kept.canary == canary and (kept.step is not Step.ENDED or not job.arguments.again):
        if kept.step is not Step.ENDED:
            job.tell("resume", f"Going on with the release {kept.id} of {canary}: {kept.step}", release=kept.id)
        return kept
    rolling, production = await vercel.status(), (await vercel.project()).production_id
    if (
        kept is not None
        and kept.step is not Step.ENDED
        and kept.has_started
        and _may_have_traffic(kept, rolling, production)
    ):
        raise CouldNot(f"a release of {kept.canary} is under way; finish or abort that one first")
    if rolling is not None and rolling.state == ACTIVE and rolling.canary_id == canary:
        job.tell("adopt", f"A rolling release of {canary} was started elsewhere, going on with it")
        production = rolling.stable_id
    if production == canary:
        raise CouldNot(f"{canary} has the production traffic already")
    if not production:
        raise CouldNot("the project has no production deployment to compare with, and to go back to")
    state = State.begin(job.account.project, canary, production, job.arguments.stages)
    job.tell("begin", f"Release {state.id}: {canary} in place of {production}", release=state.id)
    return state


def _may_have_traffic(kept: State, rolling: Rolling | None, production: str) -> bool:
    """Tell whether the release that was written down is not over yet: another one's may have taken its place."""
    is_latest = rolling is not None and rolling.canary_id == kept.canary and rolling.state == ACTIVE
    return is_latest or production == kept.canary


@contextlib.asynccontextmanager
async def _watching(job: Job, state: State) -> AsyncIterator[Watcher]:
    deployments = {STABLE: state.stable, CANARY: state.canary}
    headers = {BYPASS_HEADER: str(job.access.bypass)} if job.access.bypass else {}
    sides = {name: Side(job.url, name, deployment, headers) for name, deployment in deployments.items()}
    bounds = Bounds(job.arguments.shadow_rate, job.arguments.shadow_max)
    shadow = None if job.arguments.no_shadow else ShadowLoad(sides, job.access.key, bounds)
    watcher = Watcher(sides, job.access.metrics, job.policy, job.tell, shadow)
    try:
        yield watcher
        await watcher.close()
    finally:
        for side in sides.values():
            await side.close()


async def _say_what_would_be(job: Job, vercel: Vercel, state: State, canary: DeploymentFound) -> int:
    """Say what a run would do from here, by reads alone."""
    rolling, stages = await vercel.status(), state.stages
    if state.step is Step.ENDED:
        job.tell("dry run", f"{state.canary} was {state.outcome} before: nothing would be done without --again")
        return RELEASED
    told = "none" if rolling is None else f"{rolling.state}, {rolling.canary_id} at {rolling.percentage} %"
    job.tell("dry run", f"Nothing is changed. The project's latest rolling release: {told}")
    if reason := unfit(canary):
        job.tell("dry run", f"would end at once: {reason}")
        return COULD_NOT
    plan = {Step.CHECK: f"check {canary.id} at {canary.url}, as scripts/check-deployment does"}
    if await vercel.configured() != stages:
        plan[Step.CONFIGURE] = f"set the stages of the project's rolling releases to {', '.join(map(str, stages))} %"
    plan[Step.START] = f"start: {stages[0]} % to {canary.id}, the rest to {state.stable}"
    plan[Step.WATCH] = f"watch {', '.join(map(str, stages[:-1]))} %, and go on from each when the judge says so"
    plan |= {Step.COMPLETE: "complete: 100 %", Step.BAKE: f"watch for {job.arguments.bake:g} s more"}
    at = Step.WATCH if state.step is Step.APPROVE else state.step
    steps = list(Step)
    for step, line in plan.items():
        if steps.index(step) >= steps.index(at):
            job.tell("dry run", f"- {line}")
    job.tell("dry run", f"and at any time, where the canary is worse: all traffic back to {state.stable}")
    return RELEASED


def where_it_is(state: State | None) -> str:
    """Return in sentences where a release is, and how to go on or abort."""
    if state is None or not state.has_started:
        return "Nothing was started: the traffic is as it was."
    if state.step is Step.ENDED:
        return f"The release of {state.canary} has ended: {state.outcome}."
    at = f"The release {state.id} of {state.canary} is at: {state.step}, {state.percentage} % of the traffic"
    if state.step is Step.START:
        at = f"The release {state.id} of {state.canary} was about to start, or has; `scripts/canary status` says"
    elif state.step is Step.ROLL_BACK:
        at = f"The release {state.id} of {state.canary} was being rolled back to {state.stable}"
    return (
        f"{at}. Nobody watches it now. To go on: the same command again. To give {state.stable} all traffic: "
        "`scripts/canary abort`."
    )
