"""
Comparing what the service has with what the source says, conversation by conversation, by all that the items say.

What was brought over has to be there in order; what others added since may stand between, and is counted.
"""

from collections.abc import Callable
from typing import NamedTuple

from scripts.importing.api import Refused
from scripts.importing.checking import Checker, Refusal, digest_of, essence, essences
from scripts.importing.mapping import Map
from scripts.importing.source import Session
from scripts.importing.target import Target


class Verified(NamedTuple):
    """
    One conversation. *expected* items of *records* of the source, of which *there* are in the service, in order, among
    *others*. *not_yet* records came later than the last import, *left* would be refused. *digest* is that of what is
    expected, *found* that of what is there. *wrong*: what is wrong, "" where nothing is.
    """

    source_id: str
    conversation_id: str
    records: int = 0
    expected: int = 0
    there: int = 0
    others: int = 0
    not_yet: int = 0
    left: int = 0
    digest: str = ""
    found: str = ""
    wrong: str = ""


def verify(session: Session, mapping: Map, target: Target, checker: Checker, on_record: Callable[[], None]) -> Verified:
    """Return how *session* compares. Raises as Api.call, but for a conversation that is gone."""
    entry = mapping.get(session.id)
    if entry is None or not entry.conversation_id:
        return Verified(session.id, "", wrong="it was not imported")
    wanted: list[bytes] = []
    places: list[str] = []
    records = left = not_yet = 0
    is_behind = False
    for record in session.records():
        on_record()
        if is_behind or (not entry.last_key and records == entry.records):
            not_yet += 1
            continue
        records += 1
        if isinstance(checker.check(record), Refusal):
            left += 1
        else:
            made = essences(record.form, record.values)
            wanted += made
            places += [record.at] * len(made)
        is_behind = bool(entry.last_key) and record.key == entry.last_key
    told = Verified(session.id, entry.conversation_id, records, len(wanted), not_yet=not_yet, left=left)
    try:
        return _compared(told, wanted, places, target)
    except Refused as error:
        if error.status != 404:
            raise
        return told._replace(digest=digest_of(wanted), wrong="it is gone, or another tenant's")


def _compared(told: Verified, wanted: list[bytes], places: list[str], target: Target) -> Verified:
    there: list[bytes] = []
    others = 0
    for item in target.behind(told.conversation_id, ""):
        said = essence(item)
        if len(there) < len(wanted) and said == wanted[len(there)]:
            there.append(said)
        else:
            others += 1
    is_whole = len(there) == len(wanted)
    wrong = "" if is_whole else f"{places[len(there)]} is not there, or not in its place"
    return told._replace(there=len(there), others=others, digest=digest_of(wanted), found=digest_of(there), wrong=wrong)
