"""
Versions, and the files that hold that of the project.

    Version     three numbers; greater ones are newer
    PLACES      file -> where in it the version stands
    agreed      the version that all of them name
    written     a file with another version in its place
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

PARTS = ("major", "minor", "patch")
FORM = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")

PLACES: Mapping[str, re.Pattern[str]] = {
    "shared/version.py": re.compile(r'^VERSION = "(.*)"$', re.MULTILINE),
    "clients/python/pyproject.toml": re.compile(r'^version = "(.*)"$', re.MULTILINE),
    "clients/typescript/package.json": re.compile(r'^  "version": "(.*)",$', re.MULTILINE),
    "docs/typescript.md": re.compile(r"\bwarmthread-(\d+\.\d+\.\d+)\.tgz\b"),
}
"""File -> what finds the version in it, wherever it stands there."""


class WrongVersion(ValueError):
    """It is none, or files do not name the same; the text says which."""


class Version(NamedTuple):
    """MAJOR.MINOR.PATCH of semantic versioning, without what may follow there: there are no releases before one."""

    major: int
    minor: int
    patch: int

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the version that *text* names. Raises WrongVersion."""
        match = FORM.fullmatch(text)
        if match is None:
            raise WrongVersion(f"{text!r} is no version: it has to be MAJOR.MINOR.PATCH, as in 1.2.0")
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return ".".join(map(str, self))

    def after(self, part: str) -> "Version":
        """Return the next version whose *part* is greater; what stands behind it begins anew."""
        at = PARTS.index(part)
        numbers = [*self[:at], self[at] + 1, *(0 for _ in PARTS[at + 1 :])]
        return Version(*numbers)


def agreed(files: Mapping[str, str]) -> Version:
    """Return the version that *files*, path -> text, name, all of PLACES the same. Raises WrongVersion."""
    found: dict[str, list[str]] = {path: place.findall(files.get(path, "")) for path, place in PLACES.items()}
    silent = [path for path, versions in found.items() if not versions]
    if silent:
        raise WrongVersion(f"no version is found in {', '.join(silent)}")
    named = {version for versions in found.values() for version in versions}
    if len(named) > 1:
        told = ", ".join(f"{path} {'/'.join(dict.fromkeys(versions))}" for path, versions in found.items())
        raise WrongVersion(f"the versions do not agree: {told}")
    return Version.of(named.pop())


def written(path: str, text: str, version: Version) -> str:
    """Return *text* of the file *path* with *version* in its place. Raises WrongVersion: it has no such place."""
    place = PLACES[path]
    if place.search(text) is None:
        raise WrongVersion(f"no version is found in {path}")
    pieces, end = [], 0
    for match in place.finditer(text):
        pieces += [text[end : match.start(1)], str(version)]
        end = match.end(1)
    return "".join([*pieces, text[end:]])
