"""
Threads of OpenAI's Assistants API: from the API, or from files of what it answered.

    Threads       the API, which lists the messages of a thread, but no threads: their ids are the application's to know
    ThreadFiles   a file, or all *.json and *.jsonl of a folder: threads, messages, lists of either as the API answers
                  them, and {"thread": …, "messages": …}, one or many to a file

Messages are sorted by their times, whichever way they were listed.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.importing.api import Api
from scripts.importing.asking import ask
from scripts.importing.assistants_messages import message_record
from scripts.importing.sorting import Row, Sorter
from scripts.importing.source import PAIRS_MAX, Json, Record, Session, SourceError, wanted

PAGE = 100
BETA = {"openai-beta": "assistants=v2"}
FILE_BYTES_MAX = 256 * 1024 * 1024
"""Of a file that is one JSON value; one of JSON lines is read line by line, and may be of any size."""

LINE_CHARS_MAX = 64 * 1024 * 1024


class Threads:
    """The threads *ids* of the API."""

    def __init__(self, api: Api, ids: Sequence[str]) -> None:
        self._api = api
        self._ids = ids

    def count(self) -> int | None:
        return len(self._ids)

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        for thread_id in only or self._ids:
            thread = ask(self._api, f"/threads/{thread_id}", {})
            yield _session(thread_id, thread, partial(self._records, thread_id))

    def _records(self, thread_id: str) -> Iterator[Record]:
        query: dict[str, object] = {"limit": PAGE, "order": "asc"}
        number = 0
        while True:
            page = ask(self._api, f"/threads/{thread_id}/messages", query)
            for message in page["data"]:
                number += 1
                yield message_record(message, f"message {number}")
            if not page.get("has_more"):
                return
            query["after"] = page["data"][-1]["id"]

    def close(self) -> None:
        self._api.close()


class ThreadFiles:
    """The threads in *path*, a file or a folder. Reads all of it once, and holds it sorted on disk."""

    def __init__(self, path: Path) -> None:
        self._files = sorted(each for each in path.rglob("*.json*") if each.is_file()) if path.is_dir() else [path]
        if not self._files or not all(each.is_file() for each in self._files):
            raise SourceError(f"there is no file {path}, nor a folder with *.json or *.jsonl")
        self._seen = 0
        self._sorter = Sorter()
        try:
            for file in self._files:
                self._read(file)
            self._sorter.sort()
        except BaseException:  # Ctrl-C as well: what was sorted lies on disk.
            self._sorter.close()
            raise

    def count(self) -> int | None:
        return self._sorter.count()

    def sessions(self, only: Sequence[str]) -> Iterator[Session]:
        wanted(only, {each for each in only if self._sorter.has(each)})
        for thread_id in only or self._sorter.conversations():
            thread = json.loads(self._sorter.head(thread_id) or "{}")
            yield _session(thread_id, thread, partial(self._records, thread_id))

    def _records(self, thread_id: str) -> Iterator[Record]:
        for number, raw in enumerate(self._sorter.records(thread_id), 1):
            yield message_record(json.loads(raw), f"message {number}")

    def _read(self, file: Path) -> None:
        for where, value in values_of(file):
            rows: list[Row] = []
            for message in self._messages_in(value, where):
                thread_id, created_at = message.get("thread_id"), message.get("created_at")
                if not isinstance(thread_id, str) or not isinstance(created_at, int | float):
                    raise SourceError(f"{where}: a message without thread_id or created_at")
                self._seen += 1
                # Those of one second stay as they stand, and one that is in two files is there once.
                order = f"{self._seen:020}"
                key = str(message.get("id") or order)
                rows.append(Row(thread_id, key, float(created_at), order, json.dumps(message)))
            self._sorter.add(rows)

    def _messages_in(self, value: Any, where: str) -> Iterable[Json]:
        """Yield the messages in *value*, the oldest of a list first, and note its threads."""
        if isinstance(value, dict) and value.get("object") == "thread.message":
            return [value]
        if isinstance(value, dict) and value.get("object") == "thread":
            self._sorter.add_head(str(value.get("id")), json.dumps(value))
            return []
        if isinstance(value, dict) and isinstance(value.get("messages"), list | dict):
            own = self._messages_in(value["thread"], where) if isinstance(value.get("thread"), dict) else []
            return [*own, *self._messages_in(value["messages"], where)]
        if isinstance(value, dict) and value.get("object") == "list" and isinstance(value.get("data"), list):
            return self._messages_in(value["data"], where)
        if isinstance(value, list):
            found = [message for each in value for message in self._messages_in(each, where)]
            times = [message.get("created_at") or 0 for message in found]
            return found if times == sorted(times) else list(reversed(found))
        raise SourceError(f"{where}: neither a thread, nor a message of one, nor a list of those")

    def close(self) -> None:
        self._sorter.close()


def values_of(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the JSON values of a file, each with its place: the one that it is, or its lines. Raises SourceError."""
    with file.open(encoding="utf-8", errors="strict") as lines:
        try:
            for number, line in enumerate(iter(lambda: lines.readline(LINE_CHARS_MAX), ""), 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except ValueError:
                    if number > 1:
                        raise SourceError(f"{file}:{number}: it is not JSON") from None
                    break  # One value on many lines.
                yield f"{file}:{number}", value
            else:
                return
        except UnicodeDecodeError:
            raise SourceError(f"{file} is not UTF-8") from None
    if file.stat().st_size > FILE_BYTES_MAX:
        raise SourceError(f"{file} is one JSON value of more than {FILE_BYTES_MAX:,} bytes: write it as JSON lines")
    try:
        yield str(file), json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        raise SourceError(f"{file} is not JSON") from None


def _session(thread_id: str, thread: Json, records: Any) -> Session:
    metadata = {name: value for name, value in (thread.get("metadata") or {}).items() if isinstance(value, str)}
    kept = dict(list(metadata.items())[:PAIRS_MAX])
    created_at = thread.get("created_at")
    left_out = [*(["metadata"] if len(metadata) > PAIRS_MAX else []), *(["tool_resources"] if _holds(thread) else [])]
    told = {**kept, "import_created_at": str(created_at)} if created_at else kept
    return Session(thread_id, records, told, tuple(left_out))


def _holds(thread: Json) -> bool:
    resources = thread.get("tool_resources")
    return isinstance(resources, dict) and any(
        any(each.values()) for each in resources.values() if isinstance(each, dict)
    )


def read_ids(path: Path) -> list[str]:
    """Return the ids in a file, one a line. Raises SourceError."""
    try:
        found = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the ids of threads cannot be read: {error}") from None
    return list(dict.fromkeys(each for each in found if each and not each.startswith("#")))
