"""
Every fault that we know how to cause, over a fleet under load: its histories are checked, and its recoveries timed.

Stores that are away, slow, torn, wrong, full, that evict or end scripts half-way; instances that are killed or stopped,
clocks that are off, two releases at once, an object store that is away, requests that are delivered twice. Nothing that
was acknowledged may be lost or doubled, no default read stale, no budget overspent, no answer a 500. Exits with 1 when
a promise is broken. With --store cluster, servers of a Valkey cluster die, fall silent and hand over slots instead of
what an HTTP store has of faults. With --plant something is damaged on purpose, and has to be found. Ctrl-C ends it;
what can be checked then is.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import orjson

from scripts.local.signals import INTERRUPTED
from scripts.proving.changes import HELP, HTTP, STORES
from scripts.proving.chaos import schedule
from scripts.proving.load.facts import facts
from scripts.proving.progress import Interrupted, Pulse, listed

PLANTS = ("lost", "doubled", "stale", "overrun")
SECONDS_MIN = 10.0
WRONG_ARGUMENTS = 2
ENDS_IN_ORDER = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=300, help="how long; in 60 each fault comes once (300)")
    parser.add_argument("--seed", type=int, default=1, help="faults and callers are drawn from it (1)")
    parser.add_argument("--print-schedule", action="store_true", help="only say which faults come when")
    parser.add_argument("--plant", choices=PLANTS, default="", help="damage this, which has to be found")
    parser.add_argument("--store", choices=STORES, default=HTTP, help=HELP)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")


def run(arguments: argparse.Namespace) -> int:
    if arguments.seconds < SECONDS_MIN:
        print(f"--seconds is {arguments.seconds:g}; it is at least {SECONDS_MIN:g}", file=sys.stderr)
        return WRONG_ARGUMENTS
    if arguments.print_schedule:
        print("\n".join(schedule.lines(arguments.seed, arguments.seconds, schedule.lanes_of(arguments.store))))
        return 0
    pulse, began = Pulse("second", round(arguments.seconds)), facts()
    # Importing all of it takes a while, in which a signal is noted already.
    from scripts.proving.chaos.experiment import Options, Report, experiment

    try:
        report = experiment(Options(arguments.seed, arguments.seconds, arguments.plant, arguments.store), pulse)
    except Interrupted:  # Before there was anything to check.
        report = Report(is_whole=False, windows=[], checked={}, broken=[])
    print(file=sys.stderr)
    document = {
        "what": "chaos",
        "seed": arguments.seed,
        "seconds": arguments.seconds,
        **began,
        "partial": not report.is_whole,
        "plant": arguments.plant or None,
        "store": arguments.store,
        "windows": report.windows,
        "checked": report.checked,
        "broken": report.broken,
    }
    if arguments.json is not None:
        arguments.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    print(show(document))
    if report.broken:
        return 1
    return 0 if report.is_whole else INTERRUPTED


def show(document: dict[str, Any]) -> str:
    """Return a result for people to read."""
    lines = [f"{'fault':<46}{'begin s':>9}{'end s':>9}{'requests':>10}{'refused':>9}{'right after s':>15}"]
    for each in document["windows"]:
        recovered = "-" if each["recovery_s"] is None else f"{each['recovery_s']:.2f}"
        lines.append(
            f"{each['kind']:<46}{each['begin_s']:>9.1f}{each['end_s']:>9.1f}{each['requests']:>10}"
            f"{each['refused']:>9}{recovered:>15}"
        )
    for name, value in document["checked"].items():
        told = ", ".join(f"{key}: {count}" for key, count in value.items()) if isinstance(value, dict) else value
        lines.append(f"{name.replace('_', ' '):<28}{told}")
    broken = document["broken"]
    lines.append(f"{'broken':<28}{len(broken)}")
    lines += listed(broken)
    if document["partial"]:
        lines.append("interrupted: what needs an end was not checked")
    return "\n".join(lines)
