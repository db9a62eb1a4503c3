"""
What is new of a conversation of the source: read once, checked, and kept on disk until it is sent, a batch at a time.

    with Fresh(session, entry, checker) as fresh:       reads, compares what was brought over before, checks the rest
        fresh.refusals, fresh.size
        fresh.batches(first)                             batches that fit a request

What is sent is what was checked, whatever becomes of the source meanwhile.
"""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

from scripts.importing.checking import BATCH_BYTES_MAX, BATCH_STRUCTURE_MAX, Checker, Refusal, Size, over
from scripts.importing.mapping import Entry
from scripts.importing.source import ITEMS, Json, Record, Session

ITEMS_MAX = 100
IN_MEMORY_BYTES = 4 * 1024 * 1024
REFUSALS_KEPT = 100


class Changed(Exception):
    """The conversation of the source no longer begins with what was brought over; the text says how."""


class Batch(NamedTuple):
    """
    *records* of the source that travel together, or make nothing; *values* of one *form*. *size* is what they come to,
    *last_key* and *digest* are those after the last of them.
    """

    records: int
    form: str
    values: list[Json]
    size: Size
    last_key: str
    digest: str


class Fresh:
    """The records of *session* behind those that *entry* knows. *on_record* is called with each that is read."""

    def __init__(self, session: Session, entry: Entry, checker: Checker, on_record: Callable[[], None]) -> None:
        self.refusals: list[Refusal] = []
        self.refused = 0
        self.records = 0
        self.size = Size()
        self.left_out: Counter[str] = Counter()
        self._checker = checker
        self._ids: set[bytes] = set()
        self._spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by __exit__.
        try:
            for record, digest in _behind(session, entry, self._note_id):
                on_record()
                self._take(record, digest)
            if self.records:
                self.left_out.update(session.left_out)
        except BaseException:  # Ctrl-C as well: nobody has it to close.
            self._spool.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def _note_id(self, record: Record) -> Record:
        """Return *record* without ids that stood in the conversation before: here they are taken once."""
        if record.form != ITEMS:
            return record
        values = []
        for value in record.values:
            known = hashlib.blake2b(str(value.get("id")).encode(errors="replace"), digest_size=8).digest()
            if value.get("id") is not None and known in self._ids:
                value = {name: each for name, each in value.items() if name != "id"}
            self._ids.add(known)
            values.append(value)
        return record._replace(values=tuple(values))

    def _take(self, record: Record, digest: str) -> None:
        checked = self._checker.check(record)
        self.records += 1
        self.left_out.update(record.left_out)
        if isinstance(checked, Refusal):
            self._refuse(checked)
            record, checked = record._replace(values=()), Size()
        self.size = self.size.plus(checked)
        line = [record.key, record.form, record.values, checked, digest]
        self._spool.write(json.dumps(line).encode() + b"\n")

    def _refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        if len(self.refusals) < REFUSALS_KEPT:
            self.refusals.append(refusal)

    def is_too_much(self, entry: Entry) -> Refusal | None:
        """Return why the conversation would be too much as a whole, with what *entry* knows of it."""
        return over(self.size.plus(Size(entry.items)))

    def batches(self, first: int = 0) -> Iterator[Batch]:
        """Yield what is to be sent, in order; the first batch of exactly *first* records, where that is not 0."""
        batch = Batch(0, ITEMS, [], Size(), "", "")
        self._spool.seek(0)
        for line in self._spool:
            key, form, values, size, digest = json.loads(line)
            size = Size(*size)
            is_full = batch.records == first if first else _ends_before(batch, form, size)
            if batch.records and is_full:
                yield batch
                batch, first = Batch(0, ITEMS, [], Size(), "", ""), 0
            form = form if values else batch.form
            values, size = [*batch.values, *values], batch.size.plus(size)
            batch = Batch(batch.records + 1, form, values, size, key, digest)
        if batch.records:
            yield batch


def _ends_before(batch: Batch, form: str, size: Size) -> bool:
    """Tell whether what comes next goes into another batch."""
    if not size.items or not batch.values:
        return False
    together = batch.size.plus(size)
    return (
        form != batch.form
        or together.items > ITEMS_MAX
        or together.sent_bytes > BATCH_BYTES_MAX
        or together.structure > BATCH_STRUCTURE_MAX
    )


def _behind(session: Session, entry: Entry, note: Callable[[Record], Record]) -> Iterator[tuple[Record, str]]:
    """
    Yield the records that *entry* does not know, each with the digest up to it.

    Raises:   Changed: those that it knows are not what they were.
    """
    digest, number, is_new = "", 0, entry.records == 0
    for number, record in enumerate(session.records(), 1):
        digest = chained(digest, record)
        record = note(record)
        if is_new:
            yield record, digest
        elif entry.last_key:
            is_new = record.key == entry.last_key
        elif number == entry.records:
            is_new = digest == entry.digest
            if not is_new:
                raise Changed(f"its first {entry.records} records are not those that were brought over")
    if not is_new and entry.last_key:
        raise Changed(f"the last record that was brought over, {entry.last_key}, is no longer in it")
    if not is_new:
        raise Changed(f"it has {number} records, and {entry.records} were brought over")


def chained(digest: str, record: Record) -> str:
    """Return the hash of all records up to *record*, from that of those before it."""
    said = json.dumps([digest, record.form, record.values, record.wrong], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
