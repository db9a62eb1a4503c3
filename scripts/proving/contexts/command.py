"""
Hold contexts of recorded dialogues against the promises of docs/contexts.md: every prefix that ends before a model
call, every budget, every format. With `--recall-budget`, against those of docs/recall.md, as two instances answer.
Exits with 1 when one is broken.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.proving.contexts.dialogues import Dialogue, DialogueError, read_dialogues
from scripts.proving.contexts.real_tokens import real_count
from scripts.proving.contexts.survey import Survey, survey

ROOT = Path(__file__).parents[3]

PROMISES = [
    "over budget",
    "miscounted",
    "orphan output",
    "output away from its call",
    "unanswered before the tail",
    "head kept",
    "newest user message kept",
    "starts with a user message",
    "refused by its provider",
    "explained wrongly",
]


def run(arguments: argparse.Namespace) -> int:
    try:
        dialogues = [dialogue for path in arguments.dialogues for dialogue in read_dialogues(path)]
    except (DialogueError, OSError) as exc:
        print(f"could not read the conversations: {exc}", file=sys.stderr)
        return 2
    if arguments.recall_budget:
        return _run_recalling(dialogues, arguments.budgets, arguments.recall_budget)
    surveys = [Survey(budget) for budget in arguments.budgets]
    for number, dialogue in enumerate(dialogues, start=1):
        print(f"\rdialogue {number} of {len(dialogues)}", end="", file=sys.stderr, flush=True)
        parts = survey([dialogue], arguments.budgets, real_count, short_results=arguments.tool_results == "short")
        for total, part in zip(surveys, parts, strict=True):
            total.merge(part)
    print(file=sys.stderr)
    print_table(surveys)
    return int(any(each.broken.total() or each.refused_wrongly or each.short for each in surveys))


def _run_recalling(dialogues: Sequence[Dialogue], budgets: Sequence[int], percent: int) -> int:
    from scripts.proving.contexts import recalling
    from scripts.proving.fleet import running_fleet

    surveys: list[list[recalling.Recalls]] = []
    with running_fleet(2) as fleet, fleet.client() as appending, fleet.client(number=1) as other:
        for found in recalling.survey([appending, other], dialogues, budgets, percent):
            surveys.append(found)
            print(f"\rdialogue {len(surveys)} of {len(dialogues)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    _print_rows(budgets, recalling.rows_of(surveys))
    print("0 is wanted in each row of broken promises.")
    return int(recalling.is_broken(surveys))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dialogues",
        nargs="*",
        type=Path,
        default=[ROOT / "tests/data/tau_airline_12.jsonl", ROOT / "tests/data/swe_agent_marshmallow_1867.jsonl"],
        help="JSON lines, each a conversation: a list of Chat Completions messages, or an object with `messages`; "
        "the shipped ones if none is given",
    )
    parser.add_argument(
        "--budgets", nargs="+", type=int, default=[1500, 3000, 8000], metavar="TOKENS", help="1500 3000 8000"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--tool-results", choices=["whole", "short"], default="whole", help="how results are shown (whole)"
    )
    shown.add_argument(
        "--recall-budget",
        type=int,
        default=0,
        choices=range(76),
        metavar="PERCENT",
        help="what may be recalled, of the budget (0)",
    )


def print_table(surveys: list[Survey]) -> None:
    rows: list[tuple[str, list[object]]] = [
        ("prefixes before a model call", [each.prefixes for each in surveys]),
        ("of them over the budget", [each.over for each in surveys]),
        *_broken_rows(surveys),
        ("does not fit (422)", [f"{each.refused / max(1, each.prefixes):.1%}" for each in surveys]),
        ("422 although it would fit", [each.refused_wrongly for each in surveys]),
        ("next older unit would have fitted", [each.short for each in surveys]),
        ("mean fill of those over the budget", [f"{each.fill:.1%}" for each in surveys]),
        (
            "tokens shown of the conversations",
            [f"{each.shown_tokens / max(1, each.whole_tokens):.1%}" for each in surveys],
        ),
        ("lowest fill of those over the budget", [f"{min(each.fills, default=1):.1%}" for each in surveys]),
    ]
    _print_rows([each.budget for each in surveys], rows)
    print("Renderings are counted in every format; 0 is wanted in each row of broken promises.")


def _print_rows(budgets: Sequence[int], rows: Sequence[tuple[str, list[object]]]) -> None:
    print(f"{'budget':<38}" + "".join(f"{budget:>10,}" for budget in budgets))
    for title, cells in rows:
        print(f"{title:<38}" + "".join(f"{cell:>10}" for cell in cells))


def _broken_rows(surveys: list[Survey]) -> list[tuple[str, list[object]]]:
    return [(f"broken: {name}", [each.broken[name] for each in surveys]) for name in PROMISES]
