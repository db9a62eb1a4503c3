"""
Whether it would pay to compress what is stored: milliseconds on the network against milliseconds of the processor.

Upstash speaks JSON, so what is compressed has to travel as base64, a third larger than it is. The network is one of
50 MB/s; a message that fits a packet or two is not faster for being smaller.
"""

import argparse
import base64
import time
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from scripts.benchmarks.payload import history
from scripts.measuring.tables import markdown

BYTES_PER_S = 50e6
LEVEL = 1
ITEMS = (1, 20, 100, 400)
RUNS = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=RUNS, help=f"the fastest of so many counts ({RUNS})")


def run(arguments: argparse.Namespace) -> int:
    header = ["items of a recorded conversation", "bytes", "as base64 of zlib", "network saves ms"]
    print(markdown([*header, "reading costs ms", "writing costs ms"], measure(arguments.runs)))
    return 0


def measure(runs: int) -> list[list[str]]:
    """Return the rows."""
    rows = []
    for count in ITEMS:
        plain = [orjson.dumps(item) for item in history(count)]
        packed = [_pack(body) for body in plain]
        sizes = [len(orjson.dumps([body.decode() for body in bodies])) for bodies in (plain, packed)]
        saved_ms = (sizes[0] - sizes[1]) / BYTES_PER_S * 1000
        reading_ms = _fastest_ms(runs, _unpack, packed)
        writing_ms = _fastest_ms(runs, _pack, plain)
        row = [
            f"{count}",
            *(f"{size:,}" for size in sizes),
            f"{saved_ms:.2f}",
            f"{reading_ms:.2f}",
            f"{writing_ms:.2f}",
        ]
        rows.append(row)
    return rows


def _pack(body: bytes) -> bytes:
    return base64.b64encode(zlib.compress(body, LEVEL))


def _unpack(body: bytes) -> bytes:
    return zlib.decompress(base64.b64decode(body))


def _fastest_ms(runs: int, function: Callable[[bytes], Any], bodies: list[bytes]) -> float:
    fastest_s = float("inf")
    for _ in range(runs):
        begin_s = time.perf_counter()
        for body in bodies:
            function(body)
        fastest_s = min(fastest_s, time.perf_counter() - begin_s)
    return fastest_s * 1000
