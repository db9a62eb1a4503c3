"""
Whether another run agrees: two validations, criterion by criterion.

    exact                       the same value
    both have an interval       the intervals meet
    else                        the same verdict

Times and costs are the machine's: where the runs are of different machines, only verdicts are held together.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scripts.validating.results import Document

OF_THE_MACHINE = frozenset({"ms", "s", "turns a second", "USD"})


class Difference(NamedTuple):
    title: str
    text: str


class Compared(NamedTuple):
    """*agree*: how many criteria do; *alone*: those that only one run has measured; *notes* on what was compared."""

    agree: int
    differ: list[Difference]
    alone: list[str]
    notes: list[str]


def compare(ours: Document, theirs: Document) -> Compared:
    """Compare two validations. Raises ValueError: one is none."""
    for each in (ours, theirs):
        if each.get("what") != "validation" or "rows" not in each:
            raise ValueError("it is no result of scripts/validate")
    same = _machine(ours) == _machine(theirs)
    notes = [] if same else ["The machines differ: of times and costs only the verdicts are compared."]
    if ours.get("commit") != theirs.get("commit"):
        notes.append(f"The commits differ: {ours.get('commit')} and {theirs.get('commit')}.")
    if ours.get("form") != theirs.get("form"):
        notes.append(f"The forms differ: {ours.get('form')} and {theirs.get('form')}.")
    if ours.get("seed") != theirs.get("seed"):
        notes.append(f"The seeds differ: {ours.get('seed')} and {theirs.get('seed')}.")
    others = {row["name"]: row for row in theirs["rows"]}
    agree, differ, alone = 0, [], []
    for row in ours["rows"]:
        other = others.get(row["name"])
        if other is None or (row["value"] is None) != (other["value"] is None):
            alone.append(row["title"])
        elif row["value"] is not None:
            text = _difference(row, other, by_verdict=not same and row["unit"] in OF_THE_MACHINE)
            agree += not text
            differ += [Difference(row["title"], text)] if text else []
    return Compared(agree, differ, alone, notes)


def _difference(row: Mapping[str, Any], other: Mapping[str, Any], *, by_verdict: bool) -> str:
    """Return how two rows differ, nothing where they agree."""
    both = f"{_told(row)} and {_told(other)}"
    if row["exact"]:
        return "" if row["value"] == other["value"] else both
    if not by_verdict and _has_interval(row) and _has_interval(other):
        return (
            "" if row["low"] <= other["high"] and other["low"] <= row["high"] else f"{both}: the intervals do not meet"
        )
    return "" if row["verdict"] == other["verdict"] else f"{both}: {row['verdict']}, {other['verdict']}"


def _has_interval(row: Mapping[str, Any]) -> bool:
    return row["low"] is not None and row["high"] is not None


def _told(row: Mapping[str, Any]) -> str:
    interval = f" ({row['low']:g} to {row['high']:g})" if _has_interval(row) else ""
    return f"{row['value']:g}{interval}"


def _machine(document: Document) -> tuple[Any, ...]:
    machine = document.get("machine") or {}
    return tuple(machine.get(name) for name in ("processor", "processors", "memory_bytes"))


def show(compared: Compared) -> str:
    lines = [*compared.notes, f"{compared.agree} criteria agree, {len(compared.differ)} differ."]
    lines += [f"- {each.title}: {each.text}" for each in compared.differ]
    if compared.alone:
        lines.append(f"Measured by one of them only: {'; '.join(compared.alone)}")
    return "\n".join(lines)
