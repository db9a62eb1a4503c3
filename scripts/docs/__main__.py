"""
Writes the generated tables of README.md and docs/*.md: what stands between these two lines, in any of them.

    <!-- table: NAME -->
    <!-- end of table -->

And what the dashboard is told of the same declarations, below public/.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.docs.modules import MODULES
from scripts.docs.tables import TABLES, UnknownTableError

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"<!-- table: ([^\n]*?) -->\n(.*?)<!-- end of table -->", re.DOTALL)


def written(text: str) -> str:
    """Return *text* with its tables as they are now. Raises UnknownTableError."""

    def place(match: re.Match[str]) -> str:
        name, *arguments = match[1].split()
        if name not in TABLES:
            raise UnknownTableError(f"there is no table {name}; there are {', '.join(TABLES)}")
        return f"<!-- table: {match[1]} -->\n\n{TABLES[name](*arguments)}\n\n<!-- end of table -->"

    return PLACE.sub(place, text)


def stale(old: str, new: str) -> list[str]:
    """Return the names of the tables that differ between two states of a page."""
    return [
        before[1]
        for before, after in zip(PLACE.finditer(old), PLACE.finditer(new), strict=True)
        if before[2] != after[2]
    ]


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/tables",
        description="Write the tables of README.md, of docs/ and of the dashboard from the declarations in the code.",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what is stale, and exit with 1 if any is"
    )
    arguments = parser.parse_args(argv)
    found = []
    for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        text = page.read_text()
        try:
            new = written(text)
        except UnknownTableError as error:
            print(f"{page.relative_to(root)}: {error}", file=sys.stderr)
            return 2
        found += [f"{page.relative_to(root)}: {name}" for name in stale(text, new)]
        if not arguments.check:
            page.write_text(new)
    for name, made in MODULES.items():
        module = root / name
        if not module.exists() or module.read_text() == made():
            continue
        found.append(name)
        if not arguments.check:
            module.write_text(made())
    for name in found:
        print(f"{name} is stale; run scripts/tables" if arguments.check else f"{name} written")
    return 1 if found and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
