"""
Zero downtime: four instances under load are rolled to a second deployment by share, then one by one to a third.

No request may be refused, lost or done twice: each is answered once, with less than 500, and each answer has its one
line in a function's log. Instances that get no more requests end after those that they have. Histories, books and
documents are checked as in `scripts/prove chaos`. Exits with 1 when a promise is broken, or when nothing was under way
with an instance that went. It takes --seconds and 20 s about, ends by itself, and at Ctrl-C.
"""

import argparse
import sys
from pathlib import Path

from scripts.proving.load.facts import facts
from scripts.proving.progress import Interrupted, Pulse
from scripts.proving.rolling.plan import INSTANCES_MAX, INSTANCES_MIN

SECONDS_MIN, SECONDS_MAX = 5.0, 3_600.0
ENDS_IN_ORDER = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--instances", type=int, default=4, help="of each function and deployment (4)")
    parser.add_argument("--seed", type=int, default=1, help="callers, and who is asked, are drawn from it (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")


def run(arguments: argparse.Namespace) -> int:
    # Importing all of it takes a while, in which a signal is noted already.
    from scripts.proving.releases.result import or_wrong, wrong

    if not SECONDS_MIN <= arguments.seconds <= SECONDS_MAX:
        return wrong(f"--seconds is {arguments.seconds:g}; it is {SECONDS_MIN:g} to {SECONDS_MAX:g}")
    if not INSTANCES_MIN <= arguments.instances <= INSTANCES_MAX:
        return wrong(f"--instances is {arguments.instances}; it is {INSTANCES_MIN} to {INSTANCES_MAX}")
    return or_wrong(lambda: _prove(arguments))


def _prove(arguments: argparse.Namespace) -> int:
    from scripts.proving.releases.result import told
    from scripts.proving.rolling.experiment import Options, Report, experiment

    pulse, began = Pulse("second", round(arguments.seconds)), facts()
    try:
        report = experiment(Options(arguments.seed, arguments.seconds, arguments.instances), pulse)
    except Interrupted:  # Before there was anything to check.
        report = Report(is_whole=False, checked={}, broken=[])
    print(file=sys.stderr)
    known = {"what": "rolling", "seed": arguments.seed, "seconds": arguments.seconds, **began}
    known |= {"instances": arguments.instances}
    return told(arguments.json, known, report.checked, report.broken, is_whole=report.is_whole)
