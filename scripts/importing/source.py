"""
What an import reads: conversations of another store, as records in the order in which they were said.

    Source.sessions() -> Session        a conversation there, with its id
    Session.records() -> Record         what one entry of it makes here, or why it makes nothing

A source is one module of this room. It reads, and never writes: not to the store that it reads from, either.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

type Json = dict[str, Any]

ITEMS = ""
"""The form of values that are items; the others are those of docs/dialects.md."""

PAIRS_MAX = 13
"""Of the 16 pairs that metadata may have, the import needs three."""


class SourceError(Exception):
    """The source cannot be read; the text says why, and what to do."""


class Record(NamedTuple):
    """
    One entry of a conversation.

    at         where it stands there, for people: "message 7"
    key        its own id there, which no other record of the conversation has; "" where the source has none
    form       of the values: ITEMS, or the dialect that they are messages of
    values     items or messages; none where nothing of it can be carried
    left_out   what of it has no place here, a word or two each
    wrong      why it cannot be read at all, "" if it can; *field* is the place within it
    """

    at: str
    key: str = ""
    form: str = ITEMS
    values: tuple[Json, ...] = ()
    left_out: tuple[str, ...] = ()
    wrong: str = ""
    field: str = ""


class Session(NamedTuple):
    """
    A conversation of the source. *metadata* goes with it, and must be the same each time that it is read; *records*
    begins anew with each call. *left_out*: what of the conversation as a whole has no place here.
    """

    id: str
    records: Callable[[], Iterator[Record]]
    metadata: Mapping[str, str] = {}
    left_out: tuple[str, ...] = ()


class Source(Protocol):
    """A store of conversations."""

    def count(self) -> int | None:
        """Return how many conversations there are, None where only reading all of them tells."""
        ...

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        """
        Yield the conversations, those of the ids *only* if it names any. One may come twice where others change it.

        Raises:   SourceError: the source does not answer, or one of *only* is not there.
        """
        ...

    def close(self) -> None: ...


def object_of(text: str | bytes, at: str, key: str = "") -> Json | Record:
    """Return the JSON object that *text* is, or a record that says why it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Record(at, key, wrong="it is not JSON")
    return value if isinstance(value, dict) else Record(at, key, wrong="it is no JSON object")


def wanted(only: Sequence[str], found: set[str]) -> None:
    """Raise SourceError where one of *only* was not *found*."""
    if missing := [each for each in only if each not in found]:
        raise SourceError(f"there is no conversation {missing[0]!r} in the source")
