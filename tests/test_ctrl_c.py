"""Ctrl-C at any time, from the first import on: no process is left, and what there is of a result says that it is."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.local.signals import SIGNALS, Stop
from scripts.proving.progress import Interrupted, Pulse
from tests.processes import catches, children_of, left, start

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="it looks for processes in /proc")

PATIENCE_S, LOOK_S = 60.0, 0.01
PROVE = "scripts.proving"


def until(condition: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at_s
        time.sleep(LOOK_S)  # Nothing tells how far another process is but looking.


def importing(pid: int) -> None:
    """Return as soon as the process notes signals, which is before it imports what is not of the standard library."""
    until(lambda: catches(pid, signal.SIGTERM))


def starting(pid: int) -> None:
    """Return while its fleet starts: three processes are there, of platform, store and Valkey."""
    importing(pid)
    until(lambda: len(children_of(pid)) >= 3)


def interrupt(process: "subprocess.Popen[str]", moment: Callable[[int], None]) -> tuple[str, str]:
    """Send SIGINT at *moment* to its process group, as a terminal does; return what it printed."""
    with process:
        try:
            moment(process.pid)
            os.killpg(process.pid, signal.SIGINT)
            return process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("what", "moment"),
    # What of the soak begins later ends as it does of the load.
    [
        *(("load", importing), ("load", starting), ("chaos", importing), ("chaos", starting), ("soak", importing)),
        *(("releases", importing), ("rolling", starting)),
    ],
)
def test_a_proof_leaves_a_result_that_says_it_is_partial(
    tmp_path: Path, what: str, moment: Callable[[int], None]
) -> None:
    out = tmp_path / "out.json"
    folder = ["--folder", str(tmp_path / "soak")] if what == "soak" else []
    process = start(tmp_path, PROVE, what, "--seconds", "60", "--json", str(out), *folder)
    said, errors = interrupt(process, moment)
    document = json.loads(out.read_bytes())

    assert process.returncode == 130, errors
    assert document.get("partial", not document.get("is_whole", True)) is True
    assert "NOT WHOLE" in said or "interrupted" in said
    assert "Traceback" not in errors
    assert left(tmp_path) == []


@pytest.mark.parametrize("moment", [importing, starting])
def test_a_fleet_leaves_nothing(tmp_path: Path, moment: Callable[[int], None]) -> None:
    process = start(tmp_path, "scripts.platform", "--port", "0")
    _, errors = interrupt(process, moment)

    assert (process.returncode, errors) == (0, "")
    assert left(tmp_path) == []


def test_a_validation_that_measured_nothing_says_so(tmp_path: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    process = start(tmp_path, "scripts.validating", "--results", str(results), "--out", str(out))
    _, errors = interrupt(process, importing)

    assert process.returncode == 130, errors
    assert "PARTIAL" in (out / "validation.md").read_text()
    assert json.loads((out / "validation.json").read_bytes())["is_whole"] is False
    assert left(tmp_path) == []


def test_a_proof_without_a_result_does_not_begin(tmp_path: Path) -> None:
    process = start(tmp_path, PROVE, "contexts")
    _, errors = interrupt(process, importing)

    assert (process.returncode, errors) == (130, "interrupted before it began\n")


def test_a_stop_goes_on_from_an_earlier_one_and_is_told_once() -> None:
    told: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    first = Stop()
    try:
        signal.raise_signal(signal.SIGINT)
        second = Stop()
        second.tell(lambda: told.append("end"))
        signal.raise_signal(signal.SIGINT)
        second.undo()
        assert (first.requested, second.requested, told) == (True, True, ["end"])
    finally:
        first.undo()

    assert signal.getsignal(signal.SIGINT) == before


def test_a_second_one_does_not_end_what_is_ending() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        pulse = Pulse("second", 1)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            pulse(0)
        signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
