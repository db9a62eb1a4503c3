"""
How far a release is, on disk: a driver that was killed goes on from here, with the allowance of errors that is left.

    with Keeper.locked(folder, "prj_…") as keeper:      Locked: another driver of this project runs on this machine
        state = keeper.read()                           None: there is none. BrokenState: it cannot be understood
        keeper.write(state)                             whole or not at all, and on the disk when this returns

There is one state for a project, and it names its release, so that no other one goes on from it.
"""

import contextlib
import dataclasses
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import orjson

FORMAT = 1
HISTORY_MAX = 200


class Step(StrEnum):
    """What a driver is at. Each is written before it is begun, and the next one when it is done."""

    CHECK = "check"
    CONFIGURE = "configure"
    START = "start"
    WATCH = "watch"
    APPROVE = "approve"
    COMPLETE = "complete"
    BAKE = "bake"
    ROLL_BACK = "roll back"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a release ended, or, HELD, why a driver ended before it did."""

    NONE = ""
    RELEASED = "released"
    ROLLED_BACK = "rolled back"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Watch:
    """
    What is known of the stage that is watched.

    *waited_s*: for how long it was. *begun*: requests that each side had counted when it began. *shadow*: requests that
    the driver sent by itself. *blind*: looks in a row at which the metrics could not be read.
    """

    waited_s: float = 0.0
    begun: dict[str, int] = field(default_factory=dict)
    shadow: dict[str, int] = field(default_factory=dict)
    blind: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """
    A release. *stage* is the index of the one that is watched or asked for; *judge* is what the judge keeps.

    *started_at_ms*: when it started by the platform's clock, 0 before that was seen.
    """

    id: str
    project: str
    canary: str
    stable: str
    stages: tuple[int, ...]
    step: Step = Step.CHECK
    stage: int = 0
    outcome: Outcome = Outcome.NONE
    reasons: tuple[str, ...] = ()
    judge: dict[str, Any] | None = None
    watch: Watch = Watch()
    started_at_ms: int = 0
    history: tuple[str, ...] = ()

    @classmethod
    def begin(cls, project: str, canary: str, stable: str, stages: tuple[int, ...]) -> Self:
        return cls(secrets.token_hex(6), project, canary, stable, stages, history=(str(Step.CHECK),))

    def at(self, step: Step, **changes: Any) -> "State":
        """Return what it is when *step* is begun."""
        stage = changes.get("stage", self.stage)
        named = f"{step} {self.stages[stage]} %" if step in (Step.WATCH, Step.APPROVE) else str(step)
        history = self.history if self.history[-1:] == (named,) else (*self.history, named)[-HISTORY_MAX:]
        return dataclasses.replace(self, step=step, history=history, **changes)

    def having(self, **changes: Any) -> "State":
        return dataclasses.replace(self, **changes)

    @property
    def has_started(self) -> bool:
        """Whether the canary may have traffic, or had some."""
        return self.step not in (Step.CHECK, Step.CONFIGURE)

    @property
    def percentage(self) -> int:
        """The share of traffic that the canary has, as far as the driver knows."""
        match self.step:
            case Step.WATCH:
                return self.stages[self.stage]
            case Step.APPROVE:
                return self.stages[self.stage - 1]
            case Step.COMPLETE:
                return self.stages[-2]
            case Step.BAKE:
                return 100
        return 100 if self.outcome is Outcome.RELEASED else 0


_FIELDS = dataclasses.fields(State)


class BrokenState(ValueError):
    """A file is not the state of a release; the text names it."""


class Locked(RuntimeError):
    """Another driver of the same project runs; the text says which."""


class Keeper:
    """The state of a project, in *folder*."""

    def __init__(self, folder: Path, project: str) -> None:
        self.path = folder / f"{_file_name(project)}.json"

    @classmethod
    @contextlib.contextmanager
    def locked(cls, folder: Path, project: str) -> Iterator[Self]:
        """Keep other drivers away during the block; the lock ends with the process, however it does. Raises Locked."""
        folder.mkdir(parents=True, exist_ok=True)
        keeper = cls(folder, project)
        with open(keeper.path.with_suffix(".lock"), "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                who = file.read().strip() or "?"
                raise Locked(f"a driver of this project runs already, process {who}; {file.name} is its lock") from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield keeper

    def read(self) -> State | None:
        """Raises BrokenState, OSError."""
        try:
            found = orjson.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            raise BrokenState(f"{self.path} is no JSON") from None
        try:
            if found.pop("format") != FORMAT:
                raise BrokenState(f"{self.path} was written by another version of this script")
            found["watch"] = Watch(**found["watch"])
            for name in ("stages", "reasons", "history"):
                found[name] = tuple(found[name])
            found["step"], found["outcome"] = Step(found["step"]), Outcome(found["outcome"])
            return State(**found)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BrokenState(f"{self.path} is not the state of a release: {error}") from None

    def write(self, state: State) -> None:
        """Raises OSError: the state is the one before."""
        text = orjson.dumps({"format": FORMAT} | {each.name: getattr(state, each.name) for each in _FIELDS})
        written = self.path.with_suffix(".new")
        with open(written, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written.replace(self.path)
        # The name as well: a crash of the machine would else bring back the state before.
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _file_name(project: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", project)[:100] or "_"
