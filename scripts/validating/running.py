"""
Runs the parts one after the other, each a process, and says how far all of it is.

What a part prints goes to files beside its result. When an end is wished, the part under way is asked to end, which
writes what it has; what has not ended after GRACE_S is killed, and whatever it started ends with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from scripts.local.signals import Stop
from scripts.measuring.environment import ROOT
from scripts.proving.load.facts import facts
from scripts.validating.parts import Part
from scripts.validating.results import RUN, write_json

LOOK_EVERY_S = 0.25
GRACE_S = 15.0
SHOWN = 60
"""Characters of what a part said last."""


def run_parts(parts: Sequence[Part], folder: Path, said: dict[str, Any], stop: Stop) -> bool:
    """
    Run *parts*; leave in *folder* a result each, and what was run, with what is *said* of it. What an earlier run says
    of other parts there is kept. Return whether all came to their end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(folder)
    began, took = facts(), dict(earlier.get("parts") or {})
    form = earlier.get("form") or said["form"]
    said = {**said, "form": form if form.endswith(said["form"]) else f"{form}, then {said['form']}"}
    with _progress() as bar:
        whole = bar.add_task("", total=sum(each.about_s for each in parts))
        for part in parts:
            if stop.requested:
                break
            took[part.name] = _run_part(part, folder, bar, whole, stop)
            _save(folder, said, began, took, is_whole=False)
    is_whole = not stop.requested
    _save(folder, said, began, took, is_whole=is_whole)
    return is_whole


def _earlier(folder: Path) -> dict[str, Any]:
    """Return what an earlier run left of itself, nothing where it cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found = orjson.loads((folder / f"{RUN}.json").read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _save(folder: Path, said: dict[str, Any], began: dict[str, Any], took: dict[str, Any], *, is_whole: bool) -> None:
    write_json(folder / f"{RUN}.json", {"is_whole": is_whole, **said, **began, "parts": took})


def _run_part(part: Part, folder: Path, bar: Progress, whole: TaskID, stop: Stop) -> dict[str, Any]:
    result, began_s, began = folder / f"{part.name}.json", time.monotonic(), facts()
    result.unlink(missing_ok=True)
    if not bar.console.is_terminal:
        print(f"{part.name}: {part.told()}", file=sys.stderr, flush=True)
    base = bar.tasks[whole].completed
    with (folder / f"{part.name}.txt").open("wb") as out, (folder / f"{part.name}.log").open("wb") as log:
        # In a session of its own: Ctrl-C comes to us alone, and we hand it on once.
        process = subprocess.Popen(
            part.command(result), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=log, start_new_session=True
        )
        try:
            while process.poll() is None:
                stop.wait_for(LOOK_EVERY_S)
                spent_s = time.monotonic() - began_s
                text = f"{part.name}: {_last_of(folder / f'{part.name}.log')}"
                bar.update(whole, completed=base + min(spent_s, part.about_s), description=text)
                if stop.requested:
                    _end(process)
        finally:
            _kill(process)
    bar.update(whole, completed=base + part.about_s)
    if not part.writes:
        _write_proof(result, folder / f"{part.name}.txt", process.returncode, began)
    took_s = round(time.monotonic() - began_s, 1)
    return {"command": part.told(), "seconds": took_s, "status": process.returncode, "has_result": result.exists()}


def _write_proof(result: Path, printed: Path, status: int, began: dict[str, Any]) -> None:
    """Write what a proof found that prints it: its status, and the last line that it printed."""
    lines = printed.read_text(errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    write_json(
        result,
        {"what": "proof", "is_whole": status in (0, 1), "status": status, **began, "last": " ".join(last.split())},
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask *process* to end, and give it time to write what it has."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_of(log: Path) -> str:
    """Return the end of what a part said: its own progress."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 400))
        said = file.read().decode(errors="replace").replace("\r", "\n").split("\n")
        return next((line for line in reversed(said) if line.strip()), "")[:SHOWN]
    return ""


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(
        *columns, TextColumn("{task.description}", markup=False), console=console, disable=not console.is_terminal
    ) as bar:
        yield bar


def remove_results(folder: Path) -> None:
    """Remove what an earlier run left, and only that: results of two runs are never mixed unasked."""
    for name in _earlier(folder).get("parts") or {}:
        for suffix in ("json", "txt", "log"):
            (folder / f"{Path(name).name}.{suffix}").unlink(missing_ok=True)
    (folder / f"{RUN}.json").unlink(missing_ok=True)
