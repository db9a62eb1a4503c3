"""
Hold contexts of drawn conversations against promise (h) in every format, and what comes back of dialects against the
law of docs/dialects.md; of recorded ones as well, where a file is given. Exits with 1 when one is broken.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import TimeoutError, get_context  # noqa: A004  # It is no other than the built-in one's name.
from multiprocessing.pool import IMapIterator, Pool
from pathlib import Path
from typing import NamedTuple

from scripts.proving.borders.drawing import SOURCES
from scripts.proving.borders.law import Dialogue, in_each
from scripts.proving.borders.naive import RULES, unreached
from scripts.proving.borders.report import Report, of_drawn, of_recorded
from scripts.proving.contexts.dialogues import DialogueError, read_dialogues
from scripts.proving.contexts.real_tokens import real_count
from scripts.proving.progress import Pulse, verify

CHUNK_LOGS = 250
"""So many are drawn in turn, those of a source from one seed and in one process."""
SHARES = {"items": 0.5}
"""Of the logs, by source; the rest is shared by the others."""
WAIT_S = 0.5


class Options(NamedTuple):
    """What a run does; *dialogues* are recorded."""

    logs: int
    seed: int = 0
    processes: int = 1
    dialogues: tuple[Dialogue, ...] = ()


class Chunk(NamedTuple):
    source: str
    seed: int
    logs: int


def run(arguments: argparse.Namespace) -> int:
    try:
        recorded = [each.messages for path in arguments.dialogues for each in read_dialogues(path)]
    except (DialogueError, OSError) as exc:
        print(f"could not read the conversations: {exc}", file=sys.stderr)
        return 2
    dialogues = tuple(dialogue for messages in recorded for dialogue in in_each(messages))
    options = Options(arguments.logs, arguments.seed, arguments.processes, dialogues)
    return verify(partial(experiment, options), Pulse("log", options.logs), read_report)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dialogues",
        nargs="*",
        type=Path,
        help="JSON lines, each a conversation of Chat Completions messages, which is recorded in each dialect; none",
    )
    parser.add_argument("--logs", type=int, default=20_000, help="how many conversations are drawn; 20000")
    parser.add_argument("--seed", type=int, default=0, help="they are drawn from it; 0")
    parser.add_argument("--processes", type=int, default=2, help="2")


def experiment(options: Options, pulse: Pulse) -> Report:
    """Hold all that *options* say, in processes of their own. Raises Interrupted."""
    report = Report()
    work: list[Chunk | Dialogue] = [*chunks(options), *options.dialogues]
    with _pool(options.processes) as pool:  # Which ends them at once.
        parts = pool.imap_unordered(_hold, work)
        for _ in work:
            part = _next(parts, partial(pulse, report.logs))
            for found in part.broken.keys() - report.broken.keys():
                print(f"\nfound: {found.context_format}: {found.kind} {found.what}", file=sys.stderr)
            report.merge(part)
    return report


def _next(parts: "IMapIterator[Report]", meanwhile: Callable[[], None]) -> Report:
    while True:
        meanwhile()
        try:
            return parts.next(WAIT_S)
        except TimeoutError:
            continue


def chunks(options: Options) -> Iterator[Chunk]:
    """Yield what is drawn, each part from a seed of its own, the sources in turn."""
    others = [name for name in SOURCES if name not in SHARES]
    shares = {name: SHARES.get(name, (1 - sum(SHARES.values())) / len(others)) for name in SOURCES}
    left = {name: round(options.logs * share) for name, share in shares.items()}
    from_seed = options.seed * 1_000_000
    while any(left.values()):
        for source, logs in left.items():
            some = min(logs, max(1, round(CHUNK_LOGS * shares[source])))
            if some:
                yield Chunk(source, from_seed, some)
                from_seed += 1
            left[source] -= some


def _hold(work: Chunk | Dialogue) -> Report:
    if isinstance(work, Dialogue):
        return of_recorded([work], real_count)
    return of_drawn(work.source, work.seed, work.logs, real_count)


def _pool(processes: int) -> Pool:
    """Return processes that leave Ctrl-C, which is sent to all of them, to this one."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return get_context("spawn").Pool(processes)
    finally:
        signal.signal(signal.SIGINT, before)


def read_report(report: Report) -> tuple[list[tuple[str, object]], list[str]]:
    rows: list[tuple[str, object]] = [
        ("logs, each in every format", report.logs),
        ("of them held against the law", report.dialogues),
    ]
    for context_format in RULES:
        missed = unreached(report.reached, context_format)
        checks = sum(context_format == each for each, _ in report.reached)
        rows.append((f"rules of {context_format} put to the test", f"{checks} of {checks + len(missed)}"))
        rows += [(f"- not: {name}", "") for name in missed]
    return rows, report.violations
