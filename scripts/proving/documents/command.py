"""
Prove that changed documents are seen, or refute it: a document is overwritten behind the service's back, with --api
through it, while four instances, each in a process of its own, are read. With --outage-s the object store is away for
so long instead, and contexts have to go on; with --halfway the store refuses one write of about every tenth script.
Exits with 1 when a promise is broken.
"""

import argparse
from functools import partial

from scripts.proving.documents import experiment as documents
from scripts.proving.documents import outage
from scripts.proving.progress import Pulse, verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reads", type=int, default=10_000, help="10000")
    parser.add_argument("--seed", type=int, default=0, help="what the readers do is drawn from it; 0")
    parser.add_argument("--without-notices", action="store_true", help="rely on --fresh-s alone")
    parser.add_argument(
        "--fresh-s", type=int, help="how long a copy is an answer; 60, without notices 2, with --outage-s 1"
    )
    parser.add_argument("--api", action="store_true", help="write through the API, by one instance after the other")
    fault = parser.add_mutually_exclusive_group()
    fault.add_argument("--outage-s", type=float, metavar="S", help="how long the object store is away")
    fault.add_argument("--halfway", action="store_true", help="refuse a write in the middle of some scripts")


def run(arguments: argparse.Namespace) -> int:
    if arguments.outage_s is not None:
        away = outage.Options(arguments.outage_s, seed=arguments.seed)
        return verify(partial(outage.experiment, away), Pulse("second", round(away.outage_s)), read_outage)
    fresh_s = arguments.fresh_s or (2 if arguments.without_notices else 60)
    options = documents.Options(
        arguments.reads, not arguments.without_notices, fresh_s, arguments.seed, arguments.halfway, arguments.api
    )
    return verify(partial(documents.experiment, options), Pulse("read", options.reads), read_changes)


def read_changes(report: documents.Report) -> tuple[list[tuple[str, object]], list[str]]:
    rows: list[tuple[str, object]] = [
        ("reads", len(report.reads)),
        ("requests told that the source is away", report.refused),
        ("versions written", len(report.writes)),
        ("versions seen", len({read.number for read in report.reads})),
        ("scripts ended half-way", report.ended_half_way),
    ]
    return rows, report.violations


def read_outage(report: outage.Report) -> tuple[list[tuple[str, object]], list[str]]:
    return list(report.facts.items()), report.violations
