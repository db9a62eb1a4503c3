"""
What came back of a load: an entry a request, and what a turn used of the history before it.
"""

from collections import Counter
from typing import NamedTuple


class Answer(NamedTuple):
    """
    One request of a schedule. Times are seconds: *due_s*, *sent_s* and *ended_s* after the begin of the piece.

    *status* is 0 where no answer came. *tier*: L0, L1, partial (L2, of which a part was held), L2, STALE, or nothing;
    of the baseline right, wrong (another instance went on with the history), missing (none was there). *service_ms* is
    what the instance says it took, *instance* which one it was. *error* names the problem, or what the platform says
    in x-vercel-error.
    """

    kind: str
    turn: int
    due_s: float
    sent_s: float
    ended_s: float
    status: int
    tier: str = ""
    instance: str = ""
    is_cold: bool = False
    service_ms: float = 0.0
    used: "Used | None" = None
    bytes_sent: int = 0
    bytes_received: int = 0
    error: str = ""

    @property
    def latency_ms(self) -> float:
        """From when it was due, not from when it was sent: who waits does not hide it."""
        return (self.ended_s - self.due_s) * 1_000


class Used(NamedTuple):
    """
    Of the entries before a turn that its context shows: those that the instance held, and the rest, which the store
    sent. *could*: those that it had answered with before, so the most that it can have held.
    """

    entries: int
    held: int
    could: int
    tokens: int = 0


def used_of(kept: int, own: int, before: int, known: int, tier: str) -> tuple[int, int, int]:
    """
    Return entries, held and could of `Used` for a context of *kept* entries, of which *own* were appended with it.

    *before*: entries of the conversation then; *known*: how many of those the instance had answered with before.
    """
    entries = max(0, min(kept - own, before))
    could = max(0, entries - (before - min(known, before))) if known else 0
    if tier in ("L0", "L1"):
        return entries, entries, max(could, entries)
    return entries, could if tier == "partial" else 0, could


def statuses(answers: list[Answer]) -> dict[str, int]:
    """Return how many answers had each status, with the error's name where there is one."""
    return dict(sorted(Counter(f"{each.status} {each.error}".rstrip() for each in answers).items()))
