"""
What two OpenAPI documents say differently: python -m scripts.openapi.difference OLD.json NEW.json

References are followed; the order of members, parameters, required names and enumerated values says nothing.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

UNORDERED = frozenset({"required", "enum", "anyOf", "oneOf", "allOf", "type", "security"})


def differences(old: Any, new: Any) -> list[str]:
    """Return a line for each place of *old* and *new*, whole documents, where they differ."""
    return list(_compare("", _plain(old, old), _plain(new, new)))


def _plain(value: Any, document: Any, within: tuple[str, ...] = (), member: str = "") -> Any:
    """Return *value* without references; one that leads back to where it stands stays."""
    if isinstance(value, list):
        plain = [_plain(each, document, within) for each in value]
        if member == "parameters":
            return {f"{each['in']} {each['name']}": each for each in plain}
        return sorted(plain, key=_written) if member in UNORDERED else plain
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference not in within:
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        beside = {name: each for name, each in value.items() if name != "$ref"}
        return _plain({**found, **beside}, document, (*within, reference))
    return {name: _plain(each, document, within, name) for name, each in value.items()}


def _compare(at: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            where = f"{at}/{name}"
            if name not in new:
                yield f"- {where}: {_written(old[name])}"
            elif name not in old:
                yield f"+ {where}: {_written(new[name])}"
            else:
                yield from _compare(where, old[name], new[name])
    elif old != new:
        yield f"! {at}: {_written(old)} -> {_written(new)}"


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts.openapi.difference")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    arguments = parser.parse_args()
    found = differences(json.loads(arguments.old.read_text()), json.loads(arguments.new.read_text()))
    print("\n".join(found) if found else "no difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
