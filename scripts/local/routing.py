"""
Where a path of a project leads, as vercel.json and its folders say.

    a file in public/    ->  that file, before any rewrite
    /api/x               ->  api/x.py, where it has an app
    a rewrite's source   ->  the function or file of its destination, with what the rewrite adds to the query
    anything else        ->  nowhere

Dynamic names (`[id].py`) are not served.
"""

import ast
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from scripts.local.header_rules import HeaderRule, headers_of
from scripts.local.rewrites import Rewrite, destination

APP_NAMES = ("app", "application")


class FunctionError(RuntimeError):
    """A function could not be loaded or did not start; the text names it."""


@lru_cache(maxsize=64)
def app_name(source: str) -> str | None:
    """
    Return the name that Vercel's static check finds in a module: the first top-level app, in source order.

    Kept: parsing all functions is half of the start of an instance, and tests start hundreds in one process.
    """
    for statement in ast.parse(source).body:
        for name in _bound_names(statement):
            is_handler = isinstance(statement, ast.ClassDef) and name.lower() == "handler"
            if is_handler or (name in APP_NAMES and not isinstance(statement, ast.ClassDef)):
                return name
    return None


def _bound_names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case _:
            return []


def find_functions(root: Path) -> dict[str, tuple[Path, str]]:
    """Return route -> (file, name of the app) for every function under *root*/api."""
    found = {}
    for path in sorted((root / "api").rglob("*.py")):
        relative = path.relative_to(root).with_suffix("")
        if any(part.startswith(("_", ".")) for part in relative.parts):
            continue
        name = app_name(path.read_text())
        if name is None:
            continue
        if name not in APP_NAMES:
            raise FunctionError(f"could not serve {path.relative_to(root)}: `class {name}` comes before any app")
        route = relative.parent if relative.name == "index" else relative
        found[f"/{route.as_posix()}"] = (path, name)
    return found


class Place(NamedTuple):
    """What answers: the route of a function, or a file; *query* is what a rewrite adds."""

    found: str | Path | None
    query: str


class Routing:
    """The paths of the project in *root*; `functions` as `find_functions` has them."""

    def __init__(self, root: Path) -> None:
        """Raises FunctionError, or ValueError: a rule of vercel.json is not understood."""
        config: Mapping[str, Any] = {}
        if (root / "vercel.json").exists():
            config = json.loads((root / "vercel.json").read_text())
        self.functions = find_functions(root)
        self._rewrites = [Rewrite.of(rule) for rule in config.get("rewrites", [])]
        self._headers = [HeaderRule.of(rule) for rule in config.get("headers", [])]
        self._public = (root / "public").resolve()

    def headers(self, path: str) -> dict[bytes, bytes]:
        """Return what vercel.json adds to the answer of *path*."""
        return headers_of(self._headers, path)

    def place(self, path: str) -> Place:
        """Return what answers *path*, which is decoded."""
        found, query = self._find(path), ""
        if found is None and (rewritten := destination(self._rewrites, path)) is not None:
            target, query = rewritten
            found = self._find(target)
        return Place(found, query)

    def _find(self, path: str) -> str | Path | None:
        """Return what answers *path* without a rewrite."""
        if "\0" in path:
            return None  # No file can be called so, and asking for one is an error.
        # Each request asks: two looks at the disk, and links are followed only where there is a file.
        file = os.path.normpath(f"{self._public}/{path}")
        for candidate in (file, f"{file}/index.html"):
            if os.path.isfile(candidate) and (found := Path(candidate).resolve()).is_relative_to(self._public):
                return found
        return path if path in self.functions else None
