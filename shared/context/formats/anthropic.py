"""
Anthropic Messages, `{"system": […], "messages": […]}`: all system items in `system`, a group as text and tool_use
blocks, and the results of its calls in one user message directly after it.

Call ids are made to fit Anthropic's alphabet and to be unique in the request, because logs reuse them. Text
without a visible character is refused there: such blocks are dropped, and a message left without blocks is
reported as unsupported. Names and developer roles have no place and are dropped.
"""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from shared.context.fit import Selection
from shared.context.formats.rendering import Rendering, render_units
from shared.context.formats.sent import Message, Sent, SentUnit, read_unit
from shared.context.formats.unit_form import Forms, UnitForm, compact
from shared.items.chat import call_texts, part_text
from shared.items.item import Item
from shared.items.kinds import Kind
from shared.items.part_types import Part
from shared.jsonbytes.read import loads_elements
from shared.jsonbytes.write import Pieces, encode, joined, nested_array

_ID_LENGTH_MAX = 64
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_BASE64_URL = re.compile(r"data:([^;,]+);base64,", re.IGNORECASE)

Block = dict[str, Any]


class _Ids:
    """Hands out the ids of one request, each once."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def unique(self, call_id: str) -> str:
        wanted = _NOT_IN_ID.sub("_", call_id)[:_ID_LENGTH_MAX] or "call"
        chosen, count = wanted, self._taken.get(wanted, 0)
        while chosen in self._taken:
            count += 1
            suffix = f"_{count + 1}"
            chosen = wanted[: _ID_LENGTH_MAX - len(suffix)] + suffix
        self._taken[wanted] = count  # From here on: a log may use one id ten thousand times.
        self._taken.setdefault(chosen, 0)
        return chosen


def render(name: str, selection: Selection, kept: Forms) -> Rendering:
    """Render *selection* as `system` and `messages`."""
    return render_units(name, _Request(), selection, kept)


class _Request:
    """The units of one request, whose call ids are unique in it."""

    def __init__(self) -> None:
        self._ids = _Ids()

    def form(self, unit: Sequence[Item], kept: UnitForm | None) -> UnitForm:
        """Return the system blocks of *unit*, or its messages."""
        call_ids = [self._ids.unique(call_id) for call_id in kept.wanted_ids] if kept else None
        if kept is not None and call_ids == kept.call_ids:
            return kept
        sent = read_unit(unit)
        wanted_ids = [each.form.tool_call["id"] for each in sent.head if each.form.tool_call]
        if call_ids is None:
            call_ids = [self._ids.unique(call_id) for call_id in wanted_ids]
        blocks, without_form = _blocks(sent.head, call_ids)
        unsupported = sent.unsupported | without_form
        is_system = bool(blocks) and sent.head[0].item.kind == Kind.SYSTEM
        messages: list[Message] = []
        if not blocks:
            unsupported.update(each.item.id for each in sent.head)
        elif not is_system:
            role = "user" if sent.head[0].item.kind in (Kind.USER, Kind.SUMMARY) else "assistant"
            messages.append({"role": role, "content": blocks})
        if results := _results(sent, call_ids):
            messages.append({"role": "user", "content": results})
        pieces = compact(joined(map(encode, blocks if is_system else messages), b","))
        bodies = tuple(item.body for item in unit)
        return UnitForm(bodies, pieces, frozenset(unsupported), wanted_ids, call_ids, is_system)

    def members(self, forms: Sequence[UnitForm]) -> dict[str, Pieces]:
        return {
            "system": nested_array(form.pieces for form in forms if form.is_system),
            "messages": nested_array(form.pieces for form in forms if not form.is_system),
        }


def _blocks(head: list[Sent], call_ids: Sequence[str]) -> tuple[list[Block], set[str]]:
    """Return the blocks of one message, calls last, and the ids of items with a part that has no block."""
    blocks: list[Block] = []
    without_form: set[str] = set()
    for sent in head:
        for part in sent.form.parts:
            if (text := part_text(part)) is not None:
                blocks += _text_blocks(text)
            elif part["type"] == "image_url":
                blocks.append({"type": "image", "source": _image_source(part["image_url"]["url"])})
            else:
                without_form.add(sent.item.id)
    tool_calls = [sent.form.tool_call for sent in head if sent.form.tool_call]
    blocks += map(_tool_use, tool_calls, call_ids)
    return blocks, without_form


def _text_blocks(text: str) -> list[Block]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _image_source(url: str) -> Block:
    match = _BASE64_URL.match(url)
    if match is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": match.group(1), "data": url[match.end() :]}


def _tool_use(tool_call: Part, call_id: str) -> Block:
    name, text = call_texts(tool_call)
    return {"type": "tool_use", "id": call_id, "name": name, "input": _input(tool_call["type"], text)}


def _input(call_type: str, text: str) -> Block | orjson.Fragment:
    """
    Return a call's input as the object Anthropic demands; models do write arguments that are not JSON.

    Those that are one stay as they were written: a number has no more digits once it was read and written again.
    """
    if call_type == "custom":
        return {"input": text}
    try:
        arguments = loads_elements(text.encode())
    except orjson.JSONDecodeError:
        arguments = None
    return orjson.Fragment(text) if isinstance(arguments, dict) else {"arguments": text}


def _results(unit: SentUnit, call_ids: Sequence[str]) -> list[Block]:
    """
    Return the result blocks of a unit.

    Calls and outputs are matched from the end: outputs stand in the order of their calls, and of calls with
    the same id the last ones are the answered ones.
    """
    calls = [sent.item.pair_key for sent in unit.head if sent.form.tool_call]
    results: list[Block] = []
    at = len(calls)
    for output in reversed(unit.outputs):
        at = next(index for index in range(at - 1, -1, -1) if calls[index] == output.item.pair_key)
        texts = [block for part in output.form.parts for block in _text_blocks(part["text"])]
        results.append({"type": "tool_result", "tool_use_id": call_ids[at], "content": texts})
    return results[::-1]
