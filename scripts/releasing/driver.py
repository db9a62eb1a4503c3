"""
Takes a deployment from its own address to all traffic, a stage at a time, or back.

    check -> configure -> start -> watch 10 % -> approve 25 % -> watch … -> complete -> bake -> ended: released
                                     any ABORT -> roll back -> ended: rolled back

Each step is written down before it is begun and when it is done. What a step brings about is looked up before it is
asked for, and afterwards until it shows: a driver that died in between, an answer that was lost and a status that lags
all end the same. What somebody else does meanwhile, in the dashboard for instance, is followed where it is this
release, and else left alone.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from scripts.releasing.changing import Changes, CouldNot, Timing
from scripts.releasing.judging import Outcome as Judged
from scripts.releasing.judging import Verdict
from scripts.releasing.state import Keeper, Outcome, State, Step, Watch
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import ABORTED, ACTIVE, COMPLETE, NoAnswer, Rolling, Vercel
from scripts.releasing.watching import Watcher

BLIND_MAX = 20
"""Looks in a row at which the metrics could not be read: then nothing is known, as of a stage that is overdue."""


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
    ) -> None:
        self.state = state
        self._vercel = vercel
        self._changes = Changes(vercel, timing, tell)
        self._keeper = keeper
        self._watcher = watcher
        self._check_canary = check
        self._tell = tell
        self._timing = timing
        self._decided_at_s: float | None = None
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
        self._keep(self.state.having(outcome=Outcome.NONE) if self.state.step is not Step.ENDED else self.state)
        while self.state.step is not Step.ENDED and self.state.outcome is not Outcome.HELD:
            self._keep(await self._steps[self.state.step]())
        return self.state

    def _keep(self, state: State) -> None:
        self._keeper.write(state)
        if (state.step, state.stage) != (self.state.step, self.state.stage):
            self._tell.note("step", release=state.id, step=state.step, stage=state.stage)
        self.state = state

    async def _check(self) -> State:
        self._tell("check", f"Checking {self.state.canary} at its own address")
        if wrong := await self._check_canary():
            raise CouldNot(f"{self.state.canary} does not pass its checks, so nothing was started: {'; '.join(wrong)}")
        return self.state.at(Step.CONFIGURE)

    async def _configure(self) -> State:
        stages = self.state.stages
        if await self._vercel.configured() != stages:
            shares = ", ".join(map(str, stages))
            self._tell("configure", f"Setting the stages of the project's rolling releases: {shares} %, by approval")
            await self._vercel.configure(stages)
        return self.state.at(Step.START)

    async def _start(self) -> State:
        state, rolling = self.state, await self._vercel.status()
        if rolling is not None and rolling.state == ACTIVE and not self._is_ours(rolling):
            raise CouldNot(f"a rolling release of {rolling.canary_id} is under way; nothing was started")
        if not self._is_under_way(rolling) and await self._has_gone_further(rolling):
            return self._moved(rolling, 0) or state
        if not self._is_under_way(rolling):
            self._tell("start", f"Starting: {state.stages[0]} % of the traffic to {state.canary}")
            start = partial(self._vercel.start, state.canary)
            rolling = await self._changes.bring_about(start, self._is_under_way, "start the release")
        assert rolling is not None
        if rolling.stages != state.stages or not rolling.is_manual:
            had = ", ".join(map(str, rolling.stages)) + (" %" if rolling.is_manual else " %, by time")
            raise CouldNot(f"the release was started with other stages, {had}: abort it, and begin again")
        return self._watching(rolling.active or 0).having(started_at_ms=rolling.started_at_ms)

    async def _has_gone_further(self, rolling: Rolling | None) -> bool:
        """Tell whether this release started before, and has all traffic by now: somebody completed it."""
        if rolling is None or not self._is_ours(rolling) or rolling.state != COMPLETE:
            return False
        return (await self._vercel.project()).production_id == self.state.canary

    def _watching(self, stage: int) -> State:
        state = self.state
        self._tell("stage", f"{state.canary} has {state.stages[stage]} % of the traffic; watching", stage=stage)
        return state.at(Step.WATCH, stage=stage, watch=Watch())

    async def _watch(self) -> State:
        while True:
            if (moved := await self._follow()) is not None:
                return moved
            verdict, state = await self._look(), self.state
            if verdict is not None and verdict.outcome is Judged.ABORT:
                return self._abort(verdict.reasons)
            if verdict is not None and verdict.outcome is Judged.PASS:
                self._tell("pass", f"{state.stages[state.stage]} % passed: {'; '.join(verdict.reasons)}")
                is_last = state.stage + 2 >= len(state.stages)
                return state.at(Step.COMPLETE) if is_last else state.at(Step.APPROVE, stage=state.stage + 1)
            reasons = verdict.reasons if verdict is not None else ("the metrics cannot be read",)
            if state.watch.waited_s >= self._watcher.policy.stage_s_max or state.watch.blind >= BLIND_MAX:
                return self._give_up(reasons)
            await self._pause(reasons)

    def _give_up(self, reasons: tuple[str, ...]) -> State:
        """The stage has had its time, and nothing is decided."""
        if self._watcher.policy.overdue == "abort":
            return self._abort(("not decided in time", *reasons))
        self._tell("held", f"Held at {self.state.percentage} %, not decided in time: {'; '.join(reasons)}")
        # Who goes on waits anew; what the judge knows stays.
        watch = replace(self.state.watch, waited_s=0.0, blind=0)
        return self.state.having(outcome=Outcome.HELD, reasons=reasons, watch=watch)

    async def _approve(self) -> State:
        state = self.state
        share = f"{state.stages[state.stage]} %"
        if (moved := self._moved(await self._vercel.status(), state.stage - 1)) is not None:
            return moved
        self._tell("approve", f"Approving {share}")
        rolling = await self._changes.bring_about(
            partial(self._vercel.approve, state.stage, state.canary),
            lambda seen: self._has_ended(seen) or (seen is not None and (seen.active or 0) >= state.stage),
            f"approve {share}",
        )
        return self._moved(rolling, state.stage) or self._watching(state.stage)

    async def _complete(self) -> State:
        state = self.state
        if (moved := self._moved(await self._vercel.status(), len(state.stages))) is not None:
            return moved
        self._tell("complete", f"Completing: all traffic to {state.canary}")
        complete = partial(self._vercel.complete, state.canary)
        rolling = await self._changes.bring_about(complete, self._has_ended, "complete the release")
        return self._moved(rolling, len(state.stages)) or state

    async def _bake(self) -> State:
        while self.state.watch.waited_s < self._timing.bake_s:
            if (moved := await self._follow()) is not None:
                return moved
            verdict = await self._look()
            if verdict is not None and verdict.outcome is Judged.ABORT:
                return self._abort(verdict.reasons)
            await self._pause(("watching after the release",))
        return self._end(Outcome.RELEASED, (), f"Released: {self.state.canary} has all traffic")

    def _abort(self, reasons: tuple[str, ...]) -> State:
        self._decided_at_s = time.monotonic()
        self._tell("abort", f"Rolling back to {self.state.stable}: {'; '.join(reasons)}", reasons=reasons)
        return self.state.at(Step.ROLL_BACK, reasons=reasons)

    async def _roll_back(self) -> State:
        state, began_s = self.state, self._decided_at_s
        text = f"Rolled back: {state.stable} has all traffic"
        if began_s is None:
            # A driver that comes back to this later: it may be done, or the traffic another release's by now.
            began_s = time.monotonic()
            if await self._was_rolled_back():
                return self._end(Outcome.ROLLED_BACK, state.reasons, text)
        await self._changes.roll_back(state)
        took_s = time.monotonic() - began_s
        told = f"{text}, {took_s:.1f} s after that was decided"
        return self._end(Outcome.ROLLED_BACK, state.reasons, told, took_s=round(took_s, 3))

    async def _was_rolled_back(self) -> bool:
        """Tell whether the stable has all traffic again. Raises CouldNot: another release has some."""
        rolling, project = await self._vercel.status(), await self._vercel.project()
        ids = (self.state.canary, self.state.stable)
        if rolling is None or not self._is_ours(rolling) or project.production_id not in ids:
            found = "none" if rolling is None else rolling.canary_id
            raise CouldNot(
                f"the traffic is not this release's any more (production: {project.production_id}, latest release: "
                f"{found}); nothing was changed"
            )
        return rolling.state != ACTIVE and project.production_id == self.state.stable

    def _end(self, outcome: Outcome, reasons: tuple[str, ...], text: str, **facts: object) -> State:
        self._tell("ended", text, outcome=outcome, reasons=reasons, **facts)
        return self.state.at(Step.ENDED, outcome=outcome, reasons=reasons)

    async def _look(self) -> Verdict | None:
        """Look once, and write down what was seen; None: the metrics cannot be read."""
        look = await self._watcher.look(self.state)
        self._keep(self.state.having(watch=look.watch, judge=look.judge))
        return look.verdict

    async def _pause(self, reasons: tuple[str, ...]) -> None:
        self._keep(self.state.having(watch=await self._watcher.wait(self.state, reasons, self._timing.look_every_s)))

    async def _follow(self) -> State | None:
        """Return where the release is if somebody else moved it."""
        try:
            rolling = await self._vercel.status()
            if self.state.step is Step.BAKE:
                return await self._follow_baking(rolling)
        except NoAnswer as error:
            # The metrics may be readable all the same, and they are what is urgent.
            self._tell("status", str(error))
            return None
        return self._moved(rolling, self.state.stage)

    async def _follow_baking(self, rolling: Rolling | None) -> State | None:
        production = await self._changes.production_unless(self.state.stable)
        if production == self.state.stable:
            return self._end(Outcome.ROLLED_BACK, ("by somebody else",), "Rolled back, and not by this driver")
        is_latest = rolling is None or self._is_ours(rolling) or self._is_older(rolling)
        if production == self.state.canary and is_latest:
            return None
        reason = "another release has begun, this one is watched no longer"
        return self._end(Outcome.RELEASED, (reason,), f"Released: {self.state.canary}; {reason}")

    def _moved(self, rolling: Rolling | None, stage: int) -> State | None:
        """Return where *rolling* is, None if that is *stage* or, in a status that lags, one before it."""
        state = self.state
        if rolling is None or self._is_older(rolling):
            return None
        if not self._is_ours(rolling):
            raise CouldNot(f"the release of {state.canary} is over: the latest one is that of {rolling.canary_id}")
        if rolling.state == ABORTED:
            return self._end(Outcome.ROLLED_BACK, ("by somebody else",), "Rolled back, and not by this driver")
        if rolling.state == COMPLETE:
            self._tell("stage", f"{state.canary} has all traffic; watching for {self._timing.bake_s:g} s")
            return state.at(Step.BAKE, stage=len(state.stages) - 1, watch=Watch())
        if rolling.active is not None and rolling.active > stage:
            return self._watching(rolling.active)
        return None

    def _is_ours(self, rolling: Rolling) -> bool:
        return rolling.canary_id == self.state.canary

    def _has_ended(self, rolling: Rolling | None) -> bool:
        """Tell whether *rolling* shows the end of this release: it is over, or another is there."""
        return rolling is not None and not self._is_under_way(rolling) and not self._is_older(rolling)

    def _is_older(self, rolling: Rolling) -> bool:
        """Tell whether it is one from before this one, by a status that lags."""
        return rolling.started_at_ms < self.state.started_at_ms

    def _is_under_way(self, rolling: Rolling | None) -> bool:
        return rolling is not None and rolling.state == ACTIVE and self._is_ours(rolling)
