"""
What is run: a part is a command of this repository, about so long, and leaves one result. Three forms hold them.

    short    what scripts/validate runs: all of it in under 15 minutes
    brief    --seconds N: a load, faults, a soak and the cost, in about so long; that it works, hardly any figures
    full     --full: as long as each takes to say something for sure, two and a half hours
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PROVE, BENCH = "scripts.proving", "scripts.benchmarks"
SECONDS_MIN = 45.0


class Part(NamedTuple):
    """*about_s*: how long it takes where nothing else runs. *writes*: it writes its result itself, with --json."""

    name: str
    about_s: float
    module: str
    arguments: tuple[str, ...]
    writes: bool = False

    def command(self, result: Path) -> list[str]:
        """Return what is started; *result* is where its result goes."""
        written = ("--json", str(result)) if self.writes else ()
        return [sys.executable, "-m", self.module, *self.arguments, *written]

    def told(self) -> str:
        """Return the command as a person would type it, without where files are on this machine."""
        script = {PROVE: "scripts/prove", BENCH: "scripts/bench"}[self.module]
        return " ".join((script, *(Path(each).name if each.startswith("/") else each for each in self.arguments)))


class Asked(NamedTuple):
    """*seconds*: of the brief form, 0 for another one. *folder*: where the load's result is, which the cost needs."""

    seed: int
    seconds: float
    is_full: bool
    trace: Path | None
    folder: Path


def parts_of(asked: Asked, only: Sequence[str] = ()) -> list[Part]:
    """Raises ValueError: *only* names what is no part of this form, or *asked* is too short."""
    if asked.seconds and asked.seconds < SECONDS_MIN:
        raise ValueError(f"--seconds is at least {SECONDS_MIN:g}: a load, faults and a soak have to fit in")
    parts = _full(asked) if asked.is_full else _brief(asked) if asked.seconds else _short(asked)
    names = [each.name for each in parts]
    if unknown := [name for name in only if name not in names]:
        raise ValueError(f"there is no part {', '.join(unknown)}; there are {', '.join(names)}")
    return [each for each in parts if not only or each.name in only]


def form_of(asked: Asked) -> str:
    return "full" if asked.is_full else f"brief, {asked.seconds:g} s" if asked.seconds else "short"


def _short(asked: Asked) -> list[Part]:
    seed = ("--seed", str(asked.seed))
    slices = ("--seconds", "300", "--speeds", "1:33", "3:24", "10:24")
    return [
        _load(asked, 340, *slices),
        _cost(asked),
        Part("soak", 245, PROVE, ("soak", "--seconds", "240", "--rate", "80", *seed), writes=True),
        Part("chaos", 75, PROVE, ("chaos", "--seconds", "60", *seed), writes=True),
        Part("contexts", 6, PROVE, ("contexts", "--budgets", "3000")),
        Part("borders", 18, PROVE, ("borders", "--logs", "200", *seed)),
        Part("budgets", 15, PROVE, ("budgets", "--operations", "2000", "--processes", "4")),
        Part("coherence", 15, PROVE, ("coherence", "--operations", "1500", "--kill", *seed)),
        Part("documents", 12, PROVE, ("documents", "--reads", "1500", *seed)),
        Part("metrics", 22, PROVE, ("metrics", "--short")),
        Part("lag", 40, BENCH, ("lag", "--runs", "1"), writes=True),
    ]


def _brief(asked: Asked) -> list[Part]:
    seed, left_s = ("--seed", str(asked.seed)), asked.seconds - 4
    load_s, faults_s, soak_s = (str(max(10, round(share * left_s))) for share in (0.4, 0.2, 0.2))
    return [
        _load(asked, 0.5 * left_s, "--seconds", load_s),
        _cost(asked),
        Part("chaos", 0.25 * left_s, PROVE, ("chaos", "--seconds", faults_s, *seed), writes=True),
        Part("soak", 0.25 * left_s, PROVE, ("soak", "--seconds", soak_s, *seed), writes=True),
    ]


def _full(asked: Asked) -> list[Part]:
    seed = ("--seed", str(asked.seed))
    return [
        _load(asked, 3_900),
        _cost(asked),
        Part("soak", 1_230, PROVE, ("soak", *seed), writes=True),
        Part("chaos", 330, PROVE, ("chaos", *seed), writes=True),
        Part("contexts", 30, PROVE, ("contexts",)),
        Part("borders", 1_500, PROVE, ("borders", *seed)),
        Part("budgets", 240, PROVE, ("budgets",)),
        Part("coherence", 90, PROVE, ("coherence", "--kill", *seed)),
        Part("documents", 60, PROVE, ("documents", *seed)),
        Part("metrics", 70, PROVE, ("metrics",)),
        Part("lag", 240, BENCH, ("lag",), writes=True),
    ]


def _load(asked: Asked, about_s: float, *more: str) -> Part:
    trace = ("--trace", str(asked.trace)) if asked.trace else ()
    return Part("load", about_s, PROVE, ("load", *more, *trace, "--seed", str(asked.seed)), writes=True)


def _cost(asked: Asked) -> Part:
    return Part("cost", 2, PROVE, ("cost", str(asked.folder / "load.json")), writes=True)
