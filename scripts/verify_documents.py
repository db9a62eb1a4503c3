"""
Prove that changed documents are seen, or refute it: a document is overwritten behind the service's back while four
instances, each in a process of its own, are read. Exits with 1 when a promise is broken.
"""

import argparse
import sys

from scripts.coherence.documents import Options, experiment
from scripts.local.signals import Stop
from scripts.verify_coherence import SHOWN_MAX, Interrupted, Pulse


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/verify-documents", description=__doc__)
    parser.add_argument("--reads", type=int, default=10_000, help="10000")
    parser.add_argument("--seed", type=int, default=0, help="what the readers do is drawn from it; 0")
    parser.add_argument("--without-notices", action="store_true", help="rely on --fresh-s alone")
    parser.add_argument("--fresh-s", type=int, default=60, help="how long a copy is an answer; 60")
    arguments = parser.parse_args()
    options = Options(arguments.reads, not arguments.without_notices, arguments.fresh_s, arguments.seed)
    try:
        report = experiment(options, Pulse(Stop(), options.reads))
    except Interrupted:
        print("\ninterrupted; nothing was checked", file=sys.stderr)
        return 130
    print(file=sys.stderr)
    versions = len({read.number for read in report.reads})
    for title, value in (
        ("reads", len(report.reads)),
        ("requests told that the source is away", report.refused),
        ("versions written", len(report.writes)),
        ("versions seen", versions),
        ("violations", len(report.violations)),
    ):
        print(f"{title:<44}{value:>12,}")
    for each in report.violations[:SHOWN_MAX]:
        print(f"- {each}")
    return int(bool(report.violations))


if __name__ == "__main__":
    sys.exit(main())
