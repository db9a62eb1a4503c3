"""scripts/validate runs what it says, by seed, and Ctrl-C leaves no process and a report of what there is."""

import argparse
import importlib
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.local.signals import Stop
from scripts.validating.parts import Asked, Part, parts_of
from scripts.validating.running import remove_results, run_parts
from tests.processes import children_of, left, start

SHORT_MAX_S = 15 * 60
STARTED_S, ENDED_S = 60.0, 40.0


def asked(folder: Path, seed: int = 1, seconds: float = 0, *, is_full: bool = False) -> Asked:
    return Asked(seed, seconds, is_full, None, folder)


def test_the_short_form_is_planned_for_less_than_its_time(tmp_path: Path) -> None:
    parts = parts_of(asked(tmp_path))

    assert sum(each.about_s for each in parts) <= SHORT_MAX_S
    assert 45 <= sum(each.about_s for each in parts_of(asked(tmp_path, seconds=60))) <= 75


@pytest.mark.parametrize(("seconds", "is_full"), [(0, False), (60, False), (0, True)])
def test_the_same_seed_runs_the_same_commands(tmp_path: Path, seconds: float, is_full: bool) -> None:
    one, again, other = (
        [each.command(tmp_path) for each in parts_of(asked(tmp_path, seed, seconds, is_full=is_full))]
        for seed in (7, 7, 8)
    )

    assert one == again != other


def test_a_command_is_told_without_a_place_on_this_machine(tmp_path: Path) -> None:
    forms = [parts_of(asked(tmp_path)), parts_of(asked(tmp_path, seconds=60)), parts_of(asked(tmp_path, is_full=True))]

    assert not any(str(tmp_path) in each.told() for parts in forms for each in parts)


def test_every_part_is_a_command_that_there_is(tmp_path: Path) -> None:
    """Each is held against the help of its script, which knows its options."""
    parts: dict[tuple[str, ...], Part] = {}
    for form in (parts_of(asked(tmp_path)), parts_of(asked(tmp_path, is_full=True))):
        parts |= {(each.module, each.arguments[0]): each for each in form}
    for (module, name), part in parts.items():
        subcommand = importlib.import_module(importlib.import_module(f"{module}.__main__").SUBCOMMANDS[name])
        parser = argparse.ArgumentParser()
        subcommand.add_arguments(parser)
        parser.parse_args(part.command(tmp_path / "result.json")[4:])


def test_a_part_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no part nothing; there are load, cost, soak"):
        parts_of(asked(tmp_path), ["nothing"])
    with pytest.raises(ValueError, match="at least 45"):
        parts_of(asked(tmp_path, seconds=5))


def test_only_what_an_earlier_run_left_is_removed(tmp_path: Path) -> None:
    folder, beside = tmp_path / "results", tmp_path / "notes.json"
    folder.mkdir()
    for path in (beside, folder / "own.json", folder / "load.json", folder / "load.log"):
        path.write_text("{}")
    remove_results(folder)
    assert (folder / "load.json").exists()  # There is no run.json: it is no run of ours.

    (folder / "run.json").write_text(json.dumps({"parts": {"load": {}, "../notes": {}}}))
    remove_results(folder)

    assert [path.name for path in folder.iterdir()] == ["own.json"]
    assert beside.exists()


def test_what_was_run_before_is_told_beside_what_was_run_anew(tmp_path: Path) -> None:
    stop = Stop()
    try:
        for form, names in (("short", ["one", "two"]), ("full", ["two"]), ("full", ["two"])):
            parts = [Part(name, 1, "scripts.proving", ("cost", f"{form}.json")) for name in names]
            assert run_parts(parts, tmp_path, {"form": form, "seed": 1}, stop)
    finally:
        stop.undo()
    run = json.loads((tmp_path / "run.json").read_bytes())

    assert run["form"] == "short, then full"
    commands = {name: each["command"] for name, each in run["parts"].items()}
    assert commands == {"one": "scripts/prove cost short.json", "two": "scripts/prove cost full.json"}


def waited(condition: Callable[[], bool], until_s: float) -> bool:
    end_s = time.monotonic() + until_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.timing
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="it looks for processes in /proc")
def test_ctrl_c_leaves_no_process_and_a_partial_report(tmp_path: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    run = start(tmp_path, "scripts.validating", "--only", "load", "--results", str(results), "--out", str(out))
    try:
        assert waited(lambda: len(children_of(run.pid)) > 3, STARTED_S), "the fleet did not start"
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=ENDED_S)
    finally:
        run.kill()

    assert run.returncode == 130, errors
    assert waited(lambda: left(tmp_path) == [], 5)
    assert "PARTIAL" in (out / "validation.md").read_text()
    assert json.loads((out / "validation.json").read_text())["is_whole"] is False
