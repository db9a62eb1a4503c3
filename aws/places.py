"""
Where a path leads: what vercel.json says, read once, for on Lambda no platform does it.

    a file in public/    ->  that file, before any rewrite
    /api/x               ->  the function api/x.py
    a rewrite's source   ->  the function or file of its destination
    anything else        ->  the function that tells callers what they may have meant

Of sources it knows text, `(.*)` and `(a|b)`, which are all that are used; another one is an error when it starts.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

UNKNOWN = "api.health"
"""The function that answers for paths that lead nowhere."""

FUNCTION = re.compile(r"/(api(?:/[a-z][a-z0-9]*)+)")
GROUP = re.compile(r"\((?:\.\*|[\w|-]+)\)")
SPECIAL = re.compile(r"[][(){}*+?\\:^$|]")


def pattern_of(source: str) -> re.Pattern[str]:
    """Return what a whole path has to match. Raises ValueError: *source* is not understood."""
    regex, position = "", 0
    for group in GROUP.finditer(source):
        regex += _literal(source[position : group.start()], source) + group[0]
        position = group.end()
    return re.compile(regex + _literal(source[position:], source), re.DOTALL)


def _literal(text: str, source: str) -> str:
    if SPECIAL.search(text):
        raise ValueError(f"could not read {source} of vercel.json: {text} is not understood")
    return re.escape(text)


class Rule(NamedTuple):
    """Paths that match *pattern* lead to *destination*, or their answers have *headers*."""

    pattern: re.Pattern[str]
    destination: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Places:
    """The paths of the project in *root*."""

    def __init__(self, root: Path) -> None:
        """Raises ValueError: a rule of vercel.json is not understood; OSError: a part of the project is missing."""
        config: dict[str, Any] = json.loads((root / "vercel.json").read_bytes())
        self._files = dict(_files(root / "public"))
        self._functions = frozenset(_functions(root))
        self._rewrites = [
            Rule(pattern_of(rule["source"]), destination=rule["destination"]) for rule in config["rewrites"]
        ]
        self._headers = [
            Rule(pattern_of(rule["source"]), headers=tuple(_pairs(rule["headers"]))) for rule in config["headers"]
        ]

    def find(self, path: str) -> Path | str:
        """Return what answers *path*, which is decoded: a file, or the module of a function."""
        found = self._at(path)
        for rule in self._rewrites if found is None else ():
            if rule.pattern.fullmatch(path):
                found = self._at(rule.destination)
                break
        return found or UNKNOWN

    def headers(self, path: str) -> list[tuple[bytes, bytes]]:
        """Return what is added to the answer of *path*; of a name that several rules have, the last."""
        return list(
            dict(pair for rule in self._headers if rule.pattern.fullmatch(path) for pair in rule.headers).items()
        )

    def _at(self, path: str) -> Path | str | None:
        # Looked up in a list, so dots in a path lead nowhere that is not in it.
        if (file := self._files.get(os.path.normpath(f"/{path.lstrip('/')}"))) is not None:
            return file
        match = FUNCTION.fullmatch(path)
        module = match[1].replace("/", ".") if match else ""
        return module if module in self._functions else None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the paths below *folder*, each with its file; that of a folder is the page in it."""
    for place, _, names in os.walk(folder):
        path = "/" + Path(place).relative_to(folder).as_posix().removeprefix(".")
        for name in names:
            file = Path(place) / name
            yield f"{path.rstrip('/')}/{name}", file
            if name == "index.html":
                yield path, file


def _functions(root: Path) -> Iterator[str]:
    for file in (root / "api").rglob("*.py"):
        if not file.name.startswith("_"):
            yield ".".join(file.relative_to(root).with_suffix("").parts)


def _pairs(headers: list[Mapping[str, str]]) -> Iterator[tuple[bytes, bytes]]:
    for header in headers:
        yield header["key"].lower().encode(), header["value"].encode()
