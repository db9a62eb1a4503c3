"""
What is recorded of one conversation that several processes use: operations as their callers saw them, and the log.

The model: a log of items. An append adds its whole batch to the end of the log at one instant between its start
and its end, or never when it was refused; with an unknown outcome, at any instant from its start on, or never. A
delete blanks one item. A read shows the log as it was at one instant between its start and its end, or up to
`max_age_ns` before. A rollback sets the log back at one instant; what is before and what is after it are two
histories, and a read that overlaps it belongs to one of them, never to both.

Items are known by their text, which only one append ever sends: ids are given by the service, so that nothing but
the service keeps a batch from being stored twice. Times are those of time.monotonic_ns.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

ALWAYS, NEVER = -1, 1 << 63
"""Before and after every instant."""


class Outcome(StrEnum):
    """What a caller knows of a write."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Append(NamedTuple):
    """A batch, all attempts at it as one. *ids* are those of the answer; a batch may stand *copies_max* times."""

    process: int
    start_ns: int
    end_ns: int
    outcome: Outcome
    texts: tuple[str, ...]
    ids: tuple[str, ...] = ()
    copies_max: int = 1


class Delete(NamedTuple):
    process: int
    start_ns: int
    end_ns: int
    outcome: Outcome
    id: str


class Read(NamedTuple):
    """
    A list or a context: *ids* in log order.

    It claims to show every live item behind *after* ("": the start of the log; None: its own first id), up to its
    own last id or, with *to_end*, up to the end of the log.
    """

    process: int
    start_ns: int
    end_ns: int
    ids: tuple[str, ...]
    after: str | None = ""
    to_end: bool = True
    version: int | None = None
    max_age_ns: int = 0

    @property
    def as_of_ns(self) -> int:
        """The instant that it may be as old as."""
        return self.start_ns - self.max_age_ns

    @property
    def is_whole(self) -> bool:
        return self.after == "" and self.to_end


class Lookup(NamedTuple):
    """A read of a single item."""

    process: int
    start_ns: int
    end_ns: int
    id: str
    found: bool
    max_age_ns: int = 0

    @property
    def as_of_ns(self) -> int:
        """The instant that it may be as old as."""
        return self.start_ns - self.max_age_ns


class Log(NamedTuple):
    """The log as the store holds it: every id ever given in it, with its text, and those that are blank."""

    ids: tuple[str, ...]
    texts: Mapping[str, str]
    deleted: frozenset[str] = frozenset()
    version: int = 0

    @property
    def live(self) -> tuple[str, ...]:
        return tuple(each for each in self.ids if each not in self.deleted)


class Rollback(NamedTuple):
    """The store went from *before* to *after*, an earlier state of itself, in one instant."""

    start_ns: int
    end_ns: int
    before: Log
    after: Log


Seen = Read | Lookup
Operation = Append | Delete | Read | Lookup | Rollback


class History(NamedTuple):
    """*log* is the store's in the end, *finals* what each process then showed of it."""

    operations: list[Operation]
    log: Log
    finals: Mapping[int, tuple[str, ...]]


class Epoch(NamedTuple):
    """The time between two rollbacks: from *first* to *last*, begun and ended within the spans."""

    begin: tuple[int, int]
    end: tuple[int, int]
    first: Log
    last: Log

    def may_hold(self, operation: Append | Delete | Seen) -> bool:
        return operation.end_ns >= self.begin[0] and _since_ns(operation) <= self.end[1]

    def holds(self, operation: Append | Delete | Seen) -> bool:
        """Whether all of *operation* lies between the two rollbacks."""
        return _since_ns(operation) > self.begin[1] and operation.end_ns < self.end[0]


def _since_ns(operation: Append | Delete | Seen) -> int:
    """Return when *operation* can have happened at the earliest; a read may be of before a rollback as well."""
    return operation.as_of_ns if isinstance(operation, Read | Lookup) else operation.start_ns
