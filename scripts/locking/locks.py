"""
Lock files, and whether they agree with the requirements that they are made of. Nothing here asks a registry.

    name==1.2.3 ; marker \\
        --hash=sha256:… \\
        --hash=sha256:…

A lock names each package that is installed, with those that requirements need, by one version and the hashes of all its
files; a marker says on which platforms and Pythons it is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.markers import Marker
from packaging.utils import canonicalize_name

LOCKS: Mapping[str, tuple[str, ...]] = {
    "requirements.lock": ("requirements.txt",),
    "requirements-aws.lock": ("requirements-aws.txt",),
    "requirements-resp.lock": ("requirements-resp.txt",),
    "requirements-dev.lock": ("requirements-dev.txt",),
    "clients/python/requirements-test.lock": ("requirements.txt", "clients/python/requirements-test.txt"),
}
"""Lock -> the files of requirements that it is made of."""

ENTRY = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(\S+?)(?: *; *(.+?))?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PIN = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(\S+)")
ADDRESS = re.compile(r"://|^-{1,2}(?!hash=)|\bfile:|(?<![\w.-])/[\w.-]+/", re.MULTILINE)
"""What may stand in no lock: an address, a path, or an option that names a registry."""


class WrongLock(ValueError):
    """A lock cannot be read; the text says where."""


class Locked(NamedTuple):
    """A package of a lock; *marker* is "" for one that is everywhere."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]

    def is_for(self, environment: Mapping[str, str]) -> bool:
        """Return whether it is installed in *environment*, which names what differs from this one."""
        return not self.marker or Marker(self.marker).evaluate(dict(environment))


def read_lock(text: str) -> list[Locked]:
    """Return the packages of a lock, in its order. Raises WrongLock."""
    if found := ADDRESS.search(text):
        raise WrongLock(f"{found[0]!r} stands in it: a lock names no registry and no folder")
    made: list[Locked] = []
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        head, *hashes = re.split(r"\s+(?=--hash=)", line.partition(" #")[0].strip())
        entry = ENTRY.fullmatch(head.strip())
        if entry is None or not hashes or not all(map(HASH.fullmatch, hashes)):
            raise WrongLock(f"{line.strip()[:80]!r} is no version with the hashes of its files")
        made.append(Locked(canonicalize_name(entry[1]), entry[2], entry[3] or "", frozenset(hashes)))
    return made


def pins(root: Path, file: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of each requirement of *file*, and of those that it includes. Raises WrongLock."""
    for line in (root / file).read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            yield from pins(root, str(Path(file).with_name(text.removeprefix("-r ").strip())))
        elif text:
            pin = PIN.fullmatch(text)
            if pin is None:
                raise WrongLock(f"{file}: {text!r} is pinned to no version")
            yield canonicalize_name(pin[1]), pin[2]


def disagreements(root: Path) -> list[str]:
    """Return how the locks of *root* differ from its requirements, and from each other; [] when they agree."""
    held: dict[str, list[Locked]] = {}
    found: list[str] = []
    for lock, files in LOCKS.items():
        try:
            held[lock] = read_lock((root / lock).read_text())
            found += _unlike(lock, held[lock], dict(pin for file in files for pin in pins(root, file)))
        except (OSError, WrongLock) as error:
            found.append(f"{lock}: {error}")
    shipped = {each.name: each for each in held.get("requirements.lock", ())}
    for lock, entries in held.items():
        # What is tested has to be what is shipped.
        for each in entries:
            if each.name in shipped and (each.version, each.hashes) != shipped[each.name][1::2]:
                found.append(f"{lock}: {each.name} {each.version} is another than in requirements.lock")
    return found


def _unlike(lock: str, entries: Iterable[Locked], wanted: Mapping[str, str]) -> Iterator[str]:
    versions: dict[str, set[str]] = {}
    for each in entries:
        versions.setdefault(each.name, set()).add(each.version)
    for name, version in wanted.items():
        if versions.get(name) != {version}:
            has = ", ".join(sorted(versions.get(name, ()))) or "not there"
            yield f"{lock}: {name} is {has}, and the requirements want {version}"
