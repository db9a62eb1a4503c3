"""
The largest bodies there are, of every shape: what `scripts/bench lag` sends.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

BODY_BYTES = 4_500_000
COUNTED_BYTES = 4_000_000
ITEM_BYTES = 1_048_576
SHORT_SHARE = 16
"""With --short every body is this many times smaller: the same paths, in seconds."""


class Case(NamedTuple):
    """One kind of request: *status* is what the service has to answer."""

    path: str
    body: bytes
    status: int


def _batch(items: list[Any]) -> bytes:
    return orjson.dumps({"items": items})


def _message(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _nested(size: int) -> Any:
    """A value of about *size* bytes that is nested as deep as can be stored, again and again."""
    depth = 100
    one: Any = "x" * 20_000
    for _ in range(depth):
        one = {"a": [one]}
    return [one] * (size // 22_000)


def _search_results(values: list[Any]) -> dict[str, Any]:
    """An item whose values may have any shape."""
    return {"type": "mcp_list_tools", "id": None, "server_label": "s", "tools": values}


def _tools(values: list[Any]) -> list[dict[str, Any]]:
    return [{"name": "t", "input_schema": {"v": values}}]


def appends(share: int = 1) -> dict[str, Case]:
    """Return the appends by row; a row that is refused stores nothing."""
    body, item = BODY_BYTES // share, ITEM_BYTES // share
    large, hundred = item - 2_000, body // 100 - 200
    four = min(4, body // item)

    def case(items: list[Any], status: int = 200) -> Case:
        return Case("items", _batch(items), status)

    return {
        "append: 4.5 MB as one string": case([_message("word " * (body // 5 - 20))], 413 if share == 1 else 200),
        "append: 4.2 MB as 4 strings": case([_message("word " * (large // 5))] * four),
        "append: 4.5 MB as 100 items": case([_message("a word, " * (hundred // 8))] * 100),
        "append: 4.5 MB of 100 calls": case([_call(n, hundred) for n in range(50)]),
        "append: all quotes": case([_message('"' * (large // 2))] * 3),
        "append: all backslashes": case([_message("\\" * (large // 2))] * 3),
        "append: all control characters": case([_message("\x01" * (large // 6))] * four),
        "append: deeply nested": case([_search_results(_tools(_nested(large)))] * four),
        "append: as many tools as pass": case([_search_results(_tools([1] * 13_000))] * 4),
        "append: tiny numbers": case([_search_results(_tools([1] * (body // 2 - 200)))], 413),
        "append: tiny objects": case([_search_results(_tools([{}] * (body // 3 - 200)))], 413),
        "append: tiny strings": case([_search_results(_tools(["a"] * (body // 4 - 200)))], 413),
    }


def _call(number: int, size: int) -> Any:
    arguments = orjson.dumps({"rows": ['a "quoted" value, and more'] * (size * 2 // 48)}).decode()
    return {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": arguments}


def counts(share: int = 1) -> dict[str, Case]:
    """Return the counts by row."""
    size = COUNTED_BYTES // share

    def case(text: str) -> Case:
        return Case("/v1/tokens/count", orjson.dumps({"model": "gpt-4o", "input": text}), 200)

    messages = [{"role": "user", "content": "Hello"}] * (10_000 // share)
    texts: dict[str, Callable[[], str]] = {
        "count: 4 MB of prose": lambda: (
            "It was a bright cold day in April, and the clocks were striking. " * (size // 65)
        ),
        "count: 4 MB of CJK": lambda: "会話の記憶は、要るものだけを。" * (size // 45),
        "count: 4 MB of spaces": lambda: " " * size,
        "count: 4 MB of a": lambda: "a" * size,
    }
    rows = {name: case(make()) for name, make in texts.items()}
    rows["count: 10,000 messages"] = Case(
        "/v1/tokens/count", orjson.dumps({"model": "gpt-4o", "messages": messages}), 200
    )
    return rows


def many(share: int = 1) -> list[bytes]:
    """Return the batches of the conversation of many small items: 10,000 of 100 characters."""
    batch = _batch([_message("How are you today, and what is next? " * 3) for _ in range(100)])
    return [batch] * (100 // share)


def stored(share: int = 1) -> list[bytes]:
    """Return the batches of the conversation that lists and contexts are read from: 4 MB in 100 items."""
    text = 'She said "no", twice.\nThen she left; nobody asked why. ' * (40_000 // share // 56)
    return [_batch([_message(text) if n % 2 == 0 else {"role": "assistant", "content": text} for n in range(100)])]
