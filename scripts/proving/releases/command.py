"""
Two releases on one store under load: an older one, taken from this repository's history, and this one.

Each request goes to one of the two, drawn: so each goes on with what the other wrote, repeats what the other did by its
Idempotency-Key, and sweeps behind both. Histories, books, documents and answers are checked as in `scripts/prove
chaos`, and the items of both are held against each other. Exits with 1 when a promise is broken, or when one of the two
read nothing of the other. With --plant something is damaged on purpose, and has to be found. It takes --seconds and 15
s about, ends by itself, and at Ctrl-C.
"""

import argparse
import sys
from pathlib import Path

from scripts.proving.load.facts import facts
from scripts.proving.progress import Interrupted, Pulse

PLANTS = ("lost", "doubled")
SECONDS_MIN, SECONDS_MAX = 10.0, 3_600.0
ENDS_IN_ORDER = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--old", metavar="REF", help="a tag or a commit (the newest tag; while there is none, the oldest that can)"
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=1, help="callers, and who is asked, are drawn from it (1)")
    parser.add_argument("--plant", choices=PLANTS, default="", help="damage this, which has to be found")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")


def run(arguments: argparse.Namespace) -> int:
    # Importing all of it takes a while, in which a signal is noted already.
    from scripts.proving.releases.result import or_wrong, wrong

    if not SECONDS_MIN <= arguments.seconds <= SECONDS_MAX:
        return wrong(f"--seconds is {arguments.seconds:g}; it is {SECONDS_MIN:g} to {SECONDS_MAX:g}")
    return or_wrong(lambda: _prove(arguments))


def _prove(arguments: argparse.Namespace) -> int:
    from scripts.proving.releases.experiment import Options, Report, experiment
    from scripts.proving.releases.release import checked_out, default_ref
    from scripts.proving.releases.result import told

    pulse, began = Pulse("second", round(arguments.seconds)), facts()
    ref, commit = arguments.old or default_ref(), ""
    try:
        with checked_out(ref, lambda: pulse(0)) as release:
            print(f"{ref} is {release.commit[:12]}; it serves beside this release", file=sys.stderr)
            commit = release.commit
            report = experiment(release, Options(arguments.seed, arguments.seconds, arguments.plant), pulse)
    except Interrupted:  # Before there was anything to check.
        report = Report(is_whole=False, checked={}, broken=[])
    print(file=sys.stderr)
    known = {"what": "releases", "old": ref, "old_commit": commit[:12], "seed": arguments.seed}
    known |= {"seconds": arguments.seconds, "plant": arguments.plant or None, **began}
    return told(arguments.json, known, report.checked, report.broken, is_whole=report.is_whole)
