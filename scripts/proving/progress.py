"""
What the scripts that verify have in common: how far they are, what they found, with which status they end.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence

from scripts.local.signals import INTERRUPTED, Stop

SHOWN_MAX = 10
PROGRESS_EVERY_S = 0.5
BAR = 30


class Interrupted(Exception):
    """The run was asked to end; nothing was checked."""


class Pulse:
    """Prints how far a run is, and ends it when that is wished."""

    def __init__(self, unit: str, total: int) -> None:
        self._stop = Stop()
        self._unit = unit
        self._total = total
        self._printed_at_s = 0.0

    def __call__(self, done: int) -> None:
        if self._stop.requested:
            self._stop.tell(lambda: None)  # What is ending already is not ended by a further signal.
            raise Interrupted
        if time.monotonic() - self._printed_at_s > PROGRESS_EVERY_S:
            self._printed_at_s = time.monotonic()
            print(f"\r{self._unit} {done:,} of {self._total:,}", end="", file=sys.stderr, flush=True)


def verify[R](
    experiment: Callable[[Pulse], R],
    pulse: Pulse,
    read: Callable[[R], tuple[Iterable[tuple[str, object]], Sequence[str]]],
) -> int:
    """Carry out *experiment*, print the rows and the violations that *read* finds in it, and return the status."""
    try:
        report = experiment(pulse)
    except Interrupted:
        print("\ninterrupted; nothing was checked", file=sys.stderr)
        return INTERRUPTED
    print(file=sys.stderr)
    rows, violations = read(report)
    for title, value in [*rows, ("violations", len(violations))]:
        print(f"{title:<44}{f'{value:,}' if isinstance(value, int) else value:>12}")
    for line in listed(violations):
        print(line)
    return int(bool(violations))


def listed(findings: Sequence[str]) -> list[str]:
    """Return the first SHOWN_MAX *findings*, a line each, and how many more there are."""
    lines = [f"- {each}" for each in findings[:SHOWN_MAX]]
    if len(findings) > SHOWN_MAX:
        lines.append(f"- and {len(findings) - SHOWN_MAX} more")
    return lines


class Lines:
    """Says on the terminal how far each part of a run is; without one, a line a part."""

    def __init__(self, unit: str = "requests") -> None:
        self._unit = unit
        self._name = ""
        self._printed_at_s = 0.0

    def __call__(self, name: str, done: int, total: int) -> None:
        is_new, now_s = name != self._name, time.monotonic()
        if not is_new and (not sys.stderr.isatty() or now_s - self._printed_at_s < PROGRESS_EVERY_S):
            return
        if is_new and self._name and sys.stderr.isatty():
            print(file=sys.stderr)
        self._name, self._printed_at_s = name, now_s
        filled = round(BAR * done / max(1, total))
        text = f"{name}: {'█' * filled}{'░' * (BAR - filled)} {done:,} of {total:,} {self._unit}"
        print(
            f"\r{text}" if sys.stderr.isatty() else f"{name}: {total:,} {self._unit}",
            file=sys.stderr,
            flush=True,
            end="" if sys.stderr.isatty() else "\n",
        )
