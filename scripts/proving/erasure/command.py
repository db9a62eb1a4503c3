"""
Erase a user whose canary texts stand in every field there is, while four instances serve them, and search for them: in
the file of the store, in every answer, in the instances' logs. Exits with 1 when a byte of them is found.
"""

import argparse
import sys

from scripts.proving.erasure.experiment import PLANTS, experiment
from scripts.proving.progress import listed

WORK_S_MAX = 2.0
"""For 1,000 conversations: the sum of what the calls of the erasure take."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conversations", type=int, default=1_000, metavar="N", help="of the user (1,000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="what readers draw from (0)")
    parser.add_argument("--plant", choices=PLANTS, default="", help="leave something, which has to be found")


def run(arguments: argparse.Namespace) -> int:
    try:
        plants = [arguments.plant] if arguments.plant else []
        report = experiment(arguments.conversations, plants, arguments.seed)
    except RuntimeError as error:
        print(f"could not prove anything: {error}", file=sys.stderr)
        return 2
    violations = list(report.violations)
    allowed_s = WORK_S_MAX * max(1.0, arguments.conversations / 1_000)
    if report.work_s > allowed_s:
        violations.append(f"the calls took {report.work_s:.2f} s of work; {allowed_s:.2f} s are allowed")
    for title, value in [*report.rows, ("violations", len(violations))]:
        print(f"{title:<44}{f'{value:,}' if isinstance(value, int) else value:>12}")
    print(f"work of all calls {report.work_s:.2f} s, from the first to the receipt {report.took_s:.0f} s")
    for line in listed(violations):
        print(line)
    return int(bool(violations))
