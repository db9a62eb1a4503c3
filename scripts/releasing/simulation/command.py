"""
How good the judge of canaries is: simulated releases of each kind, good and bad, until each is released or rolled back.

Prints how often each kind was rolled back, released or held, after how long, and by which checks; ends with 1 where a
kind that the judge is made for comes out wrong too often. All 1,000 of each take half an hour on two cores, --short a
minute on one. Ctrl-C ends it; what was simulated until then is shown, and says that it is not all.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scripts.local.signals import INTERRUPTED, Stop
from scripts.proving.ending import write_json
from scripts.proving.progress import Lines

if TYPE_CHECKING:
    from scripts.releasing.policy import Policy
    from scripts.releasing.simulation.release import End

ENDS_IN_ORDER = True
WRONG_ARGUMENTS = 3
"""What scripts/canary ends with where it could not do what it was asked for."""

BATCH = 5
"""Releases that a process simulates before it says so: seconds."""

RELEASES_MAX, RATE_MAX, PROCESSES_MAX = 100_000, 500.0, 64
SHORT_RELEASES, SHORT_RATES = 20, (50.0,)


class Batch(NamedTuple):
    """Releases number *first* to *last*, not with it, of a kind at a rate."""

    kind: str
    rate: float
    first: int
    last: int
    seed: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from scripts.releasing.simulation.kinds import KINDS

    aimed = ", ".join(name for name, kind in KINDS.items() if kind.is_aimed_at)
    others = ", ".join(name for name, kind in KINDS.items() if not kind.is_aimed_at)
    parser.add_argument(
        "--kinds",
        nargs="+",
        metavar="KIND",
        help=f"those that the judge is made for: {aimed}; others: {others}; or all",
    )
    parser.add_argument("--releases", type=int, default=1_000, help="of each kind, over all rates (1000)")
    parser.add_argument("--rates", type=float, nargs="+", default=[2, 10, 50], help="requests a second (2 10 50)")
    parser.add_argument(
        "--short", action="store_true", help=f"{SHORT_RELEASES} of each kind that it is made for, at 50 a second"
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help="the judge's settings, as JSON")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn is drawn from it (1)")
    parser.add_argument("--processes", type=int, default=1, help="that simulate side by side (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write how each release ended there")


def run(arguments: argparse.Namespace) -> int:
    from scripts.releasing.policy import Policy

    try:
        policy = Policy.read(arguments.policy) if arguments.policy else Policy()
        batches = list(_batches(arguments))
    except ValueError as error:
        print(error, file=sys.stderr)
        return WRONG_ARGUMENTS
    stop = Stop()
    try:
        return _run(batches, policy, arguments, stop)
    finally:
        stop.undo()


def _run(batches: "list[Batch]", policy: "Policy", arguments: argparse.Namespace, stop: Stop) -> int:
    from scripts.releasing.simulation.report import document, missed, table

    ends: dict[tuple[str, float], list[End]] = {}
    total, done, tell = sum(each.last - each.first for each in batches), 0, Lines("releases")
    for batch, found in _simulated(batches, policy, arguments.processes, stop):
        ends.setdefault((batch.kind, batch.rate), []).extend(found)
        done += len(found)
        tell("simulated", done, total)
    print(file=sys.stderr)
    print(table(ends))
    write_json(arguments.json, document(ends, arguments.seed, partial=done < total))
    if done < total:
        print(f"interrupted after {done:,} of {total:,} releases", file=sys.stderr)
        return INTERRUPTED
    wrong = missed(ends)
    for each in wrong:
        print(f"- {each}")
    return int(bool(wrong))


def _batches(arguments: argparse.Namespace) -> Iterator[Batch]:
    """Yield what is to be simulated. Raises ValueError: out of bounds."""
    from scripts.releasing.simulation.kinds import KINDS

    made_for = [name for name, kind in KINDS.items() if kind.is_aimed_at]
    kinds = list(KINDS) if arguments.kinds == ["all"] else arguments.kinds or made_for
    if unknown := [name for name in kinds if name not in KINDS]:
        raise ValueError(f"there is no kind {unknown[0]!r}; there are: {', '.join(KINDS)}")
    rates = SHORT_RATES if arguments.short else arguments.rates
    releases = SHORT_RELEASES if arguments.short else arguments.releases
    if not len(rates) <= releases <= RELEASES_MAX:
        raise ValueError(f"--releases has to be from {len(rates)} (one for each rate) to {RELEASES_MAX:,}")
    if not all(0.1 <= rate <= RATE_MAX for rate in rates):
        raise ValueError(f"--rates have to be from 0.1 to {RATE_MAX:g}")
    if not 1 <= arguments.processes <= PROCESSES_MAX:
        raise ValueError(f"--processes has to be from 1 to {PROCESSES_MAX}")
    counts = {rate: releases // len(rates) + (at < releases % len(rates)) for at, rate in enumerate(rates)}
    # All kinds and rates in turn, so that what is interrupted has some of each.
    for first in range(0, max(counts.values()), BATCH):
        for kind in kinds:
            for rate, count in counts.items():
                if first < count:
                    yield Batch(kind, rate, first, min(count, first + BATCH), arguments.seed)


def _simulated(
    batches: Sequence[Batch], policy: "Policy", processes: int, stop: Stop
) -> Iterator[tuple[Batch, "list[End]"]]:
    """Yield how the releases of each batch ended, as they do, until *stop*."""
    if processes == 1:
        for batch in batches:
            if stop.requested:
                return
            yield batch, _simulate(batch, policy)
        return
    left = iter(batches)
    with ProcessPoolExecutor(processes, initializer=_leave_signals) as pool:
        running: dict[Future[list[End]], Batch] = {}
        while True:
            wanted = 0 if stop.requested else 2 * processes - len(running)
            running |= {pool.submit(_simulate, batch, policy): batch for batch in islice(left, wanted)}
            if not running:
                return
            for each in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(each), each.result()


def _simulate(batch: Batch, policy: "Policy") -> "list[End]":
    from scripts.releasing.simulation.kinds import KINDS
    from scripts.releasing.simulation.release import simulate

    kind, rate = list(KINDS).index(batch.kind), round(batch.rate * 1_000)
    return [
        simulate(KINDS[batch.kind], batch.rate, (batch.seed, kind, rate, number), policy)
        for number in range(batch.first, batch.last)
    ]


def _leave_signals() -> None:
    """Let who started this process end it: a signal from the terminal comes to all of them."""
    import signal

    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
