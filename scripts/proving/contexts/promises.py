"""
Checks a rendered context against the promises, looking at nothing but the log and the rendering.

    recount(messages, count)      the token rule, applied to chat messages
    read_events(format, members)  any rendering as a plain sequence of events
    broken_promises(…)            the names of the promises that a rendering breaks

The tests and the measurement over recorded dialogues use the same checks.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import orjson

from scripts.proving.contexts.oracle import facts
from shared.items.fitting import FILLER
from shared.items.item import Item

PINNED_TYPES = {"compaction", "additional_tools", "configuration_update"}
ASSISTANT_SIDE = {("other", kind) for kind in ("reasoning", "web_search_call", "mcp_call")}


class Event(NamedTuple):
    """*what*: system, user, assistant, call, output, pinned or other. *detail*: text, id of the call, or type."""

    what: str
    detail: str


class Reading(NamedTuple):
    """
    How to read a format, whose members are the arguments of *events*, and what sets it apart.

    *between_pairs*: what may stand between a call and its output. *has_system_apart*: system texts stand before all
    else, wherever they stood. *drops_blanks*: no text without a visible character is taken.
    """

    events: Callable[..., Iterator[Event]]
    between_pairs: frozenset[str]
    has_system_apart: bool = False
    drops_blanks: bool = False


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
    return list(READINGS[context_format].events(**parsed))


def broken_promises(
    log: Sequence[Item], budget: int, tokens: int, context_format: str, members: Mapping[str, bytes]
) -> set[str]:
    """Return the promises that a context of *log* breaks; (f) and the exact count are checked elsewhere."""
    known, reading = facts(log), READINGS[context_format]
    everything = read_events(context_format, members)
    events = [event for event in everything if event.what != "pinned"]
    broken = {"over budget"} if tokens > budget else set()
    if context_format == "items" and len(everything) - len(events) != _pinned_apart(log, known.systems):
        broken.add("head kept")
    broken |= _broken_pairs(reading, events)

    systems = [_text(log[at], reading) for at in known.systems]
    shown = [event.detail for event in events if event.what == "system"]
    # What has no form in a format but that of items is no message there.
    systems = [text for text, at in zip(systems, known.systems, strict=True) if log[at].overhead_tokens]
    if reading.has_system_apart:
        shown, systems = ["\n".join(shown)], ["\n".join(text for text in systems if text)]
    if shown != systems:
        broken.add("head kept")
    if known.note:
        index = next((index for index, event in enumerate(events) if event.what != "system"), None)
        if index is None or events.pop(index) != Event("user", _text(log[known.note[0]], reading)):
            broken.add("summary before the window")
    first_user = next((at for at, item in enumerate(log) if item.kind == "u"), 0)
    head_count = sum(at < first_user and log[at].overhead_tokens > 0 for at in known.systems)
    said = [event.what for event in events if event.what != "other"]
    if not reading.has_system_apart and any(what != "system" for what in said[:head_count]):
        broken.add("head kept")

    if known.newest_user is not None:
        users = [event.detail for event in events if event.what == "user"]
        if _text(log[known.newest_user], reading) not in users:
            broken.add("newest user message kept")
    opening = next((event.what for event in events if event.what != "system"), None)
    is_user_first = known.newest_user is not None or (reading.drops_blanks and not known.note)
    if opening not in ("user", None) and is_user_first:
        broken.add("starts with a user message")
    return broken


def _pinned_apart(log: Sequence[Item], systems: Iterable[int]) -> int:
    """Return how many of the pinned items are no messages; only the format of items has them."""
    return sum(log[at].overhead_tokens == 0 for at in systems)


def _broken_pairs(reading: Reading, events: Sequence[Event]) -> set[str]:
    open_calls: defaultdict[str, list[int]] = defaultdict(list)
    broken: set[str] = set()
    for index, event in enumerate(events):
        if event.what == "call":
            open_calls[event.detail].append(index)
        elif event.what == "output" and not open_calls[event.detail]:
            broken.add("orphan output")
        elif event.what == "output":
            call = open_calls[event.detail].pop()
            between = {other.what for other in events[call + 1 : index]}
            if between - reading.between_pairs:
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


def _text(item: Item, reading: Reading) -> str:
    parts = [part["text"] for part in orjson.loads(item.body).get("content", [])]
    if reading.drops_blanks:
        parts = [text for text in parts if text.strip()]
        if not parts and item.kind in "uy":
            return FILLER
    return "\n".join(parts)


def _item_event(item: Mapping[str, Any]) -> Event:
    item_type = str(item["type"])
    if item_type == "message":
        return _said(item["role"], item["content"])
    if "call_id" in item:
        family = item_type.removesuffix("_output")
        return Event("call" if family == item_type else "output", family + item["call_id"])
    return Event("pinned" if item_type in PINNED_TYPES else "other", item_type)


def _items_events(input: Sequence[Mapping[str, Any]]) -> Iterator[Event]:  # noqa: A002  # The member's name.
    return map(_item_event, input)


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


def _gemini_events(
    contents: Sequence[Mapping[str, Any]], system_instruction: Mapping[str, Any] | None = None
) -> Iterator[Event]:
    yield from (Event("system", part["text"]) for part in (system_instruction or {"parts": []})["parts"])
    for content in contents:
        texts = [part for part in content["parts"] if "text" in part]
        if texts:
            yield _said("assistant" if content["role"] == "model" else "user", texts)
        for part in content["parts"]:
            if "functionCall" in part:
                yield Event("call", part["functionCall"]["id"])
            elif "functionResponse" in part:
                yield Event("output", part["functionResponse"]["id"])


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


# Providers demand the outputs right after the message that calls; items stay in log order.
_ANYTHING = frozenset({"system", "user", "assistant", "call", "output", "other"})
_PAIRS = frozenset({"call", "output"})
READINGS: Mapping[str, Reading] = {
    "items": Reading(_items_events, _ANYTHING),
    "chat": Reading(_chat_events, _PAIRS),
    "anthropic": Reading(_anthropic_events, _PAIRS, has_system_apart=True, drops_blanks=True),
    "gemini": Reading(_gemini_events, _PAIRS, has_system_apart=True, drops_blanks=True),
    "text": Reading(_text_events, _PAIRS | {"assistant"}),
}
