"""
Real conversations as items: reads recorded chat messages and turns them into what a client would append.

    read_dialogues(path)   one conversation a line: a list of messages, or an object that has one in `messages`
    to_items(messages)     the items of chat messages, ids filled in
    to_log(raw_items, …)   the items as a context sees them, with their counts
    folded(log, format)    a log, folded for a format

A tool message keeps its `name`. SWE-agent's tool messages name their call in `tool_call_ids`.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from shared.context.format_rules import RULES
from shared.context.short_results import shortening_of, shown_short
from shared.context.units import Folded, counted_for, fold
from shared.items.counts import counts_of
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.parts import text_part
from shared.items.short import Short, saving
from shared.items.short_counts import describe_shorts, forms_of, result_of, with_counts
from shared.items.shown import NO_EXTRAS, Extras
from shared.items.traits import describe
from shared.items.types import ITEM_TYPES
from shared.jsonbytes.write import dumps
from shared.tokens.rule import REPLY_TOKENS

Message = dict[str, Any]
ROLES = ("system", "developer", "user", "assistant", "tool")


class Dialogue(NamedTuple):
    """A recorded conversation in Chat Completions messages; where it has no id, its line's number is one."""

    id: str
    messages: list[Message]


class DialogueError(Exception):
    """A file does not hold conversations; the text names the line, and what is wrong with it."""


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read JSON lines, each a conversation. Raises DialogueError, OSError."""
    lines = enumerate(path.read_bytes().splitlines(), start=1)
    return [_read_dialogue(line, f"{path}, line {number}", str(number)) for number, line in lines if line.strip()]


def _read_dialogue(line: bytes, at: str, number: str) -> Dialogue:
    try:
        raw = orjson.loads(line)
    except ValueError as exc:
        raise DialogueError(f"{at} is not JSON: {exc}") from None
    messages = raw.get("messages") if isinstance(raw, dict) else raw
    if not isinstance(messages, list):
        raise DialogueError(f"{at} is neither a list of messages nor an object with `messages`")
    for index, message in enumerate(messages):
        try:
            _items_of(message)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
            raise DialogueError(f"{at}: message {index} is none of Chat Completions: {exc!r}") from None
    return Dialogue(str(raw.get("id", number)) if isinstance(raw, dict) else number, messages)


def to_items(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return the normalised items of *messages*, in order, with ids that count up."""
    items: list[dict[str, Any]] = []
    for message in messages:
        for item in _items_of(message):
            items.append({"id": f"{ITEM_TYPES[item['type']].id_prefix}_{len(items)}", "status": "completed", **item})
    return items


def to_log(raw_items: Iterable[dict[str, Any]], count: Callable[[str], int]) -> list[Item]:
    """Return *raw_items* as a conversation's log, their texts counted by *count*."""
    return counted_log(((raw, NO_EXTRAS, "") for raw in raw_items), count)


def counted_log(
    normal: Iterable[tuple[dict[str, Any], Extras, str]], count: Callable[[str], int], first_seq: int = 0
) -> list[Item]:
    """Return items, each with its extras and the mark of its message, as a log whose texts *count* counts."""
    log: list[Item] = []
    preceding_tokens = 0
    for seq, (raw, extras, message) in enumerate(normal, start=first_seq):
        traits = describe(raw, extras)
        counts = counts_of(traits, count)
        result = result_of(raw, extras)
        shorts: Sequence[Short] = forms_of(result.cut, counts.label_tokens, count) if result else ()
        if counts.differences:
            shorts = with_counts(shorts, (counts_of(each, count) for each in describe_shorts(raw, extras, shorts)))
        log.append(
            Item(
                seq=seq,
                id=raw["id"],
                kind=traits.kind,
                pair_key=traits.pair_key,
                name=traits.name,
                overhead_tokens=counts.overhead_tokens,
                content_tokens=counts.content_tokens,
                hosted_tokens=counts.hosted_tokens,
                preceding_tokens=preceding_tokens,
                body=dumps(raw),
                is_text=traits.is_text,
                extras=orjson.dumps(extras) if extras else b"",
                message=message,
                label_tokens=counts.label_tokens,
                differences=counts.differences,
                shorts=tuple(shorts),
            )
        )
        preceding_tokens += counts.overhead_tokens + counts.content_tokens
    return log


def folded(log: Sequence[Item], context_format: str) -> Folded:
    """Return the fold of *log* from which a context in that format is chosen."""
    rules = RULES[context_format]
    return fold(counted_for(log, rules), rules)


def with_short_results(log: Sequence[Item], budget: int) -> Sequence[Item]:
    """Return *log* as a context of *budget* tokens shows its results with `tool_results=short`."""
    pinned = sum([item.tokens for item in log if item.kind == Kind.SYSTEM])
    results = sum([item.kind == Kind.OUTPUT for item in log])
    shortening = shortening_of(reversed(log), results, max(0, budget - pinned - REPLY_TOKENS))
    return shown_short(log, log, shortening, sum(map(saving, log)), {})


def model_calls(log: Sequence[Item]) -> list[int]:
    """Return the lengths of the prefixes of *log* that a model was called with."""
    assistant_side = [item.kind in ("a", "c", "r", "h") for item in log]
    return [at for at in range(1, len(log)) if assistant_side[at] and not assistant_side[at - 1]]


def _items_of(message: Message) -> list[dict[str, Any]]:
    role, content = message["role"], message.get("content")
    if role not in ROLES:
        raise ValueError(f"the role is {role!r}")
    if role == "tool":
        call_id = message["tool_call_id"] if "tool_call_id" in message else message["tool_call_ids"][0]
        output = {"type": "function_call_output", "call_id": call_id, "output": "".join(_texts_of(content))}
        return [output | {"name": message["name"]} if "name" in message else output]
    items: list[dict[str, Any]] = []
    if content is not None:
        parts = [text_part(text, by_assistant=role == "assistant") for text in _texts_of(content)]
        items.append({"type": "message", "role": role, "content": parts})
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


def _texts_of(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    if any(part["type"] != "text" for part in content):
        raise ValueError("only texts are surveyed, no images, audio or files")
    return [part["text"] for part in content]
