"""
A week of requests, expiries, cold starts and crons in twenty minutes, with instances that live through all of it.

The store's lives and everybody's clock are compressed, timeouts are not. Memory, descriptors and threads of these
instances, keys and bytes of the store are sampled; a slope a request with its 95 % interval says whether any of them
grows. In one instance of each function a leak is planted, which has to be found. It ends by itself, and --resume goes
on where a run was stopped. Ctrl-C ends it; what was seen until then is written, and says that it is not all.
"""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.local.signals import INTERRUPTED
from scripts.measuring.environment import ROOT
from scripts.proving.ending import until_stopped, write_json
from scripts.proving.load.facts import facts
from scripts.proving.progress import Lines
from scripts.proving.soak.plan import DAY_S, DAYS_MIN, Options

if TYPE_CHECKING:
    from scripts.proving.load.live import Plan
    from scripts.proving.soak.live import LiveSoak
    from scripts.proving.soak.record import Record

SECRET = "WARMTHREAD_METRICS_SECRET"  # noqa: S105  # the name of a variable.
WRONG_ARGUMENTS, UNDECIDED_STATUS = 2, 3
ENDS_IN_ORDER = True
PARTIAL_AGAIN = 40
"""Who interrupts wants to have it over: a coarser interval is made in a second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=1_200, help="how long it runs (1200)")
    parser.add_argument("--days", type=float, default=7, help="how long that stands for, at least 3 (7)")
    parser.add_argument("--rate", type=float, help="requests a second on average (45; 1 with --url)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn is drawn from it (1)")
    parser.add_argument("--delay-ms", type=float, default=5, help="a round trip to the store (5)")
    parser.add_argument(
        "--plant-leak", type=int, default=1_000, metavar="BYTES", help="one instance keeps so much a request (1000)"
    )
    parser.add_argument("--folder", type=Path, help="where samples go; by default one of .warmthread/soak")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="go on with a run that was stopped")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    live = parser.add_argument_group("against a deployment of your own, whose metrics WARMTHREAD_METRICS_SECRET opens")
    live.add_argument("--url", help="its address: nothing is started here, and --days are real")
    live.add_argument("--key", help="an API key of a tenant that is there for this")
    live.add_argument("--yes", action="store_true", help="do not ask whether that is meant")


def run(arguments: argparse.Namespace) -> int:
    from scripts.platform.fleet import FleetError
    from scripts.proving.load.texts import recorded
    from scripts.proving.soak.experiment import Soak
    from scripts.proving.soak.record import Record
    from scripts.proving.soak.show import show
    from scripts.proving.soak.slope import AGAIN
    from scripts.proving.soak.verdict import FAILS, HOLDS, judge

    if arguments.rate is None:
        arguments.rate = 1.0 if arguments.url else 45.0
    try:
        plan = _plan(arguments) if arguments.url else None
        if plan is not None and not arguments.yes and not _is_meant(plan):
            return WRONG_ARGUMENTS
        record = Record.resume(arguments.resume) if arguments.resume else Record.begin(*_asked(arguments))
        print(f"samples go to {record.folder}", file=sys.stderr)
        began, tell = facts(), Lines("seconds")
        soak = Soak(record, recorded(), tell) if plan is None else _live(record, plan, tell)
        is_whole = record.is_whole or until_stopped(soak.run())
    except (ValueError, OSError, FleetError) as error:
        print(error, file=sys.stderr)
        return WRONG_ARGUMENTS
    found = judge(record.options, record.samples, is_whole=is_whole, again=AGAIN if is_whole else PARTIAL_AGAIN)
    document = {
        "what": "soak",
        "partial": not is_whole,
        "options": vars(record.options) | {"factor": record.options.factor, "warm_up_s": record.options.warm_up_s},
        "seed": record.options.seed,
        **began,
        **found,
        "series": record.samples,
    }
    write_json(arguments.json, document)
    print(show(document))
    if not is_whole:
        print(f"scripts/prove soak --resume {record.folder}   goes on", file=sys.stderr)
        return INTERRUPTED
    return {HOLDS: 0, FAILS: 1}.get(found["verdict"], UNDECIDED_STATUS)


def _plan(arguments: argparse.Namespace) -> "Plan":
    """Raises ValueError: nobody should send that."""
    from scripts.proving.load.live import checked

    if not os.environ.get(SECRET):
        raise ValueError(f"--url needs {SECRET} of that deployment: its memory comes from its metrics")
    return checked(arguments.url, arguments.key, arguments.days, arguments.rate)


def _is_meant(plan: "Plan") -> bool:
    print(plan.asks(), file=sys.stderr)
    return input("Type yes to go on: ").strip() == "yes"


def _live(record: "Record", plan: "Plan", tell: Lines) -> "LiveSoak":
    from scripts.proving.load.texts import recorded
    from scripts.proving.soak.live import LiveSoak

    return LiveSoak(record, plan, os.environ[SECRET], recorded(), tell)


def _asked(arguments: argparse.Namespace) -> tuple[Path, Options]:
    """Return the folder and the options. Raises ValueError: out of bounds."""
    if arguments.url:
        # Its bounds were looked at, and time is what it is.
        options = Options(arguments.seed, arguments.days * DAY_S, arguments.days, arguments.rate, leak_bytes=0)
        return _folder(arguments), options
    for name, low, high in (
        ("seconds", 10, 86_400), ("days", DAYS_MIN, 31), ("rate", 0.1, 200), ("delay_ms", 0, 1_000),
        ("plant_leak", 0, 1_000_000),
    ):  # fmt: skip
        if not low <= getattr(arguments, name) <= high:
            raise ValueError(f"--{name.replace('_', '-')} has to be from {low:g} to {high:,}")
    options = Options(
        seed=arguments.seed, seconds=arguments.seconds, days=arguments.days, rate=arguments.rate,
        delay_s=arguments.delay_ms / 1_000, leak_bytes=arguments.plant_leak,
    )  # fmt: skip
    return _folder(arguments), options


def _folder(arguments: argparse.Namespace) -> Path:
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return Path(arguments.folder or ROOT / ".warmthread" / "soak" / name)
