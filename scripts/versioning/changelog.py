"""
The changelog, as Keep a Changelog has it: what is unreleased, what that asks of the next version, and a release of it.

    ## Unreleased                 what callers will notice, below headings as `### Added`
    ## 1.2.0 - 2026-11-29         what a release brought; never changed again
"""

import re
from typing import NamedTuple

from scripts.versioning.versions import FORM, Version

PATH = "CHANGELOG.md"
UNRELEASED = "## Unreleased"
SECTION = re.compile(r"^## .*$", re.MULTILINE)
HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
ENTRY = re.compile(r"^- \S", re.MULTILINE)
RELEASED = re.compile(rf"^## ({FORM.pattern}) - \d{{4}}-\d\d-\d\d$", re.MULTILINE)
BREAKING = re.compile(r"^- \*\*Breaking\*\*", re.MULTILINE)

PART_OF = {
    "Added": "minor",
    "Changed": "minor",
    "Deprecated": "minor",
    "Removed": "major",
    "Fixed": "patch",
    "Security": "patch",
}
"""Heading -> the least part of the version that what stands below it asks for."""
BY_SIZE = ("patch", "minor", "major")


class WrongChangelog(ValueError):
    """It cannot be released as it stands; the text says why."""


class Unreleased(NamedTuple):
    """*text* stands between the heading and the next section; *entries*: how many; *part*: what they ask for."""

    text: str
    entries: int
    part: str


def unreleased(changelog: str) -> Unreleased:
    """Return what *changelog* has that no release brought. Raises WrongChangelog."""
    begin, end = _bounds(changelog)
    text = changelog[begin:end]
    entries = len(ENTRY.findall(text))
    if not entries:
        raise WrongChangelog(f"{PATH} has no entry below '{UNRELEASED}': there is nothing to release")
    unknown = [name for name in HEADING.findall(text) if name not in PART_OF]
    if unknown:
        raise WrongChangelog(f"{PATH} has the heading {unknown[0]!r}; there are {', '.join(PART_OF)}")
    head, *blocks = re.split(r"^### ", text, flags=re.MULTILINE)
    if ENTRY.search(head):
        raise WrongChangelog(f"{PATH} has entries below '{UNRELEASED}' that stand below no heading")
    asked = [PART_OF[block.partition("\n")[0]] for block in blocks if ENTRY.search(block)]
    asked += ["major"] if BREAKING.search(text) else []
    return Unreleased(text, entries, max(asked, key=BY_SIZE.index))


def least_version(current: Version, part: str) -> Version:
    """Return the least version that may follow *current* with changes that ask for *part*; before 1.0.0 for any."""
    if current.major == 0:
        # Nothing is promised yet: what breaks moves the second number.
        return current.after("patch" if part == "patch" else "minor")
    return current.after(part)


def released(changelog: str, version: Version, date: str) -> str:
    """
    Return *changelog* with what was unreleased below the heading of *version*, and nothing unreleased.

    Raises:   WrongChangelog: there is nothing to release, or *version* has its section already.
    """
    text = unreleased(changelog).text
    if str(version) in (match[1] for match in RELEASED.finditer(changelog)):
        raise WrongChangelog(f"{PATH} has a section {version} already")
    begin, end = _bounds(changelog)
    rest = changelog[end:]
    body = text.strip("\n")
    return f"{changelog[:begin]}\n\n## {version} - {date}\n\n{body}\n" + (f"\n{rest}" if rest else "")


def _bounds(changelog: str) -> tuple[int, int]:
    """Return where what is unreleased begins, behind its heading, and where it ends."""
    sections = list(SECTION.finditer(changelog))
    heads = [at for at, match in enumerate(sections) if match[0] == UNRELEASED]
    if heads != [0]:
        raise WrongChangelog(f"{PATH} has to have one section '{UNRELEASED}', and that first")
    return sections[0].end(), sections[1].start() if len(sections) > 1 else len(changelog)
