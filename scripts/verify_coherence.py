"""
Prove coherence, or refute it: two writers and two readers on one conversation, each at an instance in a process of
its own, every operation recorded and the history checked. Exits with 1 when a promise is broken.
"""

import argparse
import sys
import time

from scripts.coherence.experiment import Report, experiment
from scripts.coherence.run import Options
from scripts.local.signals import Stop
from tests.history import kinds

SHOWN_MAX = 10
PROGRESS_EVERY_S = 0.5


class Interrupted(Exception):
    """The run was asked to end; nothing was checked."""


class Pulse:
    """Prints how far a run is, and ends it when that is wished."""

    def __init__(self, stop: Stop, operations: int) -> None:
        self._stop = stop
        self._operations = operations
        self._printed_at_s = 0.0

    def __call__(self, begun: int) -> None:
        if self._stop.requested:
            raise Interrupted
        if time.monotonic() - self._printed_at_s > PROGRESS_EVERY_S:
            self._printed_at_s = time.monotonic()
            print(f"\roperation {begun:,} of {self._operations:,}", end="", file=sys.stderr, flush=True)


def main() -> int:
    options = read_options()
    try:
        report = experiment(options, Pulse(Stop(), options.operations))
    except Interrupted:
        print("\ninterrupted; nothing was checked", file=sys.stderr)
        return 130
    print(file=sys.stderr)
    print_report(report)
    return int(bool(report.violations))


def read_options() -> Options:
    parser = argparse.ArgumentParser(prog="scripts/verify-coherence", description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000, help="10000")
    parser.add_argument("--seed", type=int, default=0, help="what the callers do is drawn from it; 0")
    parser.add_argument("--kill", action="store_true", help="kill the writers' instances with -9, four times")
    parser.add_argument("--idempotency", action="store_true", help="lose answers; send again with Idempotency-Key")
    parser.add_argument("--retries", action="store_true", help="lose answers; send again as OpenAI's clients do")
    parser.add_argument("--rollback", action="store_true", help="set the store back to a snapshot, twice")
    parser.add_argument("--suspend-s", type=float, default=0, metavar="S", help="stop a reader's instance for so long")
    return Options(**vars(parser.parse_args()))


def print_report(report: Report) -> None:
    rows: list[tuple[str, object]] = [
        ("operations", f"{report.operations:,}"),
        ("seconds", f"{report.seconds:.1f}"),
        ("operations per second", f"{report.operations / report.seconds:.0f}"),
        *((name, f"{count:,}") for name, count in sorted(report.outcomes.items())),
        *report.facts.items(),
        ("violations", len(report.violations)),
        *((f"  {kind}", count) for kind, count in kinds(report.violations).most_common()),
    ]
    for title, value in rows:
        print(f"{title:<44}{value:>12}")
    for each in report.violations[:SHOWN_MAX]:
        print(f"- {each}")
    if len(report.violations) > SHOWN_MAX:
        print(f"- and {len(report.violations) - SHOWN_MAX} more")


if __name__ == "__main__":
    sys.exit(main())
