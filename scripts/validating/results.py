"""
The results that a report is made of: a folder of JSON, a file a part, as scripts/prove writes them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

type Document = Mapping[str, Any]
type Results = Mapping[str, Document]
"""Name of a part -> what it found; parts that were not run are missing."""

RUN = "run"
"""The name of what says how all of it was run."""


class ResultsError(ValueError):
    """A folder holds no results; the text says what is wrong."""


def read_results(folder: Path) -> Results:
    """Raises ResultsError: there are none, or one cannot be read."""
    found: dict[str, Document] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            document = orjson.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ResultsError(f"{path} is no result: {error}") from None
        if not isinstance(document, dict):
            raise ResultsError(f"{path} is no result: it is no object")
        found[path.stem] = document
    if not found:
        raise ResultsError(f"{folder} holds no results of scripts/validate")
    return found


def is_whole(document: Document) -> bool:
    """Tell whether a part came to its end."""
    return bool(document.get("is_whole", not document.get("partial", False)))


def look(document: Any, path: str) -> Any:
    """Return what stands at *path*, names between dots; None where there is nothing."""
    for name in path.split("."):
        if not isinstance(document, Mapping) or name not in document:
            return None
        document = document[name]
    return document


def write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
