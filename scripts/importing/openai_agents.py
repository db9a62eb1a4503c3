"""
Sessions of openai-agents: RedisSession, and SQLiteSession in a file.

    RedisSession     list   agents:session:<id>:messages     RPUSH, an item as JSON each
                     hash   agents:session:<id>              session_id, created_at, updated_at
    SQLiteSession    tables agent_sessions, agent_messages   an item as JSON in message_data

What they hold are items of the Responses API already. Left away is what the framework notes for itself: ids that it
made up where a model has none, and `provider_data`. An EncryptedSession holds ciphertext and has no key here: its items
are refused.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from scripts.importing.redis_reading import Reading
from scripts.importing.source import Json, Record, Session, SourceError, object_of, wanted

PREFIX, SUFFIX = "agents:session", ":messages"
MADE_UP_IDS = ("__fake_id__", "", None)
"""What the framework gives to items of models that have no ids."""

SESSIONS_TABLE, MESSAGES_TABLE = "agent_sessions", "agent_messages"
ROWS = 100


class RedisSessions:
    """The RedisSessions of a server, whose keys begin with *prefix*."""

    def __init__(self, url: str, prefix: str = "") -> None:
        self._redis = Reading(url)
        self._prefix = f"{prefix or PREFIX}:"

    def count(self) -> int | None:
        return None

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        for session_id in only or self._ids():
            name = self._name(session_id)
            if only and self._redis.type_of(name) != "list":
                raise SourceError(f"there is no conversation {session_id!r}: no list {name!r}")
            yield Session(session_id, partial(self._records, name), self._metadata(session_id))

    def _ids(self) -> Iterator[str]:
        for name in self._redis.names(self._prefix, SUFFIX, "list"):
            yield name.removeprefix(self._prefix).removesuffix(SUFFIX)

    def _name(self, session_id: str) -> str:
        return f"{self._prefix}{session_id}{SUFFIX}"

    def _metadata(self, session_id: str) -> Mapping[str, str]:
        name = f"{self._prefix}{session_id}"
        if self._redis.type_of(name) != "hash":
            return {}
        created_at = self._redis.call("HGET", name, "created_at")
        return {"import_created_at": created_at.decode(errors="replace")} if created_at else {}

    def _records(self, name: str) -> Iterator[Record]:
        for number, raw in enumerate(self._redis.in_order(name), 1):
            yield item_record(raw, f"item {number}")

    def close(self) -> None:
        self._redis.close()


class SQLiteSessions:
    """The SQLiteSessions of a file, which is opened for reading only."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError(f"there is no file {path}")
        self._address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(self._open()) as database:
            found = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if missing := {SESSIONS_TABLE, MESSAGES_TABLE} - found:
            raise SourceError(f"{path} has no table {min(missing)}: SQLiteSession did not make it")

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._address, uri=True, timeout=10)
        try:
            database.execute("SELECT 1 FROM sqlite_master LIMIT 1")
        except sqlite3.DatabaseError as error:
            database.close()
            raise SourceError(f"the file cannot be read: {error}") from None
        return database

    def count(self) -> int | None:
        with closing(self._open()) as database:
            return int(database.execute(f"SELECT count(*) FROM {SESSIONS_TABLE}").fetchone()[0])  # noqa: S608

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        found: set[str] = set()
        last = ""
        with closing(self._open()) as database:
            while rows := database.execute(
                f"SELECT session_id, created_at FROM {SESSIONS_TABLE} WHERE session_id > ? "  # noqa: S608
                "ORDER BY session_id LIMIT ?",
                (last, ROWS),
            ).fetchall():
                for session_id, created_at in rows:
                    last = session_id
                    if only and session_id not in only:
                        continue
                    found.add(session_id)
                    metadata = {"import_created_at": str(created_at)} if created_at else {}
                    yield Session(session_id, partial(self._records, session_id), metadata)
                    if only and len(found) == len(set(only)):
                        return
        wanted(only, found)

    def _records(self, session_id: str) -> Iterator[Record]:
        last, number = 0, 0
        with closing(self._open()) as database:
            while rows := database.execute(
                f"SELECT id, message_data FROM {MESSAGES_TABLE} WHERE session_id = ? AND id > ? "  # noqa: S608
                "ORDER BY id LIMIT ?",
                (session_id, last, ROWS),
            ).fetchall():
                for row_id, data in rows:
                    last, number = row_id, number + 1
                    yield item_record(data, f"item {number}", key=str(row_id))

    def close(self) -> None:
        """Each look opens the file anew."""


def item_record(raw: str | bytes, at: str, key: str = "") -> Record:
    """Return the record of an item as the framework stores it."""
    item = object_of(raw, at, key)
    if isinstance(item, Record):
        return item
    if "__enc__" in item:
        return Record(at, key, wrong="it is encrypted by an EncryptedSession; read it there, and import what comes out")
    left_out = ("provider_data",) if item.get("provider_data") else ()
    return Record(at, key, values=(without_notes(item),), left_out=left_out)


def without_notes(item: Json) -> Json:
    """Return *item* without a made-up id and without `provider_data`."""
    dropped = ("provider_data", *(("id",) if item.get("id") in MADE_UP_IDS else ()))
    return {name: value for name, value in item.items() if name not in dropped}
