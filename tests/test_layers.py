"""The house's rules that a reader should not have to check: which way imports point, who reads the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

LAYERS: list[set[str]] = [
    {"shared.errors"},
    {"shared.auth", "shared.config", "shared.later", "shared.parameters"},
    {"shared.tokens"},
    {"shared.items"},
    {"shared.context", "shared.store"},
    {"shared.conversations"},
    {"shared.token_counts"},
    {"shared.guard", "shared.problems"},
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


def test_every_module_imports_only_lower_layers() -> None:
    wrong = []
    for path in sources("api", "shared"):
        layer = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in imported(path):
            if name.startswith(("shared.", "api")) and layer_of(name) != layer and RANKS[layer_of(name)] >= RANKS[layer]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")

    assert wrong == []


def test_the_bundle_imports_nothing_of_development() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("api", "shared")
        for name in imported(path)
        if name.split(".")[0] in {"scripts", "tests", "pytest", "hypothesis", "uvicorn", "valkey", "upstash_redis", "httpx"}
    ]

    assert wrong == []


def test_files_can_be_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources("api", "shared", "scripts", "tests")
        if (lines := len(path.read_text().splitlines())) > 350
    }

    assert long == {}
