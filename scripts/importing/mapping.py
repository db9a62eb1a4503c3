"""
The map of an import: which conversation each conversation of the source became, and how far it was brought over.

JSON lines, of which the last of a source id holds:

    {"source": "langchain", "source_id": "user-7", "conversation_id": "conv_…", "records": 12, "items": 15,
     "tokens": 830, "last_key": "", "digest": "…", "pending": null}

A line is added before and after each batch, so that whoever goes on after a crash knows what may be there: `pending`
says how many records were on their way, and behind which item they then stand. Open, it is locked. Memory holds a
place in the file for each conversation, not what stands there.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

LINE_BYTES_MAX = 64 * 1024
COMPACT_FROM = 2
"""Lines for each conversation, above which the file is written anew."""


class MapError(Exception):
    """The map cannot be used; the text says why."""


class Pending(NamedTuple):
    """So many *records* are on their way, and stand behind the item *after*, "" for the beginning."""

    records: int
    after: str


class Entry(NamedTuple):
    """
    What is known of a conversation. *records* of the source were read, and *items* made of them; *last_key* is that of
    the last of them, *digest* the hash of all. *conversation_id* is "" until its creation was answered.
    """

    source_id: str
    conversation_id: str = ""
    records: int = 0
    items: int = 0
    tokens: int = 0
    last_key: str = ""
    digest: str = ""
    pending: Pending | None = None


class Map:
    """The map in a file, made where there is none. Raises MapError. Any thread may use it."""

    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        self._source = source
        self._lock = threading.Lock()
        self._places: dict[bytes, int] = {}
        self._lines = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise MapError(f"the map {path} cannot be opened: {error.strerror}") from None
        try:
            self._hold(self._file)
            self._end = self._read()
        except BaseException:  # Ctrl-C as well: it holds the lock.
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places)

    def get(self, source_id: str) -> Entry | None:
        with self._lock:
            place = self._places.get(_short(source_id))
            if place is None:
                return None
            line = os.pread(self._file, LINE_BYTES_MAX, place).partition(b"\n")[0]
        return self._entry(line, place)

    def put(self, entry: Entry) -> None:
        """Add what is known now. Something that is pending is on the disk when this returns."""
        line = json.dumps({"source": self._source, **entry._asdict(), "pending": _told(entry.pending)}).encode() + b"\n"
        if len(line) > LINE_BYTES_MAX:
            raise MapError(f"the id of the conversation {entry.source_id[:40]!r}… is too long for a line of the map")
        with self._lock:
            os.pwrite(self._file, line, self._end)
            if entry.pending:
                os.fsync(self._file)
            self._places[_short(entry.source_id)] = self._end
            self._end += len(line)
            self._lines += 1

    def entries(self) -> Iterator[Entry]:
        """Yield what is known of each conversation, in the order in which they were last written."""
        with self._lock:
            places = sorted(self._places.values())
        for place in places:
            yield self._entry(os.pread(self._file, LINE_BYTES_MAX, place).partition(b"\n")[0], place)

    def close(self) -> None:
        """Write the file anew, a line for each conversation, where it has grown; then let go of it."""
        try:
            if self._lines > COMPACT_FROM * len(self._places):
                self._compact()
        finally:
            os.close(self._file)

    def _compact(self) -> None:
        beside = self._path.with_name(f"{self._path.name}.new")
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._hold(file)
        with os.fdopen(os.dup(file), "wb") as lines:
            for entry in self.entries():
                told = {"source": self._source, **entry._asdict(), "pending": _told(entry.pending)}
                lines.write(json.dumps(told).encode() + b"\n")
            lines.flush()
            os.fsync(file)
        beside.replace(self._path)
        os.close(self._file)
        self._file = file

    def _hold(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MapError(f"the map {self._path} is in use by another import; wait for its end") from None

    def _read(self) -> int:
        """Note where each conversation stands; return where the next line goes: a torn one, of a crash, is none."""
        at = 0
        with os.fdopen(os.dup(self._file), "rb") as lines:
            lines.seek(0)
            for line in iter(lambda: lines.readline(LINE_BYTES_MAX + 1), b""):
                if not line.endswith(b"\n"):
                    if len(line) > LINE_BYTES_MAX:
                        raise MapError(f"{self._path} is no map of an import: a line is too long")
                    os.ftruncate(self._file, at)
                    break
                self._places[_short(self._entry(line, at).source_id)] = at
                at += len(line)
                self._lines += 1
        return at

    def _entry(self, line: bytes, at: int) -> Entry:
        try:
            fields = json.loads(line)
            source = fields.pop("source")
            pending = fields.pop("pending")
            entry = Entry(**fields, pending=Pending(**pending) if pending else None)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise MapError(f"{self._path} is no map of an import: see its byte {at:,}") from None
        if source != self._source:
            raise MapError(f"{self._path} is the map of {source!r}, and not of {self._source!r}: take another, or --as")
        return entry


def _told(pending: Pending | None) -> dict[str, object] | None:
    return pending._asdict() if pending else None


def _short(source_id: str) -> bytes:
    return hashlib.blake2b(source_id.encode(errors="surrogatepass"), digest_size=12).digest()
