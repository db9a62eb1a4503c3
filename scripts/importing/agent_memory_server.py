"""
Working memory of Redis' agent-memory-server, read from its Redis.

    JSON or string    working_memory[:<namespace>][:<user>]:<session>

A document is a whole session: `messages` of role, content, id and created_at, and beside them what the server made of
messages that it took out (`context`), of all of them (`memories`), and what the application keeps there (`data`). The
summary comes first, as a developer message, which contexts always keep; memories and data have no place here.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from scripts.importing.redis_reading import JSON_TYPE, Reading
from scripts.importing.source import Json, Record, Session, object_of, wanted

PREFIX = "working_memory"
NO_SESSIONS = ("working_memory:migration:complete", "working_memory:migration:remaining")
ROLES = ("user", "assistant", "system", "developer")
CONTEXT = "context"


class WorkingMemories:
    """The working memories of a server, whose keys begin with *prefix*; behind it stands [namespace:][user:]id."""

    def __init__(self, url: str, prefix: str = "") -> None:
        self._redis = Reading(url)
        self._prefix = f"{prefix or PREFIX}:"

    def count(self) -> int | None:
        return None

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        found: set[str] = set()
        for name in [f"{self._prefix}{each}" for each in only] or self._names():
            document = self._document(name)
            if document is None:
                continue
            session_id = name.removeprefix(self._prefix)
            found |= {session_id} if only else set()
            told = {} if isinstance(document, Record) else document
            yield Session(session_id, partial(self._records, name), _metadata(told), _left_out(told))
        wanted(only, found)

    def _names(self) -> Iterator[str]:
        for kind in (JSON_TYPE, "string"):
            for name in self._redis.names(self._prefix, "", kind):
                if name not in NO_SESSIONS:
                    yield name

    def _document(self, name: str) -> Json | Record | None:
        """Return a session's document, what is wrong with it, or None where there is none (any more)."""
        kind = self._redis.type_of(name)
        if kind == JSON_TYPE:
            raw = self._redis.call("JSON.GET", name)
        elif kind == "string":
            raw = self._redis.call("GET", name)
        else:
            return None
        return None if raw is None else object_of(raw, "document")

    def _records(self, name: str) -> Iterator[Record]:
        document = self._document(name) or {}
        if isinstance(document, Record):
            yield document
            return
        if document.get("context"):
            yield Record(CONTEXT, CONTEXT, values=({"role": "developer", "content": document["context"]},))
        for number, message in enumerate(document.get("messages") or [], 1):
            yield _record(message, f"message {number}")

    def close(self) -> None:
        self._redis.close()


def _record(message: Any, at: str) -> Record:
    if not isinstance(message, dict):
        return Record(at, wrong="it is no JSON object")
    key, role, content = message.get("id"), message.get("role"), message.get("content")
    key = key if isinstance(key, str) else ""
    if role not in ROLES:
        return Record(at, key, wrong=f"a message of the role {role!r} has no place here", field="role")
    return Record(at, key, values=({"role": role, "content": content},))


def _metadata(document: Json) -> Mapping[str, str]:
    named = {f"import_{name}": document.get(name) for name in ("namespace", "user_id")}
    created_at = document.get("created_at")
    found = {name: value for name, value in named.items() if isinstance(value, str) and value}
    return {**found, "import_created_at": str(created_at)} if created_at else found


def _left_out(document: Json) -> tuple[str, ...]:
    return tuple(name for name in ("memories", "data") if document.get(name))
