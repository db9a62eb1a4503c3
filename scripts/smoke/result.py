"""What a check of a deployment comes to."""

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """`warning`: it works, and somebody should look. `skipped`: it was not tried, or proved nothing."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(NamedTuple):
    """One line of the result. *text*: what was found, a sentence without any secret. *took_s*: seconds."""

    name: str
    state: State
    text: str
    took_s: float


class Unmet(Exception):
    """A check did not pass; the text says what was found and what to do. *state*: what that makes of the check."""

    state = State.FAILED


class Warned(Unmet):
    """What was asked for is there, but not as it should be."""

    state = State.WARNING


class Skipped(Unmet):
    """It could not be tried with what is known here."""

    state = State.SKIPPED
