"""
Say where a release is: what its driver wrote down, and what Vercel says; changes nothing.

Needs VERCEL_TOKEN. Exits with 0, or with 3 where it could not be found out.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import sys

from scripts.releasing.options import COULD_NOT, account_of, add_account
from scripts.releasing.running import where_it_is
from scripts.releasing.state import BrokenState, Keeper, State
from scripts.releasing.telling import Telling
from scripts.releasing.vercel import Account, ProjectFound, Rolling, Vercel, VercelError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_account(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    try:
        account = account_of(arguments, os.environ)
        state = Keeper(arguments.folder, account.project).read()
        rolling, project = asyncio.run(_read(account))
    except (VercelError, BrokenState, ValueError, OSError) as error:
        print(f"could not find it out: {error}", file=sys.stderr)
        return COULD_NOT
    tell = Telling([account.token])
    if arguments.json:
        kept = None if state is None else dataclasses.asdict(state) | {"judge": None}
        latest = None if rolling is None else dataclasses.asdict(rolling) | {"percentage": rolling.percentage}
        document = {"driver": kept, "rolling_release": latest, "production": project.production_id}
        tell("status", json.dumps(document, indent=1))
        return 0
    for line in _lines(state, rolling, project):
        tell("status", line)
    return 0


async def _read(account: Account) -> tuple[Rolling | None, ProjectFound]:
    async with Vercel(account) as vercel:
        return await vercel.status(), await vercel.project()


def _lines(state: State | None, rolling: Rolling | None, project: ProjectFound) -> list[str]:
    lines = [f"production          {project.production_id or 'none'}"]
    if rolling is None:
        lines.append("rolling release     there was none")
    else:
        lines.append(f"rolling release     {rolling.state}: {rolling.canary_id} at {rolling.percentage} %")
        if rolling.queued_id:
            lines.append(f"queued behind it    {rolling.queued_id}")
    if state is None:
        lines.append("driver              wrote nothing down here")
        return lines
    lines += [f"driver              {state.id}, {' > '.join(state.history[-5:]) or state.step}"]
    lines += [f"                    {reason}" for reason in state.reasons]
    lines.append(where_it_is(state))
    return lines
