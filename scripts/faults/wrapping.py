"""
Requests to the store whose scripts see another `redis`: what stands between a script and the store's own commands.

A wrapper is a Lua statement that redefines `redis`. It stands on the line of the script's first code, so that line
numbers in errors stay right, and several of them may stand there: the last that was put in sees the commands last.
"""

import json
from collections.abc import Callable
from typing import Any

type Command = list[Any]


def on_one_line(lua: str) -> str:
    """Return *lua*, which has no comments, as one line."""
    return " ".join(lua.split())


def wrapped(source: str, wrapper: str) -> str:
    """Return the script *source* with *wrapper* in front of its code; what Redis reads off its first line stays."""
    if not source.startswith("#!"):
        return f"{wrapper} {source}"
    first_line, newline, rest = source.partition("\n")
    return f"{first_line}{newline}{wrapper} {rest}"


def rewritten(body: bytes, rewrite: Callable[[Command], Command]) -> bytes:
    """Return a request *body*, one command or a pipeline, each of whose commands is what *rewrite* makes of it."""
    parts = json.loads(body)
    is_pipeline = bool(parts) and isinstance(parts[0], list)
    return json.dumps([rewrite(each) for each in parts] if is_pipeline else rewrite(parts)).encode()
