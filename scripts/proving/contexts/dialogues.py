"""
Real conversations as items: reads recorded chat messages and turns them into what a client would append.

    read_dialogues(path)   one conversation a line: {id, messages}
    to_items(messages)     the items of chat messages, ids filled in
    to_log(raw_items, …)   the items as a context sees them, with their counts

A tool message keeps its `name`. SWE-agent's tool messages name their call in `tool_call_ids`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from shared.items.item import Item
from shared.items.traits import describe

Message = dict[str, Any]


class Dialogue(NamedTuple):
    """A recorded conversation in Chat Completions messages."""

    id: str
    messages: list[Message]


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read JSON lines of `{id, messages}`."""
    lines = map(orjson.loads, path.read_bytes().splitlines())
    return [Dialogue(line["id"], line["messages"]) for line in lines]


def to_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the normalised items of *messages*, in order, with ids that count up."""
    items: list[dict[str, Any]] = []
    for message in messages:
        for item in _items_of(message):
            items.append({"id": f"item_{len(items)}", "status": "completed", **item})
    return items


def to_log(raw_items: Iterable[dict[str, Any]], count: Callable[[str], int]) -> list[Item]:
    """Return *raw_items* as a conversation's log, their texts counted by *count*."""
    log: list[Item] = []
    preceding_tokens = 0
    for seq, raw in enumerate(raw_items):
        traits = describe(raw)
        overhead_tokens = 0
        if traits.role:
            overhead_tokens = 3 + count(traits.role) + (count(traits.name) + 1 if traits.name else 0)
        content_tokens = sum(map(count, traits.texts)) + traits.fixed_tokens
        log.append(
            Item(
                seq=seq,
                id=raw["id"],
                kind=traits.kind,
                pair_key=traits.pair_key,
                name=traits.name,
                overhead_tokens=overhead_tokens,
                content_tokens=content_tokens,
                hosted_tokens=sum(map(count, traits.hosted_texts)),
                preceding_tokens=preceding_tokens,
                body=orjson.dumps(raw),
                is_text=traits.is_text,
            )
        )
        preceding_tokens += overhead_tokens + content_tokens
    return log


def model_calls(log: Sequence[Item]) -> list[int]:
    """Return the lengths of the prefixes of *log* that a model was called with."""
    assistant_side = [item.kind in ("a", "c", "r", "h") for item in log]
    return [at for at in range(1, len(log)) if assistant_side[at] and not assistant_side[at - 1]]


def _items_of(message: Message) -> list[dict[str, Any]]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        call_id = message["tool_call_id"] if "tool_call_id" in message else message["tool_call_ids"][0]
        output = {"type": "function_call_output", "call_id": call_id, "output": content}
        return [output | {"name": message["name"]} if "name" in message else output]
    items: list[dict[str, Any]] = []
    if content is not None:
        part_type = "output_text" if role == "assistant" else "input_text"
        part = {"type": part_type, "text": content}
        items.append({"type": "message", "role": role, "content": [part]})
    for call in message.get("tool_calls") or []:
        function = call["function"]
        items.append(
            {
                "type": "function_call",
                "call_id": call["id"],
                "name": function["name"],
                "arguments": function["arguments"],
            }
        )
    return items
