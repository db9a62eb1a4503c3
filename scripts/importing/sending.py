"""
Bringing one conversation over, so that each of its records is there once, whatever happened before.

    entry of the map, or what is found by its metadata -> what is new -> checked -> batches

A batch is appended directly behind the newest item, by If-Match, and the map says before it which item that is. So
after a crash it is known where the batch stands if it was stored: it is looked for there, and sent if it is not there,
with the same Idempotency-Key. A conversation that the map does not know, and that exists, is compared from its first
item on; where others have written to it, nothing is added.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from scripts.importing.api import Refused
from scripts.importing.batches import Batch, Changed, Fresh, chained
from scripts.importing.checking import Checker, Refusal, Size, body_of, essence, essences
from scripts.importing.mapping import Entry, Map, Pending
from scripts.importing.source import Record, Session
from scripts.importing.target import Ambiguous, Gone, Target, Tip
from shared.errors import ServiceError

NOTHING: Mapping[str, int] = {}
MOVED_MAX = 50
"""How often others may write between a look and an append."""


class State(StrEnum):
    """What became of a conversation."""

    NEW = "imported"
    GROWN = "grown"
    SAME = "unchanged"
    EMPTY = "empty"
    REFUSED = "refused"
    CONFLICT = "conflict"


class Outcome(NamedTuple):
    """
    What became of the conversation *source_id*. *records*, *items*, *tokens*: what is new of it. *reason*: why it is in
    conflict; *refusals*: some of the *refused* records. *left_out*: what has no place here, and how often.
    """

    source_id: str
    conversation_id: str
    state: State
    records: int = 0
    items: int = 0
    tokens: int = 0
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()
    left_out: Mapping[str, int] = NOTHING
    reason: str = ""


class Options(NamedTuple):
    """*skip_bad*: leave records out that would be refused, in place of the whole conversation."""

    skip_bad: bool = False
    expires_after_s: int | None = None


class Conflict(Exception):
    """What is in the service does not fit what the source says; the text says how."""


def looked_at(session: Session, checker: Checker, on_record: Callable[[], None]) -> Outcome:
    """Return what would come of *session*; nothing is sent."""
    with Fresh(session, Entry(session.id), checker, on_record) as fresh:
        refusals = _refusals(fresh, Entry(session.id))
        state = State.REFUSED if refusals else State.NEW if fresh.records else State.EMPTY
        return _outcome(session, Entry(session.id), fresh, state, refusals)


class Sender:
    """Brings conversations over; any thread may, each another conversation. Methods raise as Api.call."""

    def __init__(self, target: Target, mapping: Map, checker: Checker, options: Options) -> None:
        self._target = target
        self._mapping = mapping
        self._checker = checker
        self._options = options

    def bring(self, session: Session, on_record: Callable[[], None]) -> Outcome:
        """Bring over what is new of *session*. What is wrong with it is in the outcome."""
        entry = Entry(session.id)
        try:
            entry = self._known(session)
            with Fresh(session, entry, self._checker, on_record) as fresh:
                refusals = _refusals(fresh, entry)
                is_whole = all(each.at != "the conversation" for each in refusals)
                if refusals and not (self._options.skip_bad and is_whole):
                    return _outcome(session, entry, fresh, State.REFUSED, refusals)
                if not fresh.records:
                    state = State.SAME if entry.conversation_id else State.EMPTY
                    return _outcome(session, entry, fresh, state, ())
                return self._send(session, entry, fresh, refusals)
        except (Changed, Conflict, Ambiguous) as error:
            return Outcome(session.id, entry.conversation_id, State.CONFLICT, reason=str(error))
        except Refused as error:
            return self._refused(session, error)

    def _send(self, session: Session, known: Entry, fresh: Fresh, refusals: tuple[Refusal, ...]) -> Outcome:
        entry = known
        for batch in fresh.batches(known.pending.records if known.pending else 0):
            entry = self._deliver(session, entry, batch)
        is_new = not known.conversation_id
        if not entry.conversation_id:  # Nothing of it could be carried.
            return _outcome(session, entry, fresh, State.REFUSED if refusals else State.EMPTY, refusals)
        return _outcome(session, entry, fresh, State.NEW if is_new else State.GROWN, refusals)

    def _known(self, session: Session) -> Entry:
        """Return what is known of *session*, by the map or by what the service has. Raises Conflict, Ambiguous."""
        entry = self._mapping.get(session.id)
        if entry is not None and entry.conversation_id:
            return entry
        conversation_id = self._target.found(session.id)
        if conversation_id is None:
            return entry or Entry(session.id)
        entry = self._compared(session, conversation_id)
        self._mapping.put(entry)
        return entry

    def _compared(self, session: Session, conversation_id: str) -> Entry:
        """Return how much of *session* the conversation holds, which has to be all that it holds. Raises Conflict."""
        there = self._target.behind(conversation_id, "")
        entry, item = Entry(session.id, conversation_id), next(there, None)
        tokens = 0
        for record in session.records():
            if item is None:
                break
            size = self._checker.check(record)
            if isinstance(size, Refusal):
                size, made = Size(), []
            else:
                made = essences(record.form, record.values)
            for wanted in made:
                if item is None or essence(item) != wanted:
                    raise Conflict(
                        f"{conversation_id} exists, and differs at {record.at}: others have written to it, or the "
                        "source has changed. Bring the map that this import was made with"
                    )
                item = next(there, None)
            tokens += size.tokens
            entry = _further(entry, record, len(made), tokens)
        if item is not None:
            raise Conflict(f"{conversation_id} exists, and holds more than the source. Bring the map of its import")
        return entry

    def _deliver(self, session: Session, entry: Entry, batch: Batch) -> Entry:
        """Return *entry* with *batch*, which is there once."""
        if not batch.values:
            return self._done(entry, batch, 0)
        try:
            wanted = essences(batch.form, batch.values)
        except ServiceError as error:
            raise Conflict(f"what was right one by one is refused together: {error}") from None
        if not entry.conversation_id:
            return self._create(session, entry, batch, len(wanted))
        if entry.pending and self._is_there(entry.conversation_id, entry.pending.after, wanted):
            return self._done(entry, batch, len(wanted))
        for _ in range(MOVED_MAX):
            tip = self._target.tip(entry.conversation_id)
            entry = entry._replace(pending=Pending(batch.records, tip.item_id))
            self._mapping.put(entry)
            if self._append(entry, batch, tip):
                return self._done(entry, batch, len(wanted))
        raise Conflict(f"others write to {entry.conversation_id} all the time; try again when they are done")

    def _create(self, session: Session, entry: Entry, batch: Batch, items: int) -> Entry:
        """Return *entry* with a conversation that holds *batch*. It is created with it, so that it is never empty."""
        entry = entry._replace(pending=Pending(batch.records, ""))
        self._mapping.put(entry)
        body = body_of(batch.form, batch.values)
        try:
            made = self._target.create(session.id, session.metadata, body, self._options.expires_after_s)
        except Gone:
            raise Conflict(
                "it was imported within the last day, and deleted here since: import it a day later, or by another "
                "name (--as)"
            ) from None
        except Refused as error:
            if error.code != "idempotency_key_reused":
                raise
            raise Conflict(
                "an import of this name began it within the last day, from other records or with other options; run "
                "it again, and if it says so again, a day later or by another name (--as)"
            ) from None
        return self._done(entry._replace(conversation_id=made), batch, items)

    def _append(self, entry: Entry, batch: Batch, tip: Tip) -> bool:
        """Append *batch* behind *tip*; tell whether it was, and not that others were faster."""
        body = body_of(batch.form, batch.values)
        try:
            self._target.append(entry.conversation_id, entry.source_id, entry.records, body, tip)
        except Refused as error:
            if error.status == 412:
                return False
            if error.code == "duplicate_item":
                raise Conflict(
                    f"{entry.conversation_id} has an item of it already: the map is older than the conversation"
                ) from None
            raise
        return True

    def _is_there(self, conversation_id: str, after: str, wanted: list[bytes]) -> bool:
        there: Iterator[bytes] = map(essence, self._target.behind(conversation_id, after, len(wanted)))
        return list(islice(there, len(wanted))) == wanted

    def _done(self, entry: Entry, batch: Batch, items: int) -> Entry:
        entry = entry._replace(
            records=entry.records + batch.records,
            items=entry.items + items,
            tokens=entry.tokens + batch.size.tokens,
            last_key=batch.last_key,
            digest=batch.digest,
            pending=None,
        )
        if entry.conversation_id:
            self._mapping.put(entry)
        return entry

    def _refused(self, session: Session, error: Refused) -> Outcome:
        entry = self._mapping.get(session.id) or Entry(session.id)
        if error.status == 404 and entry.conversation_id:
            reason = f"{entry.conversation_id} is gone, or another tenant's: the map is of another import"
            return Outcome(session.id, entry.conversation_id, State.CONFLICT, reason=reason)
        if error.status in (401, 403, 404):
            raise error
        refusal = Refusal("what was sent", error.field, str(error))
        return Outcome(session.id, entry.conversation_id, State.REFUSED, refused=1, refusals=(refusal,))


def _further(entry: Entry, record: Record, items: int, tokens: int) -> Entry:
    return entry._replace(
        records=entry.records + 1,
        items=entry.items + items,
        tokens=tokens,
        last_key=record.key,
        digest=chained(entry.digest, record),
    )


def _refusals(fresh: Fresh, entry: Entry) -> tuple[Refusal, ...]:
    too_much = fresh.is_too_much(entry)
    return (*fresh.refusals, *((too_much,) if too_much else ()))


def _outcome(session: Session, entry: Entry, fresh: Fresh, state: State, refusals: tuple[Refusal, ...]) -> Outcome:
    refused = max(fresh.refused, len(refusals))
    size = fresh.size
    return Outcome(
        session.id,
        entry.conversation_id,
        state,
        fresh.records,
        size.items,
        size.tokens,
        refused,
        refusals,
        fresh.left_out,
    )
