"""
Chat messages between a framework's own objects and the memory.

A framework holds more of a message than chat has a form for: thinking, usage, ids. So what it still holds is put back
as it holds it, found by what the message says, and only what it lacks is made anew.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from warmthread.sending import JSON

MARK = "warmthread"
"""Under which a framework's message says that the memory has it, and all before it."""


def paired[T](messages: list[JSON], held: Iterable[tuple[JSON, T]]) -> list[tuple[JSON, T | None]]:
    """Return each of *messages* with the newest of the *held* objects that says the same, each of them once."""
    left: dict[str, list[T]] = defaultdict(list)
    for message, each in held:
        left[_essence(message)].append(each)
    pairs: list[tuple[JSON, T | None]] = []
    for message in reversed(messages):
        same = left.get(_essence(message))
        pairs.append((message, same.pop() if same else None))
    return pairs[::-1]


def text_of(content: Any) -> str:
    """Return the text of a message's *content*."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def _essence(message: JSON) -> str:
    """What *message* says, whichever of its forms it is in (docs/dialects.md, the law of chat)."""
    content = message.get("content") or ""
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        content = content[0]["text"]
    calls = [
        (call.get("id"), call.get("function", {}).get("name"), _value(call.get("function", {}).get("arguments")))
        for call in message.get("tool_calls") or []
    ]
    return json.dumps(
        [message.get("role"), content, message.get("name"), message.get("tool_call_id"), calls], sort_keys=True
    )


def _value(arguments: Any) -> Any:
    try:
        return json.loads(arguments)
    except (TypeError, ValueError):
        return arguments
