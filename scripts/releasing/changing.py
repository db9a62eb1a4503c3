"""
Brings about a change of a release, and returns when a status shows it.

A call whose answer is lost may have been done, one that is refused may have been done before, and a status may lag: so
what counts is what is seen afterwards, never what a call answered.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scripts.releasing.state import State
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import ACTIVE, NoAnswer, Rolling, Vercel, VercelError, VercelRefused

ASKS = 3


class CouldNot(RuntimeError):
    """The release cannot go on, and was left where it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. *settle_s*: for so long a change may take to show in a status, *rollback_s*: one back may in all."""

    look_every_s: float = 15.0
    bake_s: float = 1_800.0
    settle_s: float = 30.0
    poll_s: float = 0.25
    rollback_s: float = 180.0


class Changes:
    """Changes of one project's releases."""

    def __init__(self, vercel: Vercel, timing: Timing, tell: Telling) -> None:
        self._vercel = vercel
        self._timing = timing
        self._tell = tell

    async def bring_about(
        self, ask: Callable[[], Awaitable[None]], holds: Callable[[Rolling | None], bool], what: str
    ) -> Rolling | None:
        """Ask for a change until a status shows it; return that. Raises CouldNot: it was refused, or never shows."""
        error: VercelError | None = None
        for _ in range(ASKS):
            error = await self._asked(ask)
            shown, seen = await self._shows(holds)
            if shown:
                return seen
            if isinstance(error, VercelRefused):
                break
        raise CouldNot(f"could not {what}: {error or 'it was asked for, and does not show'}")

    async def roll_back(self, state: State) -> None:
        """Give the stable deployment all traffic, and return when that shows. Raises CouldNot."""
        until_s = time.monotonic() + self._timing.rollback_s
        while True:
            error = await self._asked(lambda: self._vercel.rollback(state.stable))
            settled_s = min(until_s, time.monotonic() + self._timing.settle_s)
            while time.monotonic() <= settled_s:
                try:
                    if await self.is_back(state):
                        return
                except NoAnswer as failed:
                    error = failed
                except VercelRefused as refused:
                    error = refused
                    break
                await asyncio.sleep(self._timing.poll_s)
            if time.monotonic() > until_s or isinstance(error, VercelRefused):
                raise CouldNot(
                    f"could not roll back: {error or 'it does not show'}. {state.stable} has to get the traffic by "
                    f"hand: `vercel rollback {state.stable}`, or Instant Rollback in the dashboard"
                )

    async def is_back(self, state: State) -> bool:
        """Tell whether the stable deployment has all traffic. Raises VercelError."""
        rolling, project = await self._vercel.status(), await self._vercel.project()
        is_active = rolling is not None and rolling.state == ACTIVE and rolling.canary_id == state.canary
        return project.production_id == state.stable and not is_active

    async def production_unless(self, stable: str) -> str:
        """Return what has the production traffic: *stable* only if it stays that, for the project may lag too."""
        until_s = time.monotonic() + self._timing.settle_s
        while True:
            found = (await self._vercel.project()).production_id
            if found != stable or time.monotonic() > until_s:
                return found
            await asyncio.sleep(self._timing.poll_s)

    async def _asked(self, ask: Callable[[], Awaitable[None]]) -> VercelError | None:
        """Ask once; return what went wrong, which says nothing of what was done."""
        try:
            await ask()
        except VercelError as error:
            self._tell("call", f"{error}; looking whether it was done")
            return error
        return None

    async def _shows(self, holds: Callable[[Rolling | None], bool]) -> tuple[bool, Rolling | None]:
        """Return whether a status says so in time, and the last one."""
        seen: Rolling | None = None
        until_s = time.monotonic() + self._timing.settle_s
        while True:
            try:
                seen = await self._vercel.status()
                if holds(seen):
                    return True, seen
            except NoAnswer as error:
                self._tell("status", str(error))
            if time.monotonic() > until_s:
                return False, seen
            await asyncio.sleep(self._timing.poll_s)
