"""A short run of `scripts/prove chaos` with real instances: each fault comes, nothing breaks, and Ctrl-C ends it."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from scripts.proving.changes import CLUSTER, STORES
from scripts.proving.chaos.schedule import LANES, ON_A_CLUSTER
from tests.processes import left, start

pytestmark = pytest.mark.unmeasured

END_S = 10.0


def chaos(folder: Path, *options: str) -> "subprocess.Popen[str]":
    return start(folder, "scripts.proving", "chaos", "--json", str(folder / "chaos.json"), *options)


def result(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((folder / "chaos.json").read_bytes())
    return document


@pytest.mark.parametrize("store", STORES)
def test_a_short_run_has_every_fault_and_breaks_nothing(tmp_path: Path, store: str) -> None:
    said, errors = chaos(tmp_path, "--seconds", "14", "--seed", "3", "--store", store).communicate()
    found = result(tmp_path)
    lanes = ON_A_CLUSTER if store == CLUSTER else LANES

    assert found["broken"] == [], said + errors[-2_000:]
    assert (found["what"], found["partial"], found["seed"], found["store"]) == ("chaos", False, 3, store)
    assert {each["kind"] for each in found["windows"]} == {str(kind) for lane in lanes for kind in lane}
    assert found["checked"]["appends"]["ok"] > 0
    assert found["checked"]["requests"] > 50


def test_ctrl_c_ends_it_at_once_with_what_there_is_and_no_process(tmp_path: Path) -> None:
    process = chaos(tmp_path, "--seconds", "60")
    assert process.stderr is not None
    shown = ""
    while not any(f"second {number} of" in shown for number in (3, 4, 5)):
        shown = shown[-100:] + process.stderr.read(10)
    process.send_signal(signal.SIGINT)
    began_s = time.monotonic()
    said, _ = process.communicate(timeout=60)

    assert time.monotonic() - began_s < END_S  # Two on a quiet machine.
    assert process.returncode == 130
    assert "interrupted" in said
    assert result(tmp_path)["partial"] is True
    assert left(tmp_path) == []
