"""
Every route of the API, in the order in which the docs show them: those that tenants call, then the deployment's own.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path

from scripts.local.routing import find_functions
from shared.routes import TENANT, Route

ROOT = Path(__file__).parents[2]


def routes() -> list[Route]:
    """Return the routes of all functions."""
    return sorted(_declared(), key=lambda route: (route.key != TENANT, route.key == ""))


def _declared() -> Iterator[Route]:
    for path, _ in find_functions(ROOT).values():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield from importlib.import_module(name).ROUTES
