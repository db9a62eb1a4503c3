"""
What the operations cost here beside another checkout: `scripts/bench against DIR`.

Each checkout runs in a process of its own, with its own code and its own benchmark of it, over one store, and they take
turns: a pair is the median of a few runs of one and then of the other, the first of them in every second pair the
other. A ratio is the median of the pairs' ratios, here to there, with their quartiles, over several starts of both: how
a process came to lie in memory is worth 20 % for as long as it lives. The rows are those of
`scripts/bench store`, and contexts in each format that both know: from memory, and after an append of two items, which
is not timed, but among the requests and commands. For cold starts there is `scripts/bench cold --against DIR`.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.benchmarks.store import HISTORY_ITEMS, KEY, OURS, ROWS, items_file
from scripts.benchmarks.worker import Place, Worker
from scripts.measuring.counted_store import Cost, CountedStore, counted_store
from scripts.measuring.environment import ROOT
from scripts.measuring.served import mint_as
from scripts.measuring.tables import each, markdown, ratio
from shared.context.render import FORMATS

CONTEXT_ROWS = {
    "context, cold": "context, nothing held",
    **{
        f"context, {kind}, {form}": f"context, {title}, as {form}"
        for kind, title in (("max-age", "from memory"), ("fresh", "after an append of 2"))
        for form in FORMATS
    },
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkout", type=Path, metavar="DIR", help="the checkout that is compared with")
    parser.add_argument("--starts", type=int, default=5, help="starts of both (5)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of turns of each start (5)")
    parser.add_argument("--runs", type=int, default=40, help="timed runs of a turn (40)")
    parser.add_argument("--items", type=int, default=HISTORY_ITEMS, help=f"items of the conversation ({HISTORY_ITEMS})")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has this in it")


def run(arguments: argparse.Namespace) -> int:
    if not (arguments.checkout / "scripts" / "benchmarks").is_dir():
        print(f"{arguments.checkout} is no checkout", file=sys.stderr)
        return 2
    rows = {name: title for name, title in (ROWS | CONTEXT_ROWS).items() if arguments.only in title}
    print(measure(arguments.checkout, rows, arguments.starts, arguments.pairs, arguments.runs, arguments.items))
    return 0


class Row:
    """What an operation took, there and here, a median a turn; and what it cost the store."""

    def __init__(self) -> None:
        self.medians_ms: tuple[list[float], list[float]] = ([], [])
        self.costs = [Cost(0, 0), Cost(0, 0)]

    def measure(self, store: CountedStore, workers: Sequence[Worker], name: str, pairs: int, runs: int) -> None:
        for pair in range(pairs):
            for side in (0, 1) if pair % 2 else (1, 0):
                workers[side].prepare(name, runs)
                before = store.look()
                self.medians_ms[side].append(statistics.median(workers[side].run().samples_ms))
                spent, cost = store.spent_since(before), self.costs[side]
                self.costs[side] = Cost(cost.requests + spent.requests, cost.commands + spent.commands)

    def told(self, runs: int) -> list[str]:
        times = runs * len(self.medians_ms[0])
        counts = [f"{each(cost.requests, times)}, {each(cost.commands, times)}" for cost in self.costs]
        return [*(f"{statistics.median(side):.2f}" for side in self.medians_ms), ratio(*self.medians_ms), *counts]


def measure(
    checkout: Path, rows: dict[str, str], starts: int, pairs: int, runs: int, items: int = HISTORY_ITEMS
) -> str:
    """Return *rows* as a Markdown table, but for what *checkout* does not know. Raises ContenderError: one fails."""
    found: dict[str, Row] = {}
    with counted_store() as store, items_file(items) as path:
        for root in (ROOT, checkout.resolve()):
            mint_as(root, store, KEY)
        place, python = Place(0, store.url, store.token, KEY, path), Path(sys.executable)
        for start in range(1, starts + 1):
            with Worker(python, OURS, place, checkout.resolve()) as there, Worker(python, OURS, place) as here:
                known = {*there.open()} & {*here.open()}
                for name, title in rows.items():
                    if name in known:
                        print(f"{start} of {starts}: {title}", file=sys.stderr, flush=True)
                        found.setdefault(name, Row()).measure(store, [there, here], name, pairs, runs)
                    elif start == 1:
                        print(f"{title}: not known there", file=sys.stderr, flush=True)
    lines = [[rows[name], *row.told(runs)] for name, row in found.items()]
    return markdown(["operation", "there ms", "here ms", "ratio", "requests, commands", "here"], lines)
