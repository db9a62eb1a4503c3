"""
Checks a rendered context against the promises, looking at nothing but the log and the rendering.

    recount(messages, count)      the token rule, applied to chat messages
    read_events(format, members)  any rendering as a plain sequence of events
    broken_promises(…)            the names of the promises that a rendering breaks

The tests and the measurement over recorded dialogues use the same checks.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from scripts.proving.contexts.oracle import facts
from shared.items.item import Item

ASSISTANT_SIDE = {("other", kind) for kind in ("reasoning", "web_search_call", "mcp_call")}


class Event(NamedTuple):
    """*what*: system, user, assistant, call, output or other. *detail*: text, id of the call, or type."""

    what: str
    detail: str


def recount(messages: Sequence[Mapping[str, Any]], count: Callable[[str], int]) -> int:
    """Count chat *messages* by the token rule."""
    tokens = 3
    for message in messages:
        content = message["content"]
        texts = [content] if isinstance(content, str) else []
        if isinstance(content, list):
            texts = [part.get("text", part.get("refusal", "")) for part in content]
        for call in message.get("tool_calls", []):
            function = call["function"] if call["type"] == "function" else call["custom"]
            texts += [function["name"], function["arguments" if "arguments" in function else "input"]]
        texts.append(message.get("tool_call_id", ""))
        tokens += 3 + count(message["role"]) + sum(map(count, texts))
        if "name" in message:
            tokens += count(message["name"]) + 1
    return tokens


def read_events(context_format: str, members: Mapping[str, bytes]) -> list[Event]:
    """Read a rendering of any format."""
    parsed = {name: orjson.loads(value) for name, value in members.items()}
    match context_format:
        case "items":
            return [_item_event(item) for item in parsed["input"]]
        case "chat":
            return list(_chat_events(parsed["messages"]))
        case "anthropic":
            return list(_anthropic_events(parsed["system"], parsed["messages"]))
        case _:
            return list(_text_events(parsed["text"]))


def broken_promises(
    log: Sequence[Item], budget: int, tokens: int, context_format: str, members: Mapping[str, bytes]
) -> set[str]:
    """Return the promises that a context of *log* breaks; (f) and the exact count are checked elsewhere."""
    known = facts(log)
    events = read_events(context_format, members)
    broken = {"over budget"} if tokens > budget else set()
    broken |= _broken_pairs(context_format, events)

    systems = [_text(log[at], context_format) for at in known.systems]
    shown = [event.detail for event in events if event.what == "system"]
    if context_format == "anthropic":
        shown, systems = ["\n".join(shown)], ["\n".join(text for text in systems if text)]
    if shown != systems:
        broken.add("head kept")
    if known.note:
        index = next((index for index, event in enumerate(events) if event.what != "system"), None)
        if index is None or events.pop(index) != Event("user", _text(log[known.note[0]], context_format)):
            broken.add("summary before the window")
    first_user = next((at for at, item in enumerate(log) if item.kind == "u"), 0)
    head_count = sum(at < first_user for at in known.systems)
    if context_format != "anthropic" and any(event.what != "system" for event in events[:head_count]):
        broken.add("head kept")

    if known.newest_user is not None:
        users = [event.detail for event in events if event.what == "user"]
        newest = _text(log[known.newest_user], context_format)
        is_sayable = bool(newest.strip()) or context_format != "anthropic"
        if is_sayable and newest not in users:
            broken.add("newest user message kept")
        opening = next((event.what for event in events if event.what != "system"), None)
        # Anthropic takes no empty message: a window that opens with one cannot be said there.
        has_empty = any(item.kind == "u" and not _text(item, "anthropic").strip() for item in log)
        if opening != "user" and not (context_format == "anthropic" and has_empty):
            broken.add("starts with a user message")
    return broken


def _broken_pairs(context_format: str, events: Sequence[Event]) -> set[str]:
    open_calls: defaultdict[str, list[int]] = defaultdict(list)
    broken: set[str] = set()
    for index, event in enumerate(events):
        if event.what == "call":
            open_calls[event.detail].append(index)
        elif event.what == "output" and not open_calls[event.detail]:
            broken.add("orphan output")
        elif event.what == "output":
            call = open_calls[event.detail].pop()
            # Providers demand the outputs right after the message that calls; items stay in log order.
            may_intervene = {"call", "output"} | ({"assistant"} if context_format == "text" else set())
            between = {other.what for other in events[call + 1 : index]}
            if context_format != "items" and between - may_intervene:
                broken.add("output away from its call")
    left = [call for calls in open_calls.values() for call in calls]
    if not all(_is_at_the_tail(events, call) for call in left):
        broken.add("unanswered before the tail")
    return broken


def _is_at_the_tail(events: Sequence[Event], call: int) -> bool:
    """Tell whether nothing but the rest of its own response, outputs and system messages follows *call*."""
    rest = [(event.what, event.detail) for event in events[call + 1 :]]
    while rest and (rest[0][0] in ("assistant", "call") or rest[0] in ASSISTANT_SIDE):
        rest.pop(0)
    return all(what in ("output", "system") for what, _ in rest)


def _text(item: Item, context_format: str) -> str:
    parts = [part["text"] for part in orjson.loads(item.body)["content"]]
    if context_format == "anthropic":
        parts = [text for text in parts if text.strip()]
    return "\n".join(parts)


def _item_event(item: Mapping[str, Any]) -> Event:
    item_type = str(item["type"])
    if item_type == "message":
        return _said(item["role"], item["content"])
    if "call_id" in item:
        family = item_type.removesuffix("_output")
        return Event("call" if family == item_type else "output", family + item["call_id"])
    return Event("other", item_type)


def _chat_events(messages: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    for message in messages:
        if message["role"] == "tool":
            yield Event("output", message["tool_call_id"])
            continue
        if message["content"] is not None:
            yield _said(message["role"], message["content"])
        for call in message.get("tool_calls", []):
            yield Event("call", call["id"])


def _anthropic_events(system: Sequence[Mapping[str, Any]], messages: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    yield from (Event("system", block["text"]) for block in system)
    for message in messages:
        texts = [block for block in message["content"] if block["type"] == "text"]
        if texts:
            yield _said(message["role"], texts)
        for block in message["content"]:
            if block["type"] == "tool_use":
                yield Event("call", block["id"])
            elif block["type"] == "tool_result":
                yield Event("output", block["tool_use_id"])


_LABEL = re.compile(r"(?:^|\n\n)(system|developer|user|assistant|tool)(?: \(([^)\n]*)\))?: ")


def _text_events(text: str) -> Iterator[Event]:
    labels = list(_LABEL.finditer(text))
    for label, following in zip_longest(labels, labels[1:]):
        note = label.group(2) or ""
        if label.group(1) == "tool":
            yield Event("output", note)
        elif note.startswith("call "):
            yield Event("call", note.removeprefix("call "))
        else:
            yield _said(label.group(1), text[label.end() : following.start() if following else None])


def _said(role: str, content: str | Sequence[Mapping[str, Any]]) -> Event:
    texts = [content] if isinstance(content, str) else [part["text"] for part in content]
    return Event("system" if role == "developer" else role, "\n".join(texts))
