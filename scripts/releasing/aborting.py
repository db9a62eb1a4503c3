"""
Give the stable deployment all traffic, at once, and say when a status shows it.

It is the deployment that a rolling release under way goes back to, or, where that has ended, the one that the driver
wrote down. A driver that runs meanwhile sees it, and ends. Needs VERCEL_TOKEN. Exits with 0 when the stable deployment
has all traffic, with 3 where that could not be brought about.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from scripts.releasing.changing import Changes, CouldNot
from scripts.releasing.options import COULD_NOT, account_of, add_account, add_timing, timing_of
from scripts.releasing.state import BrokenState, Keeper, Locked, Outcome, State, Step
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import ACTIVE, Account, Vercel, VercelError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_account(parser)
    add_timing(parser)
    parser.add_argument("--log", type=Path, metavar="FILE", help="append what happens to it, a JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    try:
        account = account_of(arguments, os.environ)
        tell = Telling([account.token], arguments.log)
        aborted = asyncio.run(_abort(arguments, account, tell))
        _write_down(arguments.folder, account.project, aborted, tell)
    except (CouldNot, VercelError, BrokenState, ValueError, OSError) as error:
        print(f"could not abort: {error}", file=sys.stderr)
        return COULD_NOT
    return 0


async def _abort(arguments: argparse.Namespace, account: Account, tell: Telling) -> State:
    kept = Keeper(arguments.folder, account.project).read()
    async with Vercel(account) as vercel:
        rolling = await vercel.status()
        if rolling is not None and rolling.state == ACTIVE:
            state = State.begin(account.project, rolling.canary_id, rolling.stable_id, rolling.stages)
        elif kept is not None and kept.has_started:
            production = (await vercel.project()).production_id
            if production not in (kept.canary, kept.stable):
                raise CouldNot(f"{production} has the traffic, which is not of the release that was written down here")
            state = kept
        else:
            raise CouldNot("no rolling release is under way, and none was written down here")
        tell("abort", f"Rolling back from {state.canary} to {state.stable}")
        await Changes(vercel, timing_of(arguments), tell).roll_back(state)
        tell("ended", f"Rolled back: {state.stable} has all traffic")
    return state


def _write_down(folder: Path, project: str, aborted: State, tell: Telling) -> None:
    """The release that was written down here has ended, if it is this one and no driver is at it."""
    try:
        with Keeper.locked(folder, project) as keeper:
            kept = keeper.read()
            if kept is not None and kept.canary == aborted.canary:
                keeper.write(kept.at(Step.ENDED, outcome=Outcome.ROLLED_BACK, reasons=("aborted by hand",)))
    except Locked:
        tell("state", "A driver runs: it sees this, and ends")
