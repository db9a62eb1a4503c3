"""
Releases of canaries that are good, erring, slow, slow in the tail, leaking or without a cache, by real instances.

Each kind once, from the checks to the end: real instances behind a router, a real store, callers, and the driver and
the judge of `scripts/canary run`; only Vercel's management API is a fake. A good one has to be released, a bad one
rolled back before it has half of the traffic. Exits with 1 where one was not. Stages last minutes here, most of what is
judged is the driver's own load, and what a judge cannot see yet it says by holding the release. It takes ten minutes.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.local.signals import INTERRUPTED, Stop

if TYPE_CHECKING:
    from scripts.releasing.proof.experiment import Result

ENDS_IN_ORDER = True
KINDS = ("good", "erring", "slow", "tail-slow", "leaking", "cold-cache")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=KINDS, action="append", metavar="KIND", help=f"of {', '.join(KINDS)} (all)")
    parser.add_argument("--seconds", type=float, default=420, metavar="N", help="a stage at most (420)")
    parser.add_argument("--rate", type=float, default=20, metavar="N", help="requests of callers, a second (20)")
    parser.add_argument("--shadow-rate", type=float, default=45, metavar="N", help="of the driver, to each side (45)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="callers are drawn from it (1)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="keep what drivers logged there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")


def run(arguments: argparse.Namespace) -> int:
    stop = Stop()
    if arguments.seconds < 10 or arguments.rate <= 0 or arguments.shadow_rate <= 0:
        print("--seconds is at least 10, rates are more than 0", file=sys.stderr)
        return 2
    # Importing all of it takes a while, in which a signal is noted already.
    from scripts.proving.ending import write_json
    from scripts.releasing.proof.experiment import Plan, experiment

    kinds, results = arguments.only or KINDS, list["Result"]()

    async def all_of_them(folder: Path) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end() -> None:
            loop.call_soon_threadsafe(task.cancel)

        stop.tell(end)
        for number, kind in enumerate(kinds, 1):
            print(f"\n{number} of {len(kinds)}: {kind}", file=sys.stderr, flush=True)
            plan = Plan(kind, arguments.rate, arguments.shadow_rate, stage_max_s=arguments.seconds, seed=arguments.seed)
            results.append(await experiment(plan, folder, sys.stderr))

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            asyncio.run(all_of_them(folder))
        except asyncio.CancelledError:
            print("interrupted", file=sys.stderr)
    is_whole = len(results) == len(kinds)
    write_json(
        arguments.json,
        {"what": "canary", "partial": not is_whole, "results": [each._asdict() for each in results]},
    )
    print(table(results))
    if not is_whole:
        return INTERRUPTED
    return int(not all(each.is_right for each in results))


def table(results: list["Result"]) -> str:
    """Return the results for people to read."""
    head = f"{'kind':<12}{'outcome':<13}{'most':>6}{'after':>8}{'requests':>10}{'canary':>8}{'failed':>8}{'shadow':>8}"
    lines = [f"{head}{'back in':>9}  {'as wanted':<10}reason"]
    for each in results:
        back = "-" if each.rollback_s is None else f"{each.rollback_s:.2f} s"
        lines.append(
            f"{each.kind:<12}{each.outcome:<13}{each.percentage:>4} %{each.seconds:>6.0f} s{each.requests:>10,}"
            f"{each.of_canary:>8,}{each.failed:>8,}{each.shadow:>8,}{back:>9}  "
            f"{'yes' if each.is_right else 'NO':<10}{each.reason[:90]}"
        )
    return "\n".join(lines)
