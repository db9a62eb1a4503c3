"""What the documentation holds, for the tests that check it: pages, their fenced blocks, commands, tables and links."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: (.+) -->\n+\Z")
"""Stands before a block that no test can run, with the reason."""

STARTED = (
    *("dev", "test", "check", "check-alerts", "check-clients", "check-deploy", "bench", "get-prometheus", "prove"),
    *("tables", "fleet", "validate", "stored", "canary", "package-aws", "release", "lock"),
)
"""Scripts that take too long, or never end: of them a test holds what is written against their --help."""


class Block(NamedTuple):
    """A fenced block. *shown*: the block of json or text directly behind it, which is what it prints."""

    page: str
    language: str
    text: str
    not_run: str
    shown: "Block | None"

    @property
    def is_run(self) -> bool:
        return self.language == "sh" and not self.not_run and not self.is_started

    @property
    def is_started(self) -> bool:
        return self.language == "sh" and any(command.script in STARTED for command in commands_in(self.text))


class Command(NamedTuple):
    """A call of `scripts/<script>` with its arguments."""

    script: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join([self.script, *self.arguments])


@cache
def read(page: str) -> str:
    return (ROOT / page).read_text()


def prose(page: str) -> str:
    """Return *page* without its fenced blocks."""
    return FENCE.sub("", read(page))


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """Return the fenced blocks of *page*, in order."""
    text, found = read(page), list(FENCE.finditer(read(page)))
    made: list[Block] = []
    following: tuple[int, Block] | None = None
    for match in reversed(found):
        shown = None
        if following and match[1] == "sh" and not text[match.end() : following[0]].strip():
            shown = following[1] if following[1].language in ("json", "text") else None
        reason = NOT_RUN.search(text[: match.start()])
        block = Block(page, match[1], match[2], reason[1] if reason else "", shown)
        following = match.start(), block
        made.append(block)
    return tuple(reversed(made))


def commands_in(text: str) -> Iterator[Command]:
    """Yield the calls of scripts that begin a line of *text*, without what follows a `#`."""
    for line in text.splitlines():
        words = line.partition(" #")[0].split()
        if words and re.fullmatch(r"scripts/[a-z-]+", words[0]):
            yield Command(words[0].removeprefix("scripts/"), tuple(words[1:]))


def code(page: str) -> list[str]:
    """Return what stands between backticks in the prose of *page*."""
    return re.findall(r"`([^`]+)`", prose(page))


def commands(page: str) -> set[Command]:
    """Return the calls of scripts that *page* names, in its blocks and in its prose."""
    return {
        command
        for text in (*(block.text for block in blocks(page) if block.language == "sh"), *code(page))
        for command in commands_in(text)
    }


def table(page: str, name: str) -> str:
    """Return what stands between the marks of the table *name*."""
    return read(page).split(f"<!-- table: {name} -->\n")[1].split("<!-- end of table -->")[0]


def section(page: str, title: str) -> str:
    return re.split(rf"\n#+ {re.escape(title)}\n", read(page))[1].split("\n## ")[0]


def links(page: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: str) -> set[str]:
    """Return the names that GitHub gives the headings of *page*."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
