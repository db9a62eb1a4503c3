"""
Anthropic Messages: all system items in `system`, a group as text and tool_use blocks, and the results of its
calls in one user message directly after it.

Call ids are made to fit Anthropic's alphabet and to be unique in the request, because logs reuse them. Text
without a visible character is refused there: such blocks are dropped, and a message left without blocks is
reported as unsupported. Names and developer roles have no place and are dropped.
"""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from shared.context.sent import Message, Sent, SentUnit
from shared.items.chat import Part, call_texts
from shared.items.traits import Kind

_ID_LENGTH_MAX = 64
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_BASE64_URL = re.compile(r"data:([^;,]+);base64,", re.IGNORECASE)

Block = dict[str, Any]


class _Ids:
    """Hands out the ids of one request, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, call_id: str) -> str:
        wanted = _NOT_IN_ID.sub("_", call_id)[:_ID_LENGTH_MAX] or "call"
        chosen, count = wanted, 1
        while chosen in self._taken:
            count += 1
            suffix = f"_{count}"
            chosen = wanted[: _ID_LENGTH_MAX - len(suffix)] + suffix
        self._taken.add(chosen)
        return chosen


def render_anthropic(units: Iterable[SentUnit]) -> tuple[list[Block], list[Message], set[str]]:
    """Return the system blocks, the messages, and the ids of items that are not (wholly) in them."""
    system: list[Block] = []
    messages: list[Message] = []
    unsupported: set[str] = set()
    ids = _Ids()
    for unit in units:
        call_ids = [ids.unique(sent.form.tool_call["id"]) for sent in unit.head if sent.form.tool_call]
        blocks, without_form = _blocks(unit.head, call_ids)
        unsupported |= unit.unsupported | without_form
        if not blocks:
            unsupported.update(sent.item.id for sent in unit.head)
        elif unit.head[0].item.kind == Kind.SYSTEM:
            system += blocks
        else:
            role = "user" if unit.head[0].item.kind in (Kind.USER, Kind.SUMMARY) else "assistant"
            messages.append({"role": role, "content": blocks})
        if results := _results(unit, call_ids):
            messages.append({"role": "user", "content": results})
    return system, messages, unsupported


def _blocks(head: list[Sent], call_ids: list[str]) -> tuple[list[Block], set[str]]:
    """Return the blocks of one message, calls last, and the ids of items with a part that has no block."""
    blocks: list[Block] = []
    without_form: set[str] = set()
    for sent in head:
        for part in sent.form.parts:
            if part["type"] in ("text", "refusal"):
                blocks += _text_blocks(part[part["type"]])
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


def _input(call_type: str, text: str) -> Block:
    """Return a call's input as the object Anthropic demands; models do write arguments that are not JSON."""
    if call_type == "custom":
        return {"input": text}
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError:
        arguments = None
    return arguments if isinstance(arguments, dict) else {"arguments": text}


def _results(unit: SentUnit, call_ids: list[str]) -> list[Block]:
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
