"""
A function under a real limit of memory is fed large conversations; it must neither die nor fail, and must recover.

The process of the conversations' function gets a cgroup of its own (RLIMIT_DATA where none can be made); its store and
its callers are outside of it. Wrong are: an OOM kill, a 500 or any other answer that is neither a success nor a refusal
of a large body for want of memory, a connection without an answer, a step of memory pressure that /api/metrics does not
show, and no step back and no hit in L1 when the load is over.
"""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple
from uuid import uuid4

import httpx
import orjson

from scripts.local.mint import mint
from scripts.measuring.counted_store import counted_store
from scripts.measuring.tables import markdown
from scripts.proving.memory.limits import Limit, limited
from scripts.proving.memory.load import Answers, Caller, client_of
from shared.request.caller import make_key

ROOT = Path(__file__).parents[3]
MIB = 1_048_576
LOOKS = 12
SHORT_S = 5.0
L1_MB = 128
"""More than there is room for: with the usual 32 MiB, memory was never critical in two minutes."""
RECOVERY_S = 30.0
STOP_S = 10.0
SECRET = "metrics-of-prove-memory"  # noqa: S105 - of this run only.
STEPS = re.compile(r'^warmthread_pressure_steps_total\{.*step="(\w+)"\} (\d+)$', re.MULTILINE)


class Plan(NamedTuple):
    """What is tried; *steps* have to be seen in the metrics."""

    limit_bytes: int
    seconds: float
    callers: int
    l1_bytes: int
    steps: tuple[str, ...] = ("high", "critical")


