"""
One part of a recorded history, between two rollbacks, held against its log.

The log's order is the order in which appends happened, so what must be visible at an instant is a prefix of it: up
to the newest item whose append was acknowledged, or that any read has shown, before that instant.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

from scripts.proving.history.recorded import (
    ALWAYS,
    NEVER,
    Append,
    Delete,
    Epoch,
    Lookup,
    Operation,
    Outcome,
    Read,
    Rollback,
    Seen,
)

NAMED_MAX = 3
"""Items that a finding names."""


class Floor:
    """The largest value of all events before an instant."""

    def __init__(self, events: Iterable[tuple[int, int]], base: int = -1) -> None:
        self._times: list[int] = []
        self._values = [base]
        for time_ns, value in sorted(events):
            self._times.append(time_ns)
            self._values.append(max(self._values[-1], value))

    def at(self, time_ns: int) -> int:
        return self._values[bisect_left(self._times, time_ns)]


class Timeline:
    """What one epoch's log and operations say of each other."""

    def __init__(self, epoch: Epoch, operations: Iterable[Operation]) -> None:
        self.epoch = epoch
        self._log = epoch.last
        self._position = {id_: at for at, id_ in enumerate(self._log.ids)}
        self._at: dict[str, list[int]] = {}
        for at, id_ in enumerate(self._log.ids):
            self._at.setdefault(self._log.texts[id_], []).append(at)
        everything = [each for each in operations if not isinstance(each, Rollback)]
        self._sent = [each for each in everything if isinstance(each, Append) and each.start_ns <= epoch.end[1]]
        self._appends = [each for each in self._sent if epoch.may_hold(each)]
        # What nobody knows the outcome of may also happen late.
        self._deletes = [
            each
            for each in everything
            if isinstance(each, Delete) and (epoch.may_hold(each) or self._may_come_late(each))
        ]
        self._reads = [each for each in everything if isinstance(each, Read | Lookup) and epoch.holds(each)]

        first = len(epoch.first.ids) - 1
        self._acknowledged = Floor(
            ((each.end_ns, self._newest(each.ids)) for each in self._appends if each.outcome is Outcome.OK), first
        )
        self._shown = Floor(((each.end_ns, self._newest(_ids_shown(each))) for each in self._reads), first)
        self._batch_end = {
            at: start + len(each.texts) - 1
            for each in self._sent
            for start in self._at.get(each.texts[0], [])
            for at in range(start, start + len(each.texts))
        }
        self._read_deletes()

    def _may_come_late(self, write: Append | Delete) -> bool:
        return write.outcome is Outcome.UNKNOWN and write.start_ns <= self.epoch.end[1]

    def _newest(self, ids: Iterable[str]) -> int:
        return max((self._position.get(each, -1) for each in ids), default=-1)

    def _read_deletes(self) -> None:
        """Note from when on each item may be gone, and from when on it must be."""
        gone = {self._position[each]: ALWAYS for each in self.epoch.first.deleted}
        self._may_be_gone, self._is_gone = dict(gone), dict(gone)
        for each in self._deletes:
            at = self._position.get(each.id)
            if at is not None and each.outcome is not Outcome.REFUSED:
                self._may_be_gone[at] = min(each.start_ns, self._may_be_gone.get(at, NEVER))
                if each.outcome is Outcome.OK and self.epoch.holds(each):
                    self._is_gone[at] = min(each.end_ns, self._is_gone.get(at, NEVER))
        # What a read has not shown although it could not be news to it is gone for later ones as well.
        for read in self._reads:
            low, high, shown = self._range(read)
            for at, begun_ns in self._may_be_gone.items():
                if low <= at <= high and at not in shown and begun_ns < read.end_ns:
                    self._is_gone[at] = min(read.end_ns, self._is_gone.get(at, NEVER))

    def _range(self, read: Seen) -> tuple[int, int, frozenset[int]]:
        """Return the first and the last position that *read* must show if it is live, and those that it shows."""
        required = max(self._acknowledged.at(read.as_of_ns), self._shown.at(read.as_of_ns))
        if isinstance(read, Lookup):
            at = self._position.get(read.id, NEVER)
            if read.found:
                return at, at, frozenset([at])
            return at, at if at <= required else -1, frozenset()
        shown = [self._position[each] for each in read.ids if each in self._position]
        first_shown = shown[0] if shown else NEVER
        low = first_shown if read.after is None else self._position.get(read.after, -1) + 1
        high = shown[-1] if shown else low - 1
        if read.to_end:
            high = max(self._batch_end.get(high, high), required)
        return low, high, frozenset(shown)

    def broken(self) -> list[str]:
        """Return what is wrong in this epoch, but for acknowledged items that are missing from its log."""
        return [
            *self._broken_log(),
            *self._broken_order(),
            *self._broken_deletes(),
            *(finding for read in self._reads for finding in self.broken_by(read)),
            *self._broken_versions(),
        ]

    def _broken_log(self) -> Iterator[str]:
        first, log = self.epoch.first, self._log
        if log.ids[: len(first.ids)] != first.ids:
            yield "lost: the log no longer begins with what it held at first"
        for each in self._sent:
            starts = self._at.get(each.texts[0], [])
            if each.outcome is Outcome.REFUSED:
                if any(text in self._at for text in each.texts):
                    yield f"refused: {each.texts[0]} was refused and is in the log"
                continue
            whole = [[start + n for start in starts] for n in range(len(each.texts))]
            if whole != [self._at.get(text, []) for text in each.texts]:
                yield f"split: the batch {each.texts[0]} is not in one piece"
            # A repeat is known by the tail: what others wrote in between makes it a new batch.
            touching = any(b - a == len(each.texts) for a, b in pairwise(starts))
            if len(starts) > each.copies_max or (touching and not self._deleted_during(each)):
                yield f"duplicate: the batch {each.texts[0]} is stored {len(starts)} times"
            if starts and starts[-1] >= len(first.ids) and not (self.epoch.may_hold(each) or self._may_come_late(each)):
                yield f"phantom: {each.texts[0]} was rolled back and is in the log again"
        sent = {text for each in self._sent for text in each.texts}
        for text in self._at.keys() - sent:
            yield f"phantom: {text} is in the log and was never sent"

    def _deleted_during(self, append: Append) -> bool:
        return any(each.start_ns < append.end_ns and each.end_ns > append.start_ns for each in self._deletes)

    def _broken_order(self) -> Iterator[str]:
        placed = [(each, self._at[each.texts[0]]) for each in self._appends if each.texts[0] in self._at]
        before = Floor((each.end_ns, self._newest(each.ids)) for each, _ in placed if each.outcome is Outcome.OK)
        for each, starts in placed:
            if starts[0] >= len(self.epoch.first.ids) and before.at(each.start_ns) > starts[0]:
                yield f"order: {each.texts[0]} stands before a batch acknowledged before it began"

    def _broken_deletes(self) -> Iterator[str]:
        blank = {self._position[each] for each in self._log.deleted}
        for each in self._deletes:
            if each.outcome is Outcome.OK and self.epoch.holds(each) and self._position.get(each.id) not in blank:
                yield f"deleted: the log still holds {self._log.texts.get(each.id, each.id)}"
        for at in blank - self._may_be_gone.keys():
            yield f"lost: {self._name(at)} is blank and nobody deleted it"

    def broken_by(self, read: Seen) -> list[str]:
        """Return what *read* shows that it must not, or does not show that it must."""
        who = f"process {read.process}"
        unknown = [each for each in _ids_shown(read) if each not in self._position]
        if unknown:
            return [f"phantom: {who} showed {unknown[0]}, which is not in the log"]
        as_of_ns = read.as_of_ns
        low, high, shown = self._range(read)
        broken = []
        if isinstance(read, Read):
            positions = [self._position[each] for each in read.ids]
            if len(shown) != len(positions):
                broken.append(f"duplicate: {who} showed an item twice")
            elif positions != sorted(positions):
                broken.append(f"order: {who} showed items in another order than the log's")
        acknowledged, seen = self._acknowledged.at(as_of_ns), self._shown.at(as_of_ns)
        missing: dict[str, list[int]] = {}
        for at in sorted(set(range(low, high + 1)) - shown):
            if self._may_be_gone.get(at, NEVER) >= read.end_ns:
                cut = isinstance(read, Read) and at > max(shown, default=-1)
                kind = "stale" if at <= acknowledged else "gone" if at <= seen else "split" if cut else "gap"
                missing.setdefault(kind, []).append(at)
        broken += [f"{kind}: {who} {WRONG[kind]}: {self._names(ats)}" for kind, ats in missing.items()]
        returned = sorted(at for at in shown & self._is_gone.keys() if self._is_gone[at] < as_of_ns)
        if returned:
            broken.append(f"deleted: {who} showed what was deleted before: {self._names(returned)}")
        return broken

    def _broken_versions(self) -> Iterator[str]:
        reads = [each for each in self._reads if isinstance(each, Read) and each.version is not None]
        versions = [(each.end_ns, each.version or 0) for each in reads]
        newest = Floor(versions)
        own = {
            process: Floor((each.end_ns, each.version or 0) for each in reads if each.process == process)
            for process in {each.process for each in reads}
        }
        contents: dict[int, tuple[str, ...]] = {}
        for each, (_, version) in zip(reads, versions, strict=True):
            if newest.at(each.as_of_ns) > version or own[each.process].at(each.start_ns) > version:
                yield f"version: process {each.process} went back to {version}"
            if each.is_whole and contents.setdefault(version, each.ids) != each.ids:
                yield f"version: {version} has two contents, one shown by process {each.process}"
        yield from self._versions_out_of_bounds(reads)

    def _versions_out_of_bounds(self, reads: list[Read]) -> Iterator[str]:
        """A version is the number of entries ever written: batches' items, and one for each deletion."""
        base = self.epoch.first.version
        every: list[Append | Delete] = [*self._sent, *self._deletes]
        writes = [each for each in every if each.outcome is not Outcome.REFUSED]
        done = [each for each in writes if each.outcome is Outcome.OK and self.epoch.holds(each)]
        # Those of earlier epochs are in the base or gone, unless nobody knows when they happened.
        possible = [each for each in writes if self.epoch.may_hold(each) or self._may_come_late(each)]
        least = _sums(((each.end_ns, _entries(each)) for each in done), base)
        most = _sums(((each.start_ns, _entries(each) * _copies_max(each)) for each in possible), base)
        for read in reads:
            version = read.version or 0
            if version < least.at(read.as_of_ns):
                yield f"version: process {read.process} read {version}, {least.at(read.as_of_ns)} were acknowledged"
            if version > most.at(read.end_ns):
                yield f"version: process {read.process} read {version}, {most.at(read.end_ns)} had been sent"

    def _names(self, positions: list[int]) -> str:
        named = ", ".join(self._name(at) for at in positions[:NAMED_MAX])
        return named if len(positions) <= NAMED_MAX else f"{named} and {len(positions) - NAMED_MAX} more"

    def _name(self, at: int) -> str:
        return self._log.texts[self._log.ids[at]]


WRONG = {
    "stale": "missed what was acknowledged before its read began",
    "gone": "missed what another read had shown before",
    "gap": "showed later items without earlier ones",
    "split": "showed part of a batch",
}


def _ids_shown(read: Seen) -> tuple[str, ...]:
    if isinstance(read, Read):
        return read.ids
    return (read.id,) if read.found else ()


def _entries(write: Append | Delete) -> int:
    return len(write.texts) if isinstance(write, Append) else 1


def _copies_max(write: Append | Delete) -> int:
    return write.copies_max if isinstance(write, Append) else 1


def _sums(events: Iterable[tuple[int, int]], base: int) -> Floor:
    total, summed = base, []
    for time_ns, value in sorted(events):
        total += value
        summed.append((time_ns, total))
    return Floor(summed, base)
