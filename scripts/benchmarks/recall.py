"""
How much of what answers a question stands in a context, over HTTP, labels and all counted.

Each dialogue is a conversation of one instance; each of its questions is appended as the newest user message, asked for
at each budget, and deleted again. What is told is the mean, over the questions, of the share of their gold turns whose
text stands in the answer: with the newest turns alone, and with `recall_budget`. A file is JSON, {id, speakers, turns:
[{id, speaker, text, session, at}], questions: [{question, gold: [ids], category}]}.

`--tools`: a made agent with tools instead, whose results of 200 calls ago are asked for in other words; told is how
often the answer stands in the context, by kind (recall_tools.py). `--beside`: also what others retrieve, in this
process (recall_peers.py). `--cost 600 20000`: what it takes instead, for conversations of so many turns, made of those
of the files: a context with and without recall, each time for another question, an append with and without terms, and
the store's own time.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from scripts.measuring import environment

BATCH, SEEDS = 100, 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dialogues", nargs="*", type=Path, help="files of a dialogue each")
    parser.add_argument("--budgets", nargs="+", type=int, default=[2000, 4000, 8000], metavar="TOKENS")
    parser.add_argument("--recall-budget", type=int, default=75, metavar="PERCENT", help="of the budget (75)")
    parser.add_argument("--questions", type=int, default=0, metavar="N", help="of each dialogue (all)")
    parser.add_argument("--tools", action="store_true", help="a made agent with tools, in the place of dialogues")
    parser.add_argument("--beside", action="store_true", help="plain BM25 and small embeddings as well")
    parser.add_argument("--cost", nargs="+", type=int, default=[], metavar="TURNS", help="measure what it takes")


def run(arguments: argparse.Namespace) -> int:
    if not arguments.tools and not arguments.dialogues:
        print("give files of dialogues, or --tools", file=sys.stderr)
        return 2
    if arguments.tools:
        return run_tools(arguments)
    from scripts.proving.fleet import running_fleet

    dialogues = [json.loads(path.read_text()) for path in arguments.dialogues]
    if arguments.cost:
        from scripts.benchmarks.recall_cost import cost

        return cost(dialogues, arguments.cost, arguments.budgets[0])
    shares = {
        percent: {budget: list[float]() for budget in arguments.budgets} for percent in (0, arguments.recall_budget)
    }
    with running_fleet(1) as fleet, fleet.client() as http:
        for dialogue in dialogues:
            for percent, budget, share in ask(http, dialogue, arguments):
                shares[percent][budget].append(share)
    print(f"{'':<30}" + "".join(f"{budget:>8,}" for budget in arguments.budgets))
    for percent, by_budget in shares.items():
        title = f"recall_budget={percent}" if percent else "the newest turns alone"
        _tell(title, [statistics.mean(each) for each in by_budget.values()])
    if arguments.beside:
        told = [*map(str, arguments.dialogues), "--recall-budget", str(arguments.recall_budget)]
        budgets = ["--budgets", *map(str, arguments.budgets)]
        command = [
            str(environment.prepare(environment.RECALL)),
            "-m",
            "scripts.benchmarks.recall_peers",
            *told,
            *budgets,
        ]
        return subprocess.run(command, check=False).returncode
    return 0


def _tell(title: str, shares: Sequence[float]) -> None:
    print(f"{title:<30}" + "".join(f"{share:>8.1%}" for share in shares), flush=True)


def run_tools(arguments: argparse.Namespace) -> int:
    """Ask for each fact of the made conversations, and tell how often its answer stood in the context."""
    from scripts.benchmarks.recall_tools import conversation, facts
    from scripts.proving.fleet import running_fleet

    told = facts()
    found: dict[tuple[str, int, int], list[bool]] = {}
    with running_fleet(1) as fleet, fleet.client() as http:
        for seed in range(SEEDS):
            path = begun(http, conversation(seed))
            for number, fact in enumerate(told):
                for percent, budget, said in asked(http, path, number, fact.question, arguments):
                    found.setdefault((fact.kind, percent, budget), []).append(fact.answer in said)
    print(f"{'':<30}" + "".join(f"{budget:>8,}" for budget in arguments.budgets))
    for percent, kind in itertools.product((0, arguments.recall_budget), dict.fromkeys(each.kind for each in told)):
        title = f"{kind}, recall_budget={percent}" if percent else f"{kind}, newest alone"
        _tell(title, [statistics.mean(found[kind, percent, budget]) for budget in arguments.budgets])
    return 0


def ask(
    http: httpx.Client, dialogue: dict[str, Any], arguments: argparse.Namespace
) -> Iterator[tuple[int, int, float]]:
    """Yield, for each question, percent and budget, the share of its gold turns that stand in the context."""
    first = dialogue["speakers"][0]
    turns = {turn["id"]: turn["text"] for turn in dialogue["turns"]}
    items = [
        {"role": "user" if turn["speaker"] == first else "assistant", "name": turn["speaker"], "content": turn["text"]}
        for turn in dialogue["turns"]
    ]
    path = begun(http, items)
    questions = [each for each in dialogue["questions"] if any(name in turns for name in each["gold"])]
    questions = questions[: arguments.questions or len(questions)]
    for number, each in enumerate(questions, 1):
        print(
            f"\rdialogue {dialogue['id']}: question {number} of {len(questions)}", end="", file=sys.stderr, flush=True
        )
        gold = [turns[name] for name in each["gold"] if name in turns]
        for percent, budget, said in asked(http, path, number, each["question"], arguments):
            yield percent, budget, sum(text.strip() in said for text in gold) / len(gold)
    print(file=sys.stderr)


def begun(http: httpx.Client, items: Sequence[dict[str, Any]]) -> str:
    """Make a conversation of *items*, and return its path."""
    path = f"/v1/conversations/{http.post('/v1/conversations', json={}).raise_for_status().json()['id']}"
    for at in range(0, len(items), BATCH):
        some = items[at : at + BATCH]
        http.post(f"{path}/items", json={"items": some}).raise_for_status()
        print(f"\r{at + len(some):,} of {len(items):,} items", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return path


def asked(
    http: httpx.Client, path: str, number: int, question: str, arguments: argparse.Namespace
) -> Iterator[tuple[int, int, str]]:
    """Append *question*, yield with percent and budget what stands before it in the context, and delete it."""
    item = {"id": f"msg_question_{number}", "role": "user", "content": question}
    http.post(f"{path}/items", json={"items": [item]}).raise_for_status()
    for percent, budget in itertools.product((0, arguments.recall_budget), arguments.budgets):
        wanted = {"budget": budget, "format": "chat", "recall_budget": percent}
        answer = http.get(f"{path}/context", params=wanted).raise_for_status()
        yield percent, budget, "\n".join(texts_of(answer.json()["messages"][:-1]))
    http.delete(f"{path}/items/{item['id']}").raise_for_status()


def texts_of(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what *messages* of Chat Completions say."""
    for message in messages:
        content = message["content"] or ""
        yield from [content] if isinstance(content, str) else (part["text"] for part in content)
