"""
RedisChatMessageHistory of LangChain, of both packages that have one; a server may hold histories of either.

    langchain-community   list   message_store:<session>        LPUSH: the newest first; a message as JSON each
    langchain-redis       JSON   chat:<session>:<ulid>          a document a message, with the time of its storing

langchain-redis finds its documents by a search index. Here they are found by SCAN, and sorted on disk, so that neither
the index nor its limit of 10,000 messages matters.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from scripts.importing.langchain_messages import message_record
from scripts.importing.redis_reading import JSON_TYPE, Reading
from scripts.importing.sorting import PAGE, Row, Sorter
from scripts.importing.source import Json, Record, Session, SourceError, object_of, wanted

LISTS, DOCUMENTS = "message_store:", "chat:"


class Histories:
    """The histories of a server; keys begin with *prefix*, where it is given, in the place of both packages' own."""

    def __init__(self, url: str, prefix: str = "") -> None:
        self._redis = Reading(url)
        self._lists = prefix or LISTS
        self._documents = prefix or DOCUMENTS
        self._sorter: Sorter | None = None

    def count(self) -> int | None:
        return None

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        found: set[str] = set()
        for session_id in only or self._list_ids():
            if only and self._redis.type_of(f"{self._lists}{session_id}") != "list":
                continue
            if only:
                found.add(session_id)
            yield Session(session_id, partial(self._of_list, session_id))
        sorter = self._sorted(only)
        for session_id in sorter.conversations():
            if self._redis.type_of(f"{self._lists}{session_id}") == "list":
                raise SourceError(
                    f"{session_id!r} is a history of both packages, and they may differ: import those of one, by "
                    f"--prefix {LISTS} or --prefix {DOCUMENTS}; or both, each with a map and a name (--as) of its own"
                )
            found |= {session_id} if only else set()
            yield Session(session_id, partial(self._of_documents, sorter, session_id))
        wanted(only, found)

    def _list_ids(self) -> Iterator[str]:
        for name in self._redis.names(self._lists, "", "list"):
            yield name.removeprefix(self._lists)

    def _of_list(self, session_id: str) -> Iterator[Record]:
        for number, raw in enumerate(self._redis.oldest_first(f"{self._lists}{session_id}"), 1):
            stored = object_of(raw, f"message {number}")
            yield stored if isinstance(stored, Record) else message_record(stored, f"message {number}")

    def _sorted(self, only: Sequence[str]) -> Sorter:
        """Return the names of documents in the order of their times. Reads all names once."""
        self._sorter = sorter = Sorter()
        prefixes = [f"{self._documents}{each}:" for each in only] or [self._documents]
        for prefix in prefixes:
            for names in self._redis.pages(prefix, "", JSON_TYPE):
                heads = self._redis.together([("JSON.GET", name, "$.session_id", "$.timestamp") for name in names])
                sorter.add(_placed(name, head) for name, head in zip(names, heads, strict=True) if head)
        sorter.sort()
        return sorter

    def _of_documents(self, sorter: Sorter, session_id: str) -> Iterator[Record]:
        page: list[str] = []
        number = 0
        for name in sorter.records(session_id):
            page.append(name)
            if len(page) == PAGE:
                yield from self._read(page, number)
                page, number = [], number + PAGE
        yield from self._read(page, number)

    def _read(self, names: list[str], before: int) -> Iterator[Record]:
        documents = self._redis.together([("JSON.GET", name, "$") for name in names]) if names else []
        for number, (name, raw) in enumerate(zip(names, documents, strict=True), before + 1):
            at, key = f"message {number}", name.rpartition(":")[2]
            if raw is None:  # It expired meanwhile.
                continue
            document = _first(raw)
            if document is None:
                yield Record(at, key, wrong="it is no JSON object")
                continue
            record = message_record(document, at, key)
            yield record._replace(left_out=(*record.left_out, "tool_calls")) if _lost_calls(document) else record

    def close(self) -> None:
        if self._sorter is not None:
            self._sorter.close()
        self._redis.close()


def _placed(name: str, head: bytes) -> Row:
    """Return where the document of that *name* stands, by what `$.session_id` and `$.timestamp` say of it."""
    told: dict[str, Any] = json.loads(head)
    [session, timestamp] = ((told.get(path) or [None])[0] for path in ("$.session_id", "$.timestamp"))
    instant = float(timestamp) if isinstance(timestamp, int | float) else 0.0
    return Row(str(session if session is not None else name), name, instant, "", name)


def _lost_calls(document: Json) -> bool:
    """Tell whether an answer says nothing, and had calls that langchain-redis did not store."""
    data = document.get("data")
    return (
        document.get("type") == "ai" and isinstance(data, dict) and not data.get("content") and "tool_calls" not in data
    )


def _first(raw: bytes) -> Json | None:
    """Return the document: a path of JSON answers with a list."""
    found = json.loads(raw)
    value = found[0] if isinstance(found, list) and found else found
    return value if isinstance(value, dict) else None
