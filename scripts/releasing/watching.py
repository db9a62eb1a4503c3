"""
Watches both sides of a release: reads the fleet's metrics, has them judged, and sees to it that they suffice.

Both deployments share a store, so one exposition tells of both. It is read by the stable side, which works.

Where a side has too little traffic of its own for the judge's minimum, shadow load goes to both (`shadow.py`): callers
without cookies, a server's for instance, do not split by percentage, and a canary may see none of them for hours.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from scripts.releasing.judging import WHOLE, Judge, Verdict
from scripts.releasing.policy import Policy
from scripts.releasing.samples import Sample
from scripts.releasing.shadow import ShadowLoad
from scripts.releasing.sides import CANARY, STABLE, Side, SideUnreachable
from scripts.releasing.state import State, Watch
from scripts.releasing.telling import Telling

PROGRESS_S = 1.0


class Look(NamedTuple):
    """What was seen. *verdict*: None where the metrics could not be read. *watch*, *judge*: what is to be kept."""

    verdict: Verdict | None
    watch: Watch
    judge: dict[str, Any] | None


class Watcher:
    """Of one release. *shadow*: None where no load may be sent."""

    def __init__(
        self,
        sides: Mapping[str, Side],
        secret: str,
        policy: Policy,
        tell: Telling,
        shadow: ShadowLoad | None = None,
    ) -> None:
        self.policy = policy
        self._sides = sides
        self._secret = secret
        self._tell = tell
        self._shadow = shadow
        self._stage: tuple[object, int] | None = None
        self._is_lacking = False

    async def look(self, state: State) -> Look:
        """Look once. Raises ValueError: what is kept of the judge is none."""
        self._begin(state)
        watch = state.watch
        try:
            text = await self._exposition()
            samples = {name: _sample(text, side.deployment) for name, side in self._sides.items()}
        except (SideUnreachable, ValueError) as error:
            self._tell("metrics", f"could not read the metrics: {error}")
            return Look(None, replace(watch, blind=watch.blind + 1), state.judge)
        judge = Judge.from_json(state.judge) if state.judge else Judge(self.policy, state.stages)
        seen = (Sample(), Sample()) if self._shadow is None else self._shadow.take()
        verdict = judge.look(state.stage, samples[STABLE], samples[CANARY], watch.waited_s, seen)
        counts = {name: sum(sample.requests().values()) for name, sample in samples.items()}
        watch = replace(watch, begun=watch.begun or counts, blind=0)
        if self._shadow is not None and any(self._shadow.sent.values()):
            watch = replace(watch, shadow=dict(self._shadow.sent))
            verdict = verdict._replace(reasons=(*verdict.reasons, self._said_of_shadow(watch)))
        self._is_lacking = state.percentage < WHOLE and self._lacks(watch, counts)
        self._tell.note(
            "look",
            release=state.id,
            stage=state.stage,
            waited_s=round(watch.waited_s, 3),
            requests=counts,
            shadow=watch.shadow,
            shadow_failed={} if self._shadow is None else self._shadow.failed,
            outcome=verdict.outcome,
            reasons=verdict.reasons,
            figures=verdict.figures,
        )
        return Look(verdict, watch, judge.to_json())

    async def wait(self, state: State, reasons: tuple[str, ...], seconds: float) -> Watch:
        """Let *seconds* pass, with shadow load where it is needed; return what is to be kept."""
        began_s, shadow = time.monotonic(), self._shadow
        sends = shadow is not None and self._is_lacking
        while (left_s := began_s + seconds - time.monotonic()) > 0:
            told = f"{state.percentage} %, {state.watch.waited_s + seconds - left_s:,.0f} s: {'; '.join(reasons)}"
            self._tell.progress(told)
            if sends and shadow is not None and not shadow.is_spent:
                await shadow.send(min(left_s, PROGRESS_S))
            else:
                await asyncio.sleep(min(left_s, PROGRESS_S))
        sent = state.watch.shadow if shadow is None else dict(shadow.sent)
        waited_s = state.watch.waited_s + time.monotonic() - began_s
        return replace(state.watch, waited_s=waited_s, shadow=sent)

    async def close(self) -> None:
        """Take back what shadow load left, as far as that can be reached."""
        if self._shadow is not None:
            await self._shadow.clear()

    def _begin(self, state: State) -> None:
        """Take up the stage of *state*, at its begin or where a driver before this one left it."""
        if self._stage != (state.step, state.stage):
            self._stage, self._is_lacking = (state.step, state.stage), False
            if self._shadow is not None:
                self._shadow.begin_stage(state.watch.shadow)

    async def _exposition(self) -> str:
        try:
            return await self._sides[STABLE].metrics(self._secret)
        except SideUnreachable:
            return await self._sides[CANARY].metrics(self._secret)

    def _lacks(self, watch: Watch, counts: Mapping[str, int]) -> bool:
        """Tell whether a side has too little traffic of its own; where that begins, say so."""
        if self._shadow is None or watch.waited_s <= 0:
            return False
        own = {name: count - watch.begun.get(name, 0) - self._shadow.sent[name] for name, count in counts.items()}
        lacking = [name for name, count in own.items() if is_too_little(count, watch.waited_s, self.policy)]
        if lacking and not self._is_lacking:
            told = " and ".join(f"the {name} has {max(0, own[name])} requests of its own" for name in lacking)
            self._tell("shadow", f"Too little traffic to judge by ({told}): sending shadow load to both sides")
        return bool(lacking)

    def _said_of_shadow(self, watch: Watch) -> str:
        told = " and ".join(f"{count:,} to the {name}" for name, count in watch.shadow.items())
        failed = {} if self._shadow is None else self._shadow.failed
        lost = " and ".join(f"{count:,} of the {name}'s" for name, count in failed.items() if count)
        refused = f"; {lost} were refused or had no answer" if lost else ""
        return f"of the requests, this script itself sent {told} in this stage{refused}"


def is_too_little(requests: int, waited_s: float, policy: Policy) -> bool:
    """
    Tell whether *requests* in *waited_s* do not come to the judge's minimum in the least time of a stage. However long
    it lasts: what a judge needs beyond the minimum would take as many times as long.
    """
    return requests / waited_s * policy.stage_s_min < policy.stage_requests_min


def _sample(text: str, deployment: str) -> Sample:
    """Return what *text* says of *deployment*; of the other lines, of up to 20 deployments, none is parsed."""
    mark = f'deployment="{deployment}"'
    return Sample.read(
        "\n".join([*(line for line in text.splitlines() if line[:1] == "#" or mark in line), ""]), deployment
    )
