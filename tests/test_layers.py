"""
The house's rules that a reader should not have to check: which way imports point, who reads the environment.

A room is a folder, or a module that stands loose. `python -m tests.test_layers --report` prints rooms and arrows.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]

FLOORS: list[set[str]] = [
    {"shared.setting", "shared.version"},
    {"shared.config", "shared.errors"},
    {"shared.environment", "shared.problem_types"},
    {"shared.jsonbytes", "shared.process"},
    {"shared.cache", "shared.request"},
    {"shared.routes", "shared.store", "shared.tokens"},
    {"shared.items"},
    {"shared.recall"},
    {"shared.context"},
    {"shared.budgets", "shared.documents", "shared.telemetry"},
    {"shared.conversations", "shared.erasing"},
    {"shared.http"},
    {"shared.app"},
    {"api"},
    {"aws"},
    {"scripts.local"},
    {"scripts.locking"},
    {"scripts.licences"},
    {
        *(
            "scripts.aws",
            "scripts.deploy",
            "scripts.faults",
            "scripts.importing",
            "scripts.looking",
            "scripts.lua_lint",
            "scripts.measuring",
            "scripts.openapi",
            "scripts.smoke",
            "scripts.versioning",
        ),
        "scripts.pack_encodings",
    },
    {"scripts.exporting", "scripts.platform"},
    {"scripts.clients", "scripts.docs", "scripts.grafana", "scripts.pictures", "scripts.proving"},
    {"scripts.benchmarks", "scripts.releasing", "scripts.storing", "scripts.validating"},
    {"tests"},
]
"""From the bottom up; a module imports from its own room and from lower floors."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FOLDERS = ("api", "aws", "shared", "scripts", "tests")
LINES_MAX = 350


class Import(NamedTuple):
    """*where* imports *what*: modules by their dotted names."""

    where: str
    what: str


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] in ("api", "aws", "tests") else ".".join(parts[:2])


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(nodes: Iterable[ast.AST], modules: frozenset[str]) -> Iterator[str]:
    """Yield what *nodes* import: of `from package import name`, the module *name* where it is one of *modules*."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            yield from sorted(named) or [node.module]


@cache
def statements(path: Path) -> tuple[Sequence[ast.AST], Sequence[ast.AST]]:
    """Return the imports of a file that happen when it is imported itself, and all of them."""
    tree = ast.parse(path.read_text())
    at_start, everywhere = (
        [each for each in nodes if isinstance(each, ast.Import | ast.ImportFrom)]
        for nodes in (tree.body, ast.walk(tree))
    )
    return at_start, everywhere


def imports(*folders: str, only_at_start: bool = False) -> Iterator[Import]:
    """Yield the imports within *folders*; *only_at_start*: those that happen when the module is imported itself."""
    modules = frozenset(map(name_of, sources(*FOLDERS)))
    for path in sources(*folders):
        at_start, everywhere = statements(path)
        nodes = at_start if only_at_start else everywhere
        yield from (Import(name_of(path), name) for name in imported(nodes, modules))


def arrows(*folders: str) -> Counter[tuple[str, str]]:
    """Return how many imports go from one room to another."""
    within = (each for each in imports(*folders) if each.what.split(".")[0] in FOLDERS)
    pairs = ((room_of(each.where), room_of(each.what)) for each in within)
    return Counter((own, other) for own, other in pairs if own != other)


def upward(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(own, other) for own, other in pairs if FLOOR[other] >= FLOOR[own]]


def circle(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Return one circle of arrows, [] when there is none."""
    below: Mapping[str, set[str]] = defaultdict(set)
    for own, other in pairs:
        below[own].add(other)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_room_is_on_a_floor() -> None:
    rooms = {room_of(name_of(path)) for path in sources(*FOLDERS)}

    assert rooms == set(FLOOR)


def test_arrows_point_down() -> None:
    wrong = [
        f"{each.where} imports {each.what}"
        for each in imports(*FOLDERS)
        if each.what.split(".")[0] in FOLDERS
        and room_of(each.where) != room_of(each.what)
        and upward([(room_of(each.where), room_of(each.what))])
    ]

    assert wrong == []


def test_no_circle_of_modules() -> None:
    assert circle(imports("api", "aws", "shared", "scripts", only_at_start=True)) == []


def test_the_bundle_imports_nothing_of_development() -> None:
    development = {
        "scripts",
        "tests",
        "pytest",
        "hypothesis",
        "uvicorn",
        "valkey",
        "upstash_redis",
        "httpx",
        "warmthread",
    }
    wrong = [each for each in imports("api", "aws", "shared") if each.what.split(".")[0] in development]

    assert wrong == []


def test_no_test_module_imports_another() -> None:
    """What two of them need is a module of its own."""
    wrong = [each for each in imports("tests") if each.what.split(".")[-1].startswith("test_")]

    assert wrong == []


def test_an_arrow_up_and_a_circle_would_be_found() -> None:
    assert upward([("shared.store", "shared.conversations")])
    assert circle([("a", "b"), ("b", "c"), ("c", "a")])


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(*FOLDERS)
        if (lines := len(path.read_text().splitlines())) > LINES_MAX
    }

    assert long == {}


def report() -> Iterator[str]:
    """Yield rooms from the top down with their files, lines and arrows; then what is wrong with them."""
    pairs = arrows("api", "aws", "shared", "scripts")
    files: defaultdict[str, list[int]] = defaultdict(list)
    for path in sources("api", "aws", "shared", "scripts"):
        files[room_of(name_of(path))].append(len(path.read_text().splitlines()))
    for room in sorted(files, key=lambda each: (-FLOOR[each], each)):
        below = ", ".join(f"{other} {count}" for (own, other), count in sorted(pairs.items()) if own == room)
        lines = files[room]
        yield f"{FLOOR[room]:2} {room:24} {len(lines):3} files {sum(lines):6} lines, longest {max(lines):3} -> {below}"
    yield f"rooms {len(files)}, arrows {len(pairs)}, upward {len(upward(pairs))}, circles {int(bool(circle(pairs)))}"


if __name__ == "__main__":
    if sys.argv[1:] != ["--report"]:
        sys.exit("usage: python -m tests.test_layers --report")
    print("\n".join(report()))
