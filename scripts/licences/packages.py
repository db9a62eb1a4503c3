"""
Whose code a deployment carries, and under which licence: of each package of requirements.lock what its metadata says.

    shipped       the packages, by name
    crates        what was compiled into them, where they bring a bill of materials
    allows        whether a licence lets us ship, by the list of those that somebody has read
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from scripts.locking.locks import read_lock

ROOT = Path(__file__).parents[2]
LOCK = "requirements.lock"
PLATFORM: Mapping[str, str] = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}
"""Where deployments run: what is listed may not depend on who lists it."""

ASKS: Mapping[str, str] = {
    "MIT": "its text goes along",
    "BSD-2-Clause": "its text goes along",
    "BSD-3-Clause": "its text goes along; no endorsement by its authors is claimed",
    "ISC": "its text goes along",
    "Apache-2.0": "its text and a NOTICE go along, and changes are named; there are none",
    "MPL-2.0": "its text goes along, and the source of its files is to be had; they are unchanged, and PyPI has it",
    "PSF-2.0": "its text goes along, and changes are named; there are none",
    "CNRI-Python": "its text goes along, and changes are named; there are none",
}
"""Licence -> what it asks of who ships such a package. One that is not here has been read by nobody yet."""

ALSO_OF_CRATES = frozenset(
    {"Unicode-3.0", "Unicode-DFS-2016", "Zlib", "BSL-1.0", "CC0-1.0", "MIT-0", "0BSD", "Unlicense"}
)
"""Licences of what is compiled in, which ask for no more than their text, or for nothing of a compiled program."""

CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
FIRST_LINES = (
    (re.compile(r"\s*MIT License\b"), "MIT"),
    (re.compile(r"\s*Apache License\s+Version 2\.0\b"), "Apache-2.0"),
)
"""How a text begins, where nothing else tells what it is."""

TEXT = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)\b", re.IGNORECASE)
BILL = ".cyclonedx.json"
WORDS = ("(", ")", "AND", "OR", "WITH")
TOKEN = re.compile(r"[()]|[\w.+-]+")


class UnknownLicence(ValueError):
    """A package does not say under which licence it is."""


class Package(NamedTuple):
    """*licence* is an SPDX expression; *texts*: the names of the files with its texts, in the package."""

    name: str
    version: str
    licence: str
    texts: tuple[str, ...]


class Crate(NamedTuple):
    """What was compiled into *package*."""

    package: str
    name: str
    version: str
    licence: str


def shipped(root: Path = ROOT) -> list[Package]:
    """Return the packages that deployments carry. Raises UnknownLicence; WrongLock; PackageNotFoundError."""
    return [package_of(each.name) for each in read_lock((root / LOCK).read_text()) if each.is_for(PLATFORM)]


def package_of(name: str) -> Package:
    """Return what the metadata of the installed package *name* says. Raises UnknownLicence, PackageNotFoundError."""
    distribution = metadata.distribution(name)
    files = [path for path in distribution.files or () if ".dist-info" in str(path) and TEXT.match(path.name)]
    texts = tuple(sorted(path.name for path in files))
    licence = _named(distribution.metadata) or _read(distribution, files)
    if licence is None:
        raise UnknownLicence(f"{name} {distribution.version} does not say under which licence it is")
    return Package(name, distribution.version, licence, texts)


def _named(said: metadata.PackageMetadata) -> str | None:
    """Return the licence that metadata names, by the newest of the three ways that there are."""
    if expression := said.get("License-Expression"):
        return str(expression)
    text = str(said.get("License") or "").strip()
    if text in ASKS:
        return text
    for begins, licence in FIRST_LINES:
        if begins.match(text):
            return licence
    classified = [
        each.rpartition(" :: ")[2] for each in said.get_all("Classifier", []) if each.startswith("License ::")
    ]
    known = [CLASSIFIERS[each] for each in classified if each in CLASSIFIERS]
    return " AND ".join(sorted(known)) if known and len(known) == len(classified) else None


def _read(distribution: metadata.Distribution, files: list[metadata.PackagePath]) -> str | None:
    """Return the licence that the first words of its text name."""
    for path in files:
        text = Path(str(distribution.locate_file(path))).read_text(errors="replace")
        for begins, licence in FIRST_LINES:
            if begins.match(text):
                return licence
    return None


def crates(name: str) -> Iterator[Crate]:
    """Yield what the bills of materials of the installed package *name* list; nothing where it brings none."""
    for path in metadata.distribution(name).files or ():
        if path.name.endswith(BILL):
            bill = json.loads(Path(str(path.locate())).read_bytes())
            for each in bill["components"]:
                told = [
                    one.get("expression") or one["license"].get("id") or one["license"]["name"]
                    for one in each.get("licenses", [])
                ]
                yield Crate(name, each["name"], each["version"], " AND ".join(told) or "none named")


def allows(expression: str, known: frozenset[str] = frozenset(ASKS)) -> bool:
    """Return whether *expression* can be met with licences that are *known*, where it leaves a choice."""
    try:
        is_met, rest = _any(TOKEN.findall(expression), known)
    except _NoExpression:
        return False
    return is_met and not rest


class _NoExpression(ValueError):
    """It is not of SPDX's form."""


def _any(tokens: list[str], known: frozenset[str]) -> tuple[bool, list[str]]:
    is_met, rest = _all(tokens, known)
    while rest[:1] == ["OR"]:
        also, rest = _all(rest[1:], known)
        is_met = is_met or also
    return is_met, rest


def _all(tokens: list[str], known: frozenset[str]) -> tuple[bool, list[str]]:
    is_met, rest = _one(tokens, known)
    while rest[:1] == ["AND"]:
        also, rest = _one(rest[1:], known)
        is_met = is_met and also
    return is_met, rest


def _one(tokens: list[str], known: frozenset[str]) -> tuple[bool, list[str]]:
    if tokens[:1] == ["("]:
        is_met, rest = _any(tokens[1:], known)
        if rest[:1] != [")"]:
            raise _NoExpression
        return is_met, rest[1:]
    if not tokens or tokens[0] in WORDS:
        raise _NoExpression
    # An exception takes conditions away, so it is no less allowed.
    rest = tokens[3:] if tokens[1:2] == ["WITH"] else tokens[1:]
    return tokens[0] in known, rest
