"""Stores of other packages, as those left them (tests/data/importing), and imports of them, for tests."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from scripts.importing.command import run
from scripts.importing.redis_reading import Reading
from scripts.local.signals import Stop
from tests.json_module import json_module

DATA = Path(__file__).parent / "data" / "importing"
OURS = "wt:"
"""What keys of the service begin with, which shares the Valkey."""

Json = dict[str, Any]


class Done(NamedTuple):
    """What an import printed, and its exit status."""

    status: int
    out: str
    err: str


class Importing:
    """Imports into the service at *url* with *key*, from the server at *redis*; the map is *map*."""

    def __init__(self, url: str, key: str, redis: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.key = key
        self.redis = redis
        self.map = folder / "map.jsonl"
        self._capsys = capsys

    def arguments(self, kind: str, *options: str, source: str | None = None) -> list[str]:
        to = ["--to", self.url, "--key", self.key, "--map", str(self.map)]
        return ["--from", kind, "--source", self.redis if source is None else source, *to, *options]

    def __call__(self, kind: str, *options: str, source: str | None = None) -> Done:
        self._capsys.readouterr()
        stop = Stop()
        try:
            status = run(self.arguments(kind, *options, source=source), stop)
        finally:
            stop.undo()
        return Done(status, *self._capsys.readouterr())

    def told(self, kind: str, *options: str, source: str | None = None) -> dict[str, Json]:
        """Import, and return what is told of each conversation, by its id in the source."""
        done = self(kind, "--json", *options, source=source)
        return {line["source_id"]: line for line in map(json.loads, done.out.splitlines())}

    def mapped(self) -> dict[str, Json]:
        """Return the map: the last line of each conversation."""
        return {line["source_id"]: line for line in map(json.loads, self.map.read_text().splitlines())}


@contextmanager
def other_store(redis_url: str) -> Iterator["Store"]:
    """Yield a store with the JSON module, empty but for the service's own keys, and empty again at the end."""
    with json_module(redis_url) as url:
        store = Store(url)
        try:
            yield store
        finally:
            store.clear()
            store.reading.close()


class Store:
    """A store that an import reads; tests write to it by `call`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.reading = Reading(url)
        self.call: Callable[..., Any] = self.reading.call
        self._before = self._names()

    def _names(self) -> set[bytes]:
        return set(self.call("KEYS", "*"))

    def clear(self) -> None:
        if made := {name for name in self._names() - self._before if not name.startswith(b"wt")}:
            self.call("DEL", *made)

    def load(self, name: str) -> None:
        """Write what a package stored: *name* of tests/data/importing."""
        for key in json.loads((DATA / f"{name}.json").read_text()):
            match key["type"]:
                case "list":
                    self.call("RPUSH", key["name"], *key["elements"])
                case "hash":
                    self.call("HSET", key["name"], *(word for pair in key["fields"].items() for word in pair))
                case "string":
                    self.call("SET", key["name"], key["value"])
                case _:
                    self.call("JSON.SET", key["name"], "$", key["value"])


def items_of(api: httpx.Client, conversation_id: str) -> list[Json]:
    """Return all items of a conversation."""
    found: list[Json] = []
    query: dict[str, Any] = {"order": "asc", "limit": 100}
    while True:
        page = api.get(f"/v1/conversations/{conversation_id}/items", params=query).json()
        found += page["data"]
        if not page["has_more"]:
            return found
        query["after"] = page["last_id"]


def texts_of(items: Sequence[Json]) -> list[str]:
    """Return the texts of messages, in order."""
    return [part["text"] for item in items for part in item.get("content") or [] if "text" in part]


def context_of(api: httpx.Client, conversation_id: str, context_format: str) -> Json:
    """Return the context in which there is room for all of a conversation."""
    query: dict[str, Any] = {"budget": 100_000_000, "format": context_format}
    answer: Json = api.get(f"/v1/conversations/{conversation_id}/context", params=query).json()
    return answer
