"""
Records of many conversations that come in no order, sorted on disk: memory holds a page of them at a time.

    sorter = Sorter()
    sorter.add(rows)              as they come; what comes twice, by its key, is there once
    sorter.conversations()        each conversation once
    sorter.records(id)            its records in order
    sorter.close()                removes the file

It is filled by one thread, and then read by any.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

PAGE = 100


class Row(NamedTuple):
    """
    A record and where it stands: in which *conversation*, at which *instant*, and by *order* where that is the same.
    *key* is its own in the conversation.
    """

    conversation: str
    key: str
    instant: float
    order: str
    record: str


class Sorter:
    """A table in a temporary file."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wt-import-")
        self._path = Path(self._folder.name) / "records"
        self._filling = self._open()
        self._filling.executescript(
            "PRAGMA synchronous = OFF;"  # What is lost with the machine is read again.
            "CREATE TABLE heads (conversation TEXT PRIMARY KEY, head TEXT) WITHOUT ROWID;"
            "CREATE TABLE records"
            " (conversation TEXT, key TEXT, instant REAL, place TEXT, record TEXT, UNIQUE (conversation, key));"
        )

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)

    def add(self, rows: Iterable[Row]) -> None:
        with self._filling:
            self._filling.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?)", rows)

    def add_head(self, conversation: str, head: str) -> None:
        """Keep what is known of a conversation as a whole; the last one holds."""
        with self._filling:
            self._filling.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (conversation, head))

    def sort(self) -> None:
        """Call it when all is added."""
        with self._filling:
            self._filling.execute("CREATE INDEX sorted ON records (conversation, instant, place, key)")

    def head(self, conversation: str) -> str | None:
        with closing(self._open()) as database:
            found = database.execute("SELECT head FROM heads WHERE conversation = ?", (conversation,)).fetchone()
        return found[0] if found else None

    def count(self) -> int:
        with closing(self._open()) as database:
            return int(database.execute("SELECT count(DISTINCT conversation) FROM records").fetchone()[0])

    def has(self, conversation: str) -> bool:
        with closing(self._open()) as database:
            found = database.execute("SELECT 1 FROM records WHERE conversation = ? LIMIT 1", (conversation,))
            return found.fetchone() is not None

    def conversations(self) -> Iterator[str]:
        last: str | None = None
        with closing(self._open()) as database:
            while found := database.execute(
                "SELECT min(conversation) FROM records WHERE ? IS NULL OR conversation > ?", (last, last)
            ).fetchone():
                [last] = found
                if last is None:
                    return
                yield last

    def records(self, conversation: str) -> Iterator[str]:
        last: tuple[float, str, str] = (float("-inf"), "", "")
        with closing(self._open()) as database:
            while rows := database.execute(
                "SELECT instant, place, key, record FROM records "
                "WHERE conversation = ? AND (instant, place, key) > (?, ?, ?) ORDER BY instant, place, key LIMIT ?",
                (conversation, *last, PAGE),
            ).fetchall():
                for instant, place, key, record in rows:
                    last = (instant, place, key)
                    yield record

    def close(self) -> None:
        self._filling.close()
        self._folder.cleanup()
