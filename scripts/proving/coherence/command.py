"""
Prove coherence, or refute it: two writers and two readers on one conversation, each at an instance in a process of
its own, every operation recorded and the history checked. Exits with 1 when a promise is broken.
"""

import argparse
import sys
from functools import partial

from scripts.proving.changes import CLUSTER, HELP, HTTP, STORES
from scripts.proving.coherence.experiment import Report, experiment
from scripts.proving.coherence.run import Options
from scripts.proving.history.checker import kinds
from scripts.proving.progress import Pulse, verify


def run(arguments: argparse.Namespace) -> int:
    own = {name: value for name, value in vars(arguments).items() if name in Options._fields}
    options = Options(**own)
    if options.store == CLUSTER and (options.rollback or options.halfway):
        print("--rollback and --halfway are of a store that speaks HTTP", file=sys.stderr)
        return 2
    return verify(partial(experiment, options), Pulse("operation", options.operations), read_report)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--operations", type=int, default=10_000, help="10000")
    parser.add_argument("--seed", type=int, default=0, help="what the callers do is drawn from it; 0")
    parser.add_argument("--kill", action="store_true", help="kill the writers' instances with -9, four times")
    parser.add_argument("--idempotency", action="store_true", help="lose answers; send again with Idempotency-Key")
    parser.add_argument("--retries", action="store_true", help="lose answers; send again as OpenAI's clients do")
    parser.add_argument("--rollback", action="store_true", help="set the store back to a snapshot, twice")
    parser.add_argument("--halfway", action="store_true", help="refuse a write in the middle of some scripts")
    parser.add_argument("--store", choices=STORES, default=HTTP, help=HELP)
    parser.add_argument("--suspend-s", type=float, default=0, metavar="S", help="stop a reader's instance for so long")


def read_report(report: Report) -> tuple[list[tuple[str, object]], list[str]]:
    rows: list[tuple[str, object]] = [
        ("operations", report.operations),
        ("seconds", f"{report.seconds:.1f}"),
        ("operations per second", f"{report.operations / report.seconds:.0f}"),
        *sorted(report.outcomes.items()),
        *report.facts.items(),
        *((f"violations: {kind}", count) for kind, count in kinds(report.violations).most_common()),
    ]
    return rows, report.violations
