"""
What parsing JSON costs for each comma, colon and bracket, and for each megabyte: where the guard's limits come from.

A body is refused by its structure before it is parsed, because the parser holds the loop for the whole call. Each shape
here has as many values as the limit admits, or no structure and as many bytes as a body may have; the time includes
giving the memory back.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import orjson

from scripts.measuring.tables import markdown
from shared.config import Settings
from shared.jsonbytes.read import is_crowded, loads
from shared.setting import Secret

DEFAULTS = Settings(store_url="", store_token=Secret(""))
BYTES, STRUCTURE = DEFAULTS.body_bytes_max, DEFAULTS.body_structure_max
RUNS = 7

TEXTS = {
    "ASCII": "a",
    "accents": "é",
    "CJK": "世",
    "emoji": "😀",
    "quotes": '"',
    "backslashes": "\\",
    "control characters": "\x01",
}
"""One string, as large as a body: what it repeats."""

VALUES: dict[str, Callable[[int], str]] = {
    "numbers": lambda _: "1",
    "large numbers": lambda number: str(10**17 + number),
    "long fractions": lambda _: "0." + "1234567890" * 4 + "e-300",
    "short strings": lambda number: f'"s{number}"',
    "lists": lambda _: "[]",
    "objects": lambda _: "{}",
    "objects with a member": lambda number: f'{{"k{number}":1}}',
    "objects in objects": lambda number: f'{{"k{number}":{{}}}}',
    "long names": lambda number: f'{{"{number:080d}":1}}',
}
"""A list of as many as the limit admits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=RUNS, help=f"the fastest of so many counts ({RUNS})")


def run(arguments: argparse.Namespace) -> int:
    print(markdown(["shape", "MB", "structure", "check ms", "parse ms", "in pieces ms"], measure(arguments.runs)))
    return 0


def measure(runs: int) -> list[list[str]]:
    """Return the rows: every shape is admitted."""
    shapes = {f"a string of {name}": _text(text) for name, text in TEXTS.items()}
    shapes |= {f"a list of {name}": _list(make) for name, make in VALUES.items()}
    rows = []
    for name, raw in shapes.items():
        assert not is_crowded(raw, STRUCTURE)
        structure = len(raw) - len(raw.translate(None, b",:[{"))
        times = [_fastest_ms(runs, partial(is_crowded, raw, STRUCTURE))]
        times += [_fastest_ms(runs, partial(read, raw)) for read in (orjson.loads, loads)]
        rows.append([name, f"{len(raw) / 1e6:.1f}", f"{structure:,}", *(f"{ms:.1f}" for ms in times)])
    return rows


def _text(text: str) -> bytes:
    return orjson.dumps([text * ((BYTES - 4) // (len(orjson.dumps(text)) - 2))])


def _list(make: Callable[[int], str]) -> bytes:
    each = make(0)
    count = (STRUCTURE - 1) // (1 + sum(each.count(mark) for mark in ",:[{"))
    return f"[{','.join(map(make, range(count)))}]".encode()


def _fastest_ms(runs: int, function: Callable[[], object]) -> float:
    fastest_s = float("inf")
    for _ in range(runs):
        begin_s = time.perf_counter()
        function()
        fastest_s = min(fastest_s, time.perf_counter() - begin_s)
    return fastest_s * 1000
