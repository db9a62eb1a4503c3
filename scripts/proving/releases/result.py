"""
What a run under traffic prints and writes: its figures, and what is broken.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from scripts.local.signals import INTERRUPTED
from scripts.proving.progress import listed

WIDTH = 28


def told(
    json: Path | None, facts: Mapping[str, Any], checked: Mapping[str, Any], broken: list[str], *, is_whole: bool
) -> int:
    """Write everything to *json*, if that is wanted, and print it; return the exit status."""
    document = {**facts, "partial": not is_whole, "checked": checked, "broken": broken}
    if json is not None:
        json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    print(show(document))
    if broken:
        return 1
    return 0 if is_whole else INTERRUPTED


def show(document: Mapping[str, Any]) -> str:
    """Return a result for people to read."""
    lines = []
    for name, value in document["checked"].items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping):
            lines += [f"{title:<{WIDTH}}", *(f"  {key:<{WIDTH + 20}}{each!s:>12}" for key, each in value.items())]
        else:
            lines.append(f"{title:<{WIDTH}}{value!s:>34}")
    broken = document["broken"]
    lines.append(f"{'broken':<{WIDTH}}{len(broken):>34}")
    lines += listed(broken)
    if document["partial"]:
        lines.append("interrupted: what needs an end was not checked")
    return "\n".join(lines)


def wrong(text: object) -> int:
    """Say why nothing was proved; return the exit status."""
    print(f"could not begin: {text}", file=sys.stderr)
    return 2


def or_wrong(prove: Callable[[], int]) -> int:
    """Do it; say in a sentence what did not start, or what cannot be had."""
    from scripts.local.valkey import ValkeyError
    from scripts.platform.fleet import FleetError
    from scripts.proving.releases.release import ReleaseError
    from scripts.proving.releases.traffic import NotReached

    try:
        return prove()
    except (ReleaseError, FleetError, NotReached, ValkeyError) as error:
        return wrong(error)
