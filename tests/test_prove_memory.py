"""scripts/prove memory: the limit is real, what is seen wrong is said, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.proving.memory.limits import V1, V2, limited
from scripts.proving.memory.load import Answers

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
MIB = 1_048_576
COMMAND = [sys.executable, "-m", "scripts.proving", "memory"]


def groups() -> set[Path]:
    """Return the groups that were made for limits by processes that are gone; others may be at work meanwhile."""
    made = {*V1.glob("warmthread-*"), *V2.glob("warmthread-*")}
    return {each for each in made if not Path("/proc", each.name.rpartition("-")[2]).exists()}


def test_a_process_gets_no_more_than_its_limit() -> None:
    holds = [sys.executable, "-c", "import sys; b'x' * (int(sys.argv[1]) << 20)"]
    with limited(64 * MIB) as limit:
        ended = [
            subprocess.run([*limit.prefix, *holds, size], check=False, stderr=subprocess.DEVNULL).returncode
            for size in ("16", "128")
        ]
        counters = limit.counters()

    assert ended[0] == 0
    assert ended[1] != 0
    assert limit.group is None or (counters["oom_kill"], limit.group.exists()) == (1, False)


def test_a_function_survives_a_few_seconds_of_large_conversations() -> None:
    before = groups()
    ended = subprocess.run([*COMMAND, "--short"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "recovered" in ended.stdout
    assert "answers again" in ended.stdout
    assert groups() == before


def test_ctrl_c_leaves_nothing_behind() -> None:
    before = groups()
    with subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("s  "):
            assert process.poll() is None
        time.sleep(2)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 130, errors
    assert groups() == before


def test_success_and_refusals_for_want_of_memory_are_right_and_nothing_else_is() -> None:
    answers = Answers()
    answers.outcomes.update({"200": 5, "503 memory_pressed": 2, "500 internal_error": 1, "503 store_unavailable": 1})
    answers.dropped["no answer: ConnectError"] += 3

    assert answers.wrong() == {"500 internal_error": 1, "503 store_unavailable": 1, "no answer: ConnectError": 3}
