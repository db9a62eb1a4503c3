"""Inputs found in public bug reports, rebuilt small: what comes in, in which formats it has to come out right, how."""

from pathlib import Path
from typing import Any, NamedTuple

import orjson

FILE = Path(__file__).parent / "data" / "borders.json"
APPEND = "append"
"""Stands among a case's formats where the append itself has to be right."""

_THAI_SHORT = "THAI x 90000: U+0E01 U+0E32 U+0E23 repeated 30,000 times"
_THAI = "\u0e01\u0e32\u0e23" * 30_000
"""Text of three bytes a character in which the encoding finds no place to cut."""


class Case(NamedTuple):
    """*right* is the sentence that a test's checks put into code."""

    name: str
    formats: list[str]
    items: list[dict[str, Any]]
    right: str


def cases() -> list[Case]:
    """Return the cases of the file; one that stands there for a long text has that text."""
    return [
        Case(case["name"], case["formats"], [_expanded(item) for item in case["items"]], case["right"])
        for case in orjson.loads(FILE.read_bytes())["cases"]
    ]


def _expanded(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "output": _THAI} if item.get("output") == _THAI_SHORT else item
