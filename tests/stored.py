"""
Fixtures of what releases left in a store (`scripts/stored`): the files of each, a store that holds one, calls of it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson

from scripts.storing.lines import load
from shared.store.keys import conversation_key

FOLDER = Path(__file__).parent / "data/stored"


class Stored(NamedTuple):
    """What one release left: *about* it, what was asked of it (*writes*, *reads*), and the *lines* of its store."""

    about: dict[str, Any]
    writes: list[dict[str, Any]]
    reads: list[dict[str, Any]]
    lines: list[bytes]

    @property
    def values(self) -> dict[str, Any]:
        """The keys of the store, each with its value as the lines say it."""
        return {said["key"]: said["value"] for said in map(orjson.loads, self.lines)}

    def path(self, name: str) -> str:
        """Return the path of the conversation that is there for *name*."""
        return f"/v1/conversations/{self.about['conversations'][name]}"

    def key(self, name: str) -> str:
        """Return the name in the store of the conversation that is there for *name*."""
        return conversation_key("fixture", self.about["conversations"][name])

    def put(self, run: Callable[..., Any]) -> None:
        """Let the store hold this and nothing else."""
        run("FLUSHALL")
        load(run, self.lines)


def read_stored(version: str, folder: Path = FOLDER) -> Stored:
    folder = folder / version
    calls = [orjson.loads(line) for line in (folder / "calls.jsonl").read_bytes().splitlines()]
    kinds = {kind: [call[kind] for call in calls if kind in call] for kind in ("about", "write", "read")}
    lines = (folder / "store.jsonl").read_bytes().splitlines()
    return Stored(kinds["about"][0], kinds["write"], kinds["read"], lines)


def versions() -> list[str]:
    """Return the releases that there are fixtures of, the newest last."""
    names = [each.name for each in FOLDER.iterdir() if each.is_dir()]
    return sorted(names, key=lambda name: int(read_stored(name).about["written_at_unix_s"]))


def items_of(api: httpx.Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while True:
        after = {"after": items[-1]["id"]} if items else {}
        page = api.get(f"{path}/items", params={"order": "asc", "limit": 100, **after}).raise_for_status().json()
        items += page["data"]
        if not page["has_more"]:
            return items


def post(api: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = api.post(path, json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    told: dict[str, Any] = answer.json()
    return told
