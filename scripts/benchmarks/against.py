"""
What the operations cost here beside another checkout: `scripts/bench against DIR`.

Each checkout runs in a process of its own, with its own code and its own benchmark of it, over one store, and they take
turns: a pair is the median of a few runs of one and then of the other, the first of them in every second pair the
other. A ratio is the median of the pairs' ratios, here to there, with their quartiles. The rows are those of
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
    parser.add_argument("--pairs", type=int, default=15, help="pairs of turns (15)")
    parser.add_argument("--runs", type=int, default=40, help="timed runs of a turn (40)")
    parser.add_argument("--items", type=int, default=HISTORY_ITEMS, help=f"items of the conversation ({HISTORY_ITEMS})")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has this in it")


def run(arguments: argparse.Namespace) -> int:
    if not (arguments.checkout / "scripts" / "benchmarks").is_dir():
        print(f"{arguments.checkout} is no checkout", file=sys.stderr)
        return 2
    rows = {name: title for name, title in (ROWS | CONTEXT_ROWS).items() if arguments.only in title}
    print(measure(arguments.checkout, rows, arguments.pairs, arguments.runs, arguments.items))
    return 0


def measure(checkout: Path, rows: dict[str, str], pairs: int, runs: int, items: int = HISTORY_ITEMS) -> str:
    """Return *rows* as a Markdown table, but for what *checkout* does not know. Raises ContenderError: one fails."""
    lines = []
    with counted_store() as store, items_file(items) as path:
        for root in (ROOT, checkout.resolve()):
            mint_as(root, store, KEY)
        place, python = Place(0, store.url, store.token, KEY, path), Path(sys.executable)
        with Worker(python, OURS, place, checkout.resolve()) as there, Worker(python, OURS, place) as here:
            known = {*there.open()} & {*here.open()}
            for name, title in rows.items():
                if name not in known:
                    print(f"{title}: not known there", file=sys.stderr, flush=True)
                    continue
                print(title, file=sys.stderr, flush=True)
                lines.append([title, *_row(store, [there, here], name, pairs, runs)])
    return markdown(["operation", "there ms", "here ms", "ratio", "requests, commands", "here"], lines)


def _row(store: CountedStore, workers: Sequence[Worker], name: str, pairs: int, runs: int) -> list[str]:
    medians_ms: list[list[float]] = [[], []]
    costs = [Cost(0, 0), Cost(0, 0)]
    for pair in range(pairs):
        for side in (0, 1) if pair % 2 else (1, 0):
            workers[side].prepare(name, runs)
            before = store.look()
            medians_ms[side].append(statistics.median(workers[side].run().samples_ms))
            spent = store.spent_since(before)
            costs[side] = Cost(costs[side].requests + spent.requests, costs[side].commands + spent.commands)
    counts = [f"{each(cost.requests, pairs * runs)}, {each(cost.commands, pairs * runs)}" for cost in costs]
    there_ms, here_ms = medians_ms
    return [*(f"{statistics.median(each_):.2f}" for each_ in medians_ms), ratio(there_ms, here_ms), *counts]