class Function:
    """A function in a process of its own, and where its log is."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        assert process.stdout is not None
        self.process = process
        self.log = log
        self.url = process.stdout.readline().strip()

    def resident_bytes(self) -> int:
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except OSError:
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def step(self) -> str:
        """Return the step of memory pressure that it logged last."""
        steps = re.findall(r'"message":"memory: (\w+)"', self.log.read_text())
        return steps[-1] if steps else "none"


@contextlib.contextmanager
def running(name: str, folder: Path, environ: Mapping[str, str], prefix: list[str]) -> Iterator[Function]:
    """Run the function *name* for this block."""
    log = folder / f"{name}.log"
    command = [*prefix, sys.executable, "-m", "scripts.local.instance", "--function", f"/api/{name}"]
    with log.open("w") as errors, _process(command, environ, errors) as process:
        yield Function(process, log)


@contextlib.contextmanager
def _process(command: list[str], environ: Mapping[str, str], errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, stderr=errors, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            process.kill()


class Run:
    """One experiment, and what it saw."""

    def __init__(self, function: Function, metrics_url: str, key: str, limit: Limit) -> None:
        self.answers = Answers()
        self.looks: list[list[str]] = []
        self._function = function
        self._metrics_url = metrics_url
        self._key = key
        self._limit = limit

    async def load(self, seconds: float, callers: int) -> None:
        began_at_s = time.monotonic()
        async with client_of(self._function.url, self._key) as client:
            all_ = [Caller(client, self.answers, seed) for seed in range(callers)]
            work = asyncio.gather(*(caller.run(began_at_s + seconds) for caller in all_))
            try:
                while not work.done():
                    await asyncio.wait([work], timeout=seconds / LOOKS)
                    self._look(time.monotonic() - began_at_s)
                await work
            finally:
                self.answers.is_over = True  # The HTTP library may take a cancellation for an error of its own.
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    def _look(self, now_s: float) -> None:
        outcomes = self.answers.outcomes
        row = [f"{now_s:.0f}", f"{self._function.resident_bytes() / MIB:.0f}", self._function.step()]
        row += [f"{outcomes['200']:,}", str(outcomes["503 memory_pressed"]), str(sum(self.answers.wrong().values()))]
        self.looks.append(row)
        print("  ".join(row), flush=True)

    def steps(self) -> dict[str, int]:
        """Return how often each step was entered, as /api/metrics has it."""
        answer = httpx.get(
            f"{self._metrics_url}/api/metrics", headers={"authorization": f"Bearer {SECRET}"}, timeout=30
        )
        return {step: int(count) for step, count in STEPS.findall(answer.raise_for_status().text)}

    async def recover(self) -> str:
        """Ask for a small conversation until L1 has it again and no step holds; return what is still wrong."""
        answers = Answers()
        began_at_s = time.monotonic()
        async with client_of(self._function.url, self._key) as client:
            caller = Caller(client, answers, 0)
            body = orjson.dumps({"items": [{"role": "user", "content": "hello"}]})
            made = await caller.ask("POST", "/v1/conversations", body)
            if made is None:
                return f"the first request after the load was answered {dict(answers.outcomes or answers.dropped)}"
            path = f"/v1/conversations/{orjson.loads(made)['id']}/context?budget=500"
            tier, step = "", ""
            while time.monotonic() < began_at_s + RECOVERY_S:
                response = await client.get(path).build().send()
                tier, step = response.headers["cache-status"].rpartition("=")[2], self._function.step()
                seen = self.steps()
                if (tier, step) == ("L1", "none") and (seen.get("none") or not seen.get("high")):
                    print(f"L1 answers again {time.monotonic() - began_at_s:.1f} s after the load")
                    return ""
                await asyncio.sleep(0.25)
        return (
            f"after {RECOVERY_S:.0f} s without load the step is {step}, the tier {tier}, and in metrics {self.steps()}"
        )


async def verify(run: Run, function: Function, limit: Limit, plan: Plan) -> list[str]:
    """Run the experiment and return what was wrong."""
    await run.load(plan.seconds, plan.callers)
    seen: dict[str, int] = {}
    if function.process.poll() is None:
        await asyncio.sleep(1.1)  # What was counted last goes with the next answer.
        recovery = await run.recover()
        seen = run.steps()
    else:
        recovery = f"the process ended with {function.process.returncode}"
    wrong = [f"{count} times {name}" for name, count in run.answers.wrong().items()]
    wrong += [recovery] if recovery else []
    wrong += [f"the step {step} is not in /api/metrics" for step in plan.steps if not seen.get(step)]
    counters = limit.counters()
    if counters.get("oom_kill"):
        wrong.append(f"{counters['oom_kill']} OOM kills")
    print(f"steps in /api/metrics: {seen}; {limit.name}: {counters or 'no counters'}")
    return wrong


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=120, help="how long it is fed (120)")
    parser.add_argument("--callers", type=int, default=12, help="how many ask at once (12)")
    parser.add_argument("--limit-mb", type=int, default=256, help="what the process may hold, in MiB (256)")
    parser.add_argument("--l1-mb", type=int, default=L1_MB, help=f"what it may remember, in MiB ({L1_MB})")
    parser.add_argument(
        "--short", action="store_true", help="5 s, and no step has to be seen: that it works, no figures"
    )


def run(arguments: argparse.Namespace) -> int:
    if not Path("/proc/self/statm").exists():
        print("resident memory is read from /proc, which is not here", file=sys.stderr)
        return 2
    plan = Plan(arguments.limit_mb * MIB, arguments.seconds, arguments.callers, arguments.l1_mb * MIB)
    if arguments.short:
        plan = plan._replace(seconds=SHORT_S, steps=())
    # A shell has SIGINT ignored in the background; asyncio ends in order on that signal only.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        wrong = _run(plan)
    except KeyboardInterrupt:
        print("interrupted; everything that was started has ended", file=sys.stderr)
        return 130
    for each in wrong:
        print(f"WRONG: {each}")
    print("wrong" if wrong else "The function kept within its memory, and recovered.")
    return bool(wrong)


def _run(plan: Plan) -> list[str]:
    key = make_key(f"t{uuid4().hex[:20]}")
    with (
        tempfile.TemporaryDirectory() as name,
        counted_store() as store,
        limited(plan.limit_bytes) as limit,
    ):
        folder = Path(name)
        environ = {
            **os.environ,
            **limit.variables,
            "UPSTASH_REDIS_REST_URL": store.url,
            "UPSTASH_REDIS_REST_TOKEN": store.token,
            "WARMTHREAD_METRICS_SECRET": SECRET,
            "WARMTHREAD_METRICS_FLUSH_S": "1",
            "WARMTHREAD_L1_BYTES_MAX": str(plan.l1_bytes),
            "WARMTHREAD_STORE_TIMEOUT_S": "20",
        }
        mint(store.url, store.token, key)
        print(f"{plan.limit_bytes // MIB} MiB by {limit.name}, {plan.callers} callers")
        columns = ["s", "resident MiB", "step", "answers 200", "503 memory-pressed", "wrong"]
        print("  ".join(columns))
        with (
            running("metrics", folder, environ, []) as metrics,
            running("conversations", folder, environ, limit.prefix) as function,
        ):
            run = Run(function, metrics.url, key, limit)
            wrong = asyncio.run(verify(run, function, limit, plan))
        if wrong:
            print(function.log.read_text()[-4_000:], file=sys.stderr)
    print(markdown(columns, run.looks))
    return wrong
