"""
Whether every request was answered once: what callers were answered, held against what functions say they did.

A function logs one line for each request when its answer was sent, with the request's id; the same id is on the answer.
So an id in two lines was done twice, one in a line only was answered and the answer lost, and one on an answer only was
answered by nobody who knows of it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import orjson

from scripts.platform.client import Control
from scripts.proving.chaos.answers import NO_ANSWER, ROUTER, Answer

NAMED_MAX = 3


class Logged:
    """The lines of requests that a fleet's functions logged: collect them often, for the fleet keeps the newest."""

    def __init__(self, control: Control) -> None:
        self.statuses: list[tuple[str, int]] = []
        """Request id and status of each line, in the order in which they came."""
        self._control = control
        self._after = 0

    def collect(self) -> None:
        lines = self._control.logs(self._after)
        self._after += len(lines)
        self.statuses += [found for line in lines if (found := read_line(line)) is not None]


def read_line(line: str) -> tuple[str, int] | None:
    """Return the request id and the status that a *line* tells of, None where it tells of no request's end."""
    try:
        told = orjson.loads(line)
    except ValueError:
        return None
    if not isinstance(told, dict) or "status" not in told or "request_id" not in told:
        return None
    return str(told["request_id"]), int(told["status"])


def broken_once(answers: Sequence[Answer], logged: Iterable[tuple[str, int]]) -> list[str]:
    """Return what was not answered exactly once, by one instance, with one status."""
    lines = list(logged)
    answered = [(each.request_id, each.status) for each in answers if each.by not in (ROUTER, NO_ANSWER)]
    found = []
    for name, count in (
        ("twice: requests were done more than once", _more_than_once(name for name, _ in lines)),
        ("twice: requests were answered more than once", _more_than_once(name for name, _ in answered)),
        ("lost: answers were sent that no caller got", _without(lines, answered)),
        ("unlogged: answers came that no function says it sent", _without(answered, lines)),
    ):
        if count:
            found.append(f"{name}: {len(count)}, {', '.join(count[:NAMED_MAX])}")
    return found


def _more_than_once(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _without(these: Sequence[tuple[str, int]], those: Sequence[tuple[str, int]]) -> list[str]:
    return sorted(f"{name} ({status})" for name, status in set(these) - set(those))
