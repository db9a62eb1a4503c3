"""The house's rules that a reader should not have to check: which way imports point, who reads the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

LAYERS: list[set[str]] = [
    {"shared.allocator"},
    {"shared.errors", "shared.lag", "shared.offload", "shared.pieces", "shared.splice"},
    {"shared.cache", "shared.config", "shared.document_paths", "shared.later", "shared.parameters", "shared.timing"},
    {"shared.auth", "shared.secrets"},
    {"shared.admission"},
    {"shared.tokens"},
    {"shared.items"},
    {"shared.token_counts", "shared.context", "shared.store"},
    {"shared.documents", "shared.telemetry"},
    {"shared.conversations"},
    {"shared.budgets"},
    {"shared.guard", "shared.headers"},
    {"shared.problems"},
    {"shared.app"},
    {"api"},
]
"""From the bottom up; a module may import from its own layer's package and from the layers below."""

RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] == "api" else ".".join(parts[:2])


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imports(*folders: str) -> Iterator[tuple[Path, str]]:
    for path in sources(*folders):
        yield from ((path.relative_to(ROOT), name) for name in imported(path))


def test_every_module_imports_only_lower_layers() -> None:
    wrong = []
    for path, name in imports("api", "shared"):
        if name.split(".")[0] in ("api", "shared"):
            own, other = layer_of(".".join(path.with_suffix("").parts)), layer_of(name)
            if own != other and RANKS[other] >= RANKS[own]:
                wrong.append(f"{path} imports {name}")

    assert wrong == []


def test_the_bundle_imports_nothing_of_development() -> None:
    development = {"scripts", "tests", "pytest", "hypothesis", "uvicorn", "valkey", "upstash_redis", "httpx"}
    wrong = [f"{path} imports {name}" for path, name in imports("api", "shared") if name.split(".")[0] in development]

    assert wrong == []


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources("api", "shared", "scripts", "tests")
        if (lines := len(path.read_text().splitlines())) > 350
    }

    assert long == {}
