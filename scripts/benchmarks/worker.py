"""
A process for each contender, so that libraries that exclude each other can be measured in one run.

    Worker(…).measure("append", 50)  ->  prepare: 50 runs and a few more, which warm up and are not counted
                                         run: each is timed alone, one after the other

The two speak lines of JSON over a pipe. Only one worker runs at a time. A contender that fails ends its process; the
last line that it wrote says why.
"""

import argparse
import asyncio
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from scripts.measuring.environment import ROOT

WARM_UP_RUNS = 3
ANSWER_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0

type Item = dict[str, Any]
type Run = Callable[[], Awaitable[int]]


class Apart:
    """A run that something has to go before each time, which is not timed."""

    def __init__(self, before: Run, run: Run) -> None:
        self.before = before
        self._run = run

    async def __call__(self) -> int:
        return await self._run()


type Prepare = Callable[[int], Awaitable[list[Run]]]


class Place(NamedTuple):
    """Where a contender finds the store, all on loopback, and the file with the items that it is to store."""

    redis_port: int
    store_url: str
    store_token: str
    key: str
    items_file: str


class Contender(Protocol):
    """What a worker runs: made by `await open_contender(place, items)`."""

    operations: Mapping[str, Prepare]

    async def close(self) -> None: ...


class ContenderError(RuntimeError):
    """The contender cannot be measured; the text says why."""


class Measured(NamedTuple):
    """Milliseconds and result of each run."""

    samples_ms: list[float]
    results: list[int]


class Worker:
    """
    A contender's process, from `with` to its end. *target* is `module:function`, its opener, in the checkout
    at *root*.
    """

    def __init__(self, python: Path, target: str, place: Place, root: Path = ROOT) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process.
        self._process = subprocess.Popen(
            [str(python), "-W", "ignore", "-m", "scripts.benchmarks.worker", target, json.dumps(place)],
            cwd=root,
            # Without this litellm waits for a download at its import.
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def open(self) -> list[str]:
        """Wait until the contender is ready and return the names of its operations. Raises ContenderError."""
        return list(self._answer())

    def prepare(self, operation: str, count: int) -> None:
        """Make *count* runs ready, and warm up. Raises ContenderError."""
        self._ask({"prepare": operation, "count": count})

    def run(self) -> Measured:
        """Carry out what was prepared. Raises ContenderError."""
        return Measured(*self._ask({"run": True}))

    def stop(self) -> None:
        """End the process; allowed more than once."""
        if self._log.closed:
            return
        try:
            self._process.communicate(timeout=STOP_TIMEOUT_S)  # The end of its input ends it.
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._log.close()

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContenderError(self._reason()) from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        watchdog = threading.Timer(ANSWER_TIMEOUT_S, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise ContenderError(self._reason())
        return json.loads(line)

    def _reason(self) -> str:
        status = self._process.wait(STOP_TIMEOUT_S)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else f"ended with status {status}, or took over {ANSWER_TIMEOUT_S:.0f} s"


async def _serve(contender: Awaitable[Contender], answers: Any) -> None:
    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    opened = await contender
    answer(list(opened.operations))
    runs: list[Run] = []
    while line := await asyncio.to_thread(sys.stdin.readline):
        question = json.loads(line)
        if "prepare" in question:
            runs = await opened.operations[question["prepare"]](question["count"] + WARM_UP_RUNS)
            await _timed(runs[:WARM_UP_RUNS])
            answer(len(runs))
        else:
            answer(await _timed(runs[WARM_UP_RUNS:]))
    await opened.close()


async def _timed(runs: list[Run]) -> Measured:
    samples_ms, results = [], []
    for run in runs:
        # Not by its class: this module is another one to itself, as the program, than to the contender that imports it.
        if before := getattr(run, "before", None):
            await before()
        begin_s = time.perf_counter()
        result = await run()
        samples_ms.append((time.perf_counter() - begin_s) * 1000)
        results.append(result)
    return Measured(samples_ms, results)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.benchmarks.worker")
    parser.add_argument("target")
    parser.add_argument("place", type=json.loads)
    arguments = parser.parse_args()
    # Whatever a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, name = arguments.target.partition(":")
    open_contender = getattr(importlib.import_module(module), name)
    place = Place(*arguments.place)
    items = json.loads(Path(place.items_file).read_bytes())
    asyncio.run(_serve(open_contender(place, items), answers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
