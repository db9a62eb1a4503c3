"""
Takes a deployment from its own address to all traffic, a stage at a time, or back.

    check -> configure -> start -> watch 10 % -> approve 25 % -> watch … -> complete -> bake -> ended: released
                                     any ABORT -> roll back -> ended: rolled back

Each step is written down before it is begun and when it is done. What a step brings about is looked up before it is asked
for, and afterwards until it shows: a driver that died in between, an answer that was lost and a status that lags all end
the same. What somebody else does meanwhile, in the dashboard for instance, is followed where it is this release, and
else left alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from scripts.releasing.judging import Outcome as Judged
from scripts.releasing.state import Keeper, Outcome, State, Step, Watch
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import ABORTED, ACTIVE, COMPLETE, NoAnswer, Rolling, Vercel, VercelError, VercelRefused
from scripts.releasing.watching import Look, Watcher

ASKS = 3
HOLD, ROLL_BACK = "hold", "roll-back"


class CouldNot(RuntimeError):
    """The release cannot go on, and was left where it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Of a driver, in seconds. *settle_s*: for so long a change may take to show in a status."""

    look_every_s: float = 15.0
    stage_max_s: float = 3_600.0
    bake_s: float = 1_800.0
    settle_s: float = 30.0
    poll_s: float = 0.25
    rollback_s: float = 120.0
    """So long a rollback is asked for, and looked for, again and again."""


class Driver:
    """Drives the release of *state*. *check* returns what is wrong with the canary at its own address."""

    def __init__(
        self,
        state: State,
        vercel: Vercel,
        keeper: Keeper,
        watcher: Watcher,
        check: Callable[[], Awaitable[list[str]]],
        tell: Telling,
        timing: Timing,
        inconclusive: str = HOLD,
    ) -> None:
        self.state = state
        self._vercel = vercel
        self._keeper = keeper
        self._watcher = watcher
        self._check_canary = check
        self._tell = tell
        self._timing = timing
        self._inconclusive = inconclusive
        self._detected_at_s: float | None = None
        self._steps: dict[Step, Callable[[], Awaitable[State]]] = {
            Step.CHECK: self._check,
            Step.CONFIGURE: self._configure,
            Step.START: self._start,
            Step.WATCH: self._watch,
            Step.APPROVE: self._approve,
            Step.COMPLETE: self._complete,
            Step.BAKE: self._bake,
            Step.ROLL_BACK: self._roll_back,
        }

    async def run(self) -> State:
        """
        Return the state in which the release ended, or is held.

        Raises:   CouldNot; VercelError; OSError: the state cannot be written.
        """
        while self.state.step is not Step.ENDED:
            self._keep(self.state.at(self.state.step, outcome=Outcome.NONE))
            self._keep(await self._steps[self.state.step]())
            if self.state.outcome is Outcome.HELD:
                break
        return self.state

    def _keep(self, state: State) -> None:
        self._keeper.write(state)
        if (state.step, state.stage) != (self.state.step, self.state.stage):
            self._tell.note("step", release=state.id, step=state.step, stage=state.stage)
        self.state = state

    async def _check(self) -> State:
        state = self.state
        self._tell("check", f"Checking {state.canary} at its own address")
        if wrong := await self._check_canary():
            raise CouldNot(f"{state.canary} does not pass its checks, nothing was started: " + "; ".join(wrong))
        return state.at(Step.CONFIGURE)

    async def _configure(self) -> State:
        state = self.state
        if await self._vercel.configured() != state.stages:
            shares = ", ".join(map(str, state.stages))
            self._tell(
                "configure", f"Setting the stages of the project's rolling releases: {shares} %, each by approval"
            )
            await self._vercel.configure(state.stages)
        return state.at(Step.START)

    async def _start(self) -> State:
        state = self.state
        rolling = await self._vercel.status()
        if rolling is not None and rolling.state == ACTIVE and rolling.canary_id != state.canary:
            raise CouldNot(f"a rolling release of {rolling.canary_id} is under way; nothing was started")
        if rolling is None or not self._is_ours(rolling) or rolling.state != ACTIVE:
            self._tell("start", f"Starting: {state.stages[0]} % of the traffic to {state.canary}")
            before = None if rolling is None else (rolling.state, rolling.canary_id, rolling.stable_id)
            await self._bring_about(
                partial(self._vercel.start, state.canary), partial(self._has_started, before), "start the release"
            )
            rolling = await self._status()
        if rolling is None or rolling.state != ACTIVE or not self._is_ours(rolling):
            raise CouldNot(f"the release of {state.canary} started, and ended at once; see the project's dashboard")
        if rolling.stages != state.stages:
            had = ", ".join(map(str, rolling.stages))
            raise CouldNot(
                f"the release has the stages {had} %, as it was started with others: abort it and begin again"
            )
        return self._watching(state, rolling.active or 0)

    def _has_started(self, before: object, rolling: Rolling | None) -> bool:
        """Tell whether *rolling* is the release that was asked for, and no earlier one of the same canary."""
        return rolling is not None and self._is_ours(rolling) and (rolling.state == ACTIVE or before is None)

    def _watching(self, state: State, stage: int) -> State:
        self._tell("stage", f"{state.canary} has {state.stages[stage]} % of the traffic; watching", stage=stage)
        return state.at(Step.WATCH, stage=stage, watch=Watch(reference=state.watch.reference))

    async def _watch(self) -> State:
        while True:
            if (moved := await self._follow()) is not None:
                return moved
            look = await self._look()
            state = self.state
            if look is not None and look.verdict is not None:
                if look.verdict.outcome is Judged.ABORT:
                    return self._abort(look.verdict.reasons)
                if look.verdict.outcome is Judged.PASS:
                    kept = state.having(watch=Watch(reference=look.reference))
                    is_last = state.stage + 2 >= len(state.stages)
                    return kept.at(Step.COMPLETE) if is_last else kept.at(Step.APPROVE, stage=state.stage + 1)
            if state.watch.waited_s >= self._timing.stage_max_s:
                return self._give_up(look)
            await self._pause()

    def _give_up(self, look: Look | None) -> State:
        """The stage has had its time, and nothing is decided."""
        reasons = ("not decided in time", *(look.verdict.reasons if look is not None and look.verdict else ()))
        if self._inconclusive == ROLL_BACK:
            return self._abort(reasons)
        self._tell("held", f"Held at {self.state.percentage} %: {'; '.join(reasons)}")
        # Who goes on waits anew; what the judge knows stays.
        watch = Watch(0.0, self.state.watch.stable, self.state.watch.canary, self.state.watch.reference)
        return self.state.having(outcome=Outcome.HELD, reasons=reasons, watch=watch)

    async def _approve(self) -> State:
        state = self.state
        rolling = await self._status()
        if (moved := self._moved(rolling, state.stage - 1)) is not None:
            return moved
        self._tell("approve", f"Approving {state.stages[state.stage]} %")
        await self._bring_about(
            partial(self._vercel.approve, state.stage, state.canary),
            lambda seen: seen is None or not self._is_under_way(seen) or (seen.active or 0) >= state.stage,
            f"approve {state.stages[state.stage]} %",
        )
        if (moved := self._moved(await self._status(), state.stage)) is not None:
            return moved
        return self._watching(state, state.stage)

    async def _complete(self) -> State:
        state = self.state
        rolling = await self._status()
        if rolling is None or rolling.state != COMPLETE:
            if (moved := self._moved(rolling, state.stage)) is not None and moved.step is Step.ENDED:
                return moved
            self._tell("complete", f"Completing: all traffic to {state.canary}")
            await self._bring_about(
                partial(self._vercel.complete, state.canary),
                lambda seen: seen is None or not self._is_under_way(seen),
                "complete the release",
            )
        if (moved := self._moved(await self._status(), state.stage)) is None or moved.step is not Step.BAKE:
            return moved or state
        return moved

    async def _bake(self) -> State:
        while self.state.watch.waited_s < self._timing.bake_s:
            if (moved := await self._follow()) is not None:
                return moved
            look = await self._look()
            if look is not None and look.verdict is not None and look.verdict.outcome is Judged.ABORT:
                return self._abort(look.verdict.reasons)
            if self.state.watch.waited_s < self._timing.bake_s:
                await self._pause()
        return self._end(Outcome.RELEASED, (), f"Released: {self.state.canary} has all traffic")

    def _abort(self, reasons: tuple[str, ...]) -> State:
        self._detected_at_s = time.monotonic()
        self._tell("abort", f"Rolling back to {self.state.stable}: {'; '.join(reasons)}", reasons=reasons)
        return self.state.at(Step.ROLL_BACK, reasons=reasons)

    async def _roll_back(self) -> State:
        state, is_resumed = self.state, self._detected_at_s is None
        began_s = time.monotonic() if self._detected_at_s is None else self._detected_at_s
        # A driver that comes back to this later has to see what became of it: by now it may be another's release.
        if is_resumed and not await self._is_back():
            await self._check_is_ours()
        await roll_back(self._vercel, state, self._timing, self._tell)
        took_s = time.monotonic() - began_s
        text = f"Rolled back: {state.stable} has all traffic, {took_s:.1f} s after that was decided"
        return self._end(Outcome.ROLLED_BACK, state.reasons, text, took_s=round(took_s, 3))

    async def _is_back(self) -> bool:
        return await is_back(self._vercel, self.state)

    async def _check_is_ours(self) -> None:
        rolling, project = await self._vercel.status(), await self._vercel.project()
        if (
            rolling is None
            or not self._is_ours(rolling)
            or project.production_id
            not in (
                self.state.canary,
                self.state.stable,
            )
        ):
            raise CouldNot(
                f"{project.production_id} has the production traffic, which is not of this release: nothing was changed"
            )

    def _end(self, outcome: Outcome, reasons: tuple[str, ...], text: str, **facts: object) -> State:
        self._tell("ended", text, outcome=outcome, reasons=reasons, **facts)
        return self.state.at(Step.ENDED, outcome=outcome, reasons=reasons)

    async def _look(self) -> Look | None:
        """Look once, and write down what was seen; None: the metrics cannot be read."""
        look = await self._watcher.look(self.state)
        self._keep(self.state.having(watch=look.watch, judge=look.judge))
        return look

    async def _pause(self) -> None:
        began_s = time.monotonic()
        await self._watcher.wait(self.state, self._timing.look_every_s)
        waited_s = self.state.watch.waited_s + time.monotonic() - began_s
        self._keep(self.state.having(watch=self._watcher.waited(self.state.watch, waited_s)))

    async def _follow(self) -> State | None:
        """Return where the release is if somebody else moved it."""
        try:
            rolling = await self._vercel.status()
        except NoAnswer as error:
            # The metrics may be readable all the same, and they are what is urgent.
            self._tell("status", str(error))
            return None
        if (moved := self._moved(rolling, self.state.stage)) is not None:
            return None if moved.step is self.state.step is Step.BAKE and not await self._is_back() else moved
        return None

    def _moved(self, rolling: Rolling | None, stage: int) -> State | None:
        """Return where *rolling* is, None if that is *stage* or, in a status that lags, one before it."""
        state = self.state
        if rolling is None or not self._is_ours(rolling):
            other = "none" if rolling is None else f"that of {rolling.canary_id}"
            raise CouldNot(f"the project's latest rolling release is {other}: the one of {state.canary} is over")
        if rolling.state == ABORTED:
            return self._end(Outcome.ROLLED_BACK, ("aborted by somebody else",), "Aborted, and not by this driver")
        if rolling.state == COMPLETE:
            if state.step is Step.BAKE:
                return self._end(
                    Outcome.ROLLED_BACK, ("rolled back by somebody else",), "Rolled back, and not by this driver"
                )
            self._tell("stage", f"{state.canary} has all traffic; watching for {self._timing.bake_s:g} s")
            last = len(state.stages) - 1
            return state.at(Step.BAKE, stage=last, watch=Watch(reference=state.watch.reference))
        if rolling.active is not None and rolling.active > stage:
            return self._watching(state, rolling.active)
        return None

    def _is_ours(self, rolling: Rolling) -> bool:
        return rolling.canary_id == self.state.canary

    def _is_under_way(self, rolling: Rolling) -> bool:
        return rolling.state == ACTIVE and self._is_ours(rolling)

    async def _status(self) -> Rolling | None:
        return await self._vercel.status()

    async def _bring_about(
        self, ask: Callable[[], Awaitable[None]], holds: Callable[[Rolling | None], bool], what: str
    ) -> None:
        """Ask for a change until a status shows it. Raises CouldNot: it was refused, or never shows."""
        error: VercelError | None = None
        for _ in range(ASKS):
            try:
                await ask()
                error = None
            except VercelError as failed:
                # Also of one that was refused: what was done before, and its answer lost, is refused now.
                error = failed
                self._tell("call", f"{failed}; looking whether it was done")
            if await self._shows(holds):
                return
            if isinstance(error, VercelRefused):
                break
        raise CouldNot(f"could not {what}: {error or 'it was asked for, and does not show'}")

    async def _shows(self, holds: Callable[[Rolling | None], bool]) -> bool:
        """Tell whether a status says so in time."""
        until_s = time.monotonic() + self._timing.settle_s
        while True:
            try:
                if holds(await self._vercel.status()):
                    return True
            except NoAnswer as error:
                self._tell("status", str(error))
            if time.monotonic() > until_s:
                return False
            await asyncio.sleep(self._timing.poll_s)


async def is_back(vercel: Vercel, state: State) -> bool:
    """Tell whether the stable deployment has all traffic. Raises VercelError."""
    rolling, project = await vercel.status(), await vercel.project()
    is_active = rolling is not None and rolling.state == ACTIVE and rolling.canary_id == state.canary
    return project.production_id == state.stable and not is_active


async def roll_back(vercel: Vercel, state: State, timing: Timing, tell: Telling) -> None:
    """Give the stable deployment all traffic, and return when a status says so. Raises CouldNot."""
    until_s = time.monotonic() + timing.rollback_s
    while True:
        error: VercelError | None = None
        try:
            await vercel.rollback(state.stable)
        except VercelError as failed:
            # Refused is what has been done already, too.
            error = failed
            tell("call", f"{failed}; looking whether it was done")
        settled_s = min(until_s, time.monotonic() + timing.settle_s)
        while True:
            try:
                if await is_back(vercel, state):
                    return
            except NoAnswer as failed:
                error = failed
            if time.monotonic() > settled_s:
                break
            await asyncio.sleep(timing.poll_s)
        if time.monotonic() > until_s:
            raise CouldNot(
                f"could not roll back: {error or 'it does not show'}. {state.stable} has to get the traffic by hand: "
                f"`vercel rollback {state.stable}`, or Instant Rollback in the dashboard"
            )
