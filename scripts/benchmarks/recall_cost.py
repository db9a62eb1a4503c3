"""
What recall takes: contexts with and without it, appends with and without terms, in turns, and the store's own time.
"""

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

from scripts.benchmarks.recall import begun
from scripts.measuring.tables import percentile
from scripts.proving.fleet import Fleet, running_fleet

ROUNDS = 150
TIMEOUT_S = 60
PERCENT = 25


def cost(dialogues: Sequence[dict[str, Any]], sizes: Sequence[int], budget: int) -> int:
    """Print a row for each of *sizes*."""
    head = f"{'turns':>7}{'context ms':>12}{'p95':>7}{'recall ms':>11}{'p95':>7}{'append ms':>11}{'p95':>7}"
    print(f"{head}{'with terms':>12}{'p95':>7}{'script ms':>11}{'recall':>8}{'terms':>8}")
    for size in sizes:
        with running_fleet(1) as on, running_fleet(1, {"WARMTHREAD_RECALL": "off"}) as off:
            print(f"{size:>7,}" + "".join(_row(dialogues, size, budget, on, off)))
    return 0


def _row(dialogues: Sequence[dict[str, Any]], size: int, budget: int, on: Fleet, off: Fleet) -> Iterator[str]:
    clients = [fleet.client(TIMEOUT_S) for fleet in (on, off)]
    turns = itertools.islice(itertools.cycle([turn for dialogue in dialogues for turn in dialogue["turns"]]), size)
    items = [{"role": ("user", "assistant")[at % 2], "content": turn["text"]} for at, turn in enumerate(turns)]
    paths = [begun(http, items) for http in clients]
    questions = itertools.cycle([each["question"] for dialogue in dialogues for each in dialogue["questions"]])
    asked = [(next(questions), number) for number in range(2 * ROUNDS)]
    plain, recalled, scripts = list[float](), list[float](), ([0.0, 0], [0.0, 0])
    for question, number in asked:
        percent = PERCENT * (number % 2)
        query = {"budget": budget, "format": "chat", "recall_budget": percent, "query": question}
        before = _script_us(on)
        begin_s = time.perf_counter()
        clients[0].get(f"{paths[0]}/context", params=query).raise_for_status()
        (recalled if percent else plain).append((time.perf_counter() - begin_s) * 1000)
        used = scripts[number % 2]
        used[0] += _script_us(on) - before
        used[1] += 1
    appends = [list[float](), list[float]()]
    for (question, _), at in zip(asked, itertools.cycle([0, 1]), strict=False):
        begin_s = time.perf_counter()
        body = {"items": [{"role": "user", "content": question}]}
        clients[at].post(f"{paths[at]}/items", json=body).raise_for_status()
        appends[at].append((time.perf_counter() - begin_s) * 1000)
    for width, times in ((12, plain), (11, recalled), (11, appends[1]), (12, appends[0])):
        yield f"{statistics.median(times):>{width}.2f}{percentile(times, 0.95):>7.2f}"
    yield "".join(f"{used / count / 1000:>{width}.2f}" for width, (used, count) in zip((11, 8), scripts, strict=True))
    yield f"{_terms_share(on, paths[0]):>8.0%}"


def _script_us(fleet: Fleet) -> int:
    """Return what the store's scripts took so far, in microseconds."""
    statistics_of = str(fleet.run("INFO", "commandstats"))
    _, _, rest = statistics_of.partition("cmdstat_eval:")
    return int(rest.partition("usec=")[2].partition(",")[0] or 0)


def _terms_share(fleet: Fleet, path: str) -> float:
    """Return the part of the conversation's bytes that its terms take."""
    name = next(key for key in fleet.run("KEYS", f"*conversation:{path.rpartition('/')[2]}"))
    flat = fleet.run("HGETALL", name)
    sizes = {field: len(field) + len(value) for field, value in zip(flat[::2], flat[1::2], strict=True)}
    terms = sum(size for field, size in sizes.items() if field in ("ti", "to", "tq") or field.startswith("t:"))
    return terms / sum(sizes.values())
