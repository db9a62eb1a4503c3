"""
vercel.json as the platform reads it: which settings apply to which file of `api/`.

The first glob of `functions` that matches a file gives that file all its settings; a glob that is the first
for no file stops a build.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_config(root: Path) -> dict[str, Any]:
    """The content of vercel.json in *root*."""
    config = json.loads((root / "vercel.json").read_bytes())
    assert isinstance(config, dict), "vercel.json holds an object."
    return config


def api_files(root: Path) -> list[str]:
    """Every Python file that becomes a function, as `api/….py`; names that begin with _ or . do not count."""
    paths = (path.relative_to(root) for path in (root / "api").rglob("*.py"))
    return sorted(path.as_posix() for path in paths if not any(part[0] in "_." for part in path.parts))


def first_globs(root: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """File of `api/` -> the glob of `functions` that applies to it; files without one are absent."""
    first: dict[str, str] = {}
    for glob in config["functions"]:
        for path in root.glob(glob):
            first.setdefault(path.relative_to(root).as_posix(), glob)
    return {file: first[file] for file in api_files(root) if file in first}


def duration_s(root: Path, config: Mapping[str, Any], function: str) -> int:
    """The `maxDuration` that vercel.json gives *function* (`api/…`, without the suffix)."""
    glob = first_globs(root, config)[f"{function}.py"]
    seconds = config["functions"][glob]["maxDuration"]
    assert isinstance(seconds, int), "maxDuration is a whole number of seconds."
    return seconds
