"""
A transcript as docs/contexts.md says it: what each item says, read from its stored body and from nothing else.

What counts of it are the messages of chat, without pictures: a response is one of them, whatever number of blocks it
has here.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from shared.context.unit import Unit
from shared.items.item import Item

_TEXT_TYPES = ("input_text", "output_text", "text", "summary_text", "reasoning_text", "refusal")
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_NOTE = "[image]"


class Transcript(NamedTuple):
    """*counted*: the texts that count, each by itself. *messages*: those of chat."""

    text: str
    counted: list[str]
    messages: int


def read_transcript(units: Sequence[Sequence[Item]], chosen: Sequence[Unit]) -> Transcript:
    """Return the transcript of *units*, which are sent as *chosen* says."""
    blocks: list[str] = []
    counted: list[str] = []
    messages = 0
    for unit, sent in zip(units, chosen, strict=True):
        ids = sent.call_ids or tuple(item.pair_key.partition(":")[2] for item in unit if item.kind == "c")
        in_order = [each for index, each in enumerate(ids) if index not in sent.open_calls]
        answered = iter([in_order[index] for index in sent.answers] or in_order)
        called = iter(ids)
        has_head, speaker = False, ""
        for item in unit:
            body = orjson.loads(item.body)
            call_id = next(called) if item.kind == "c" else next(answered) if item.kind == "o" else ""
            if body["type"] in _OUTPUTS:
                texts = list(_texts(body["output"], notes=True))
                blocks.append(f"tool ({call_id}): " + "\n".join(texts))
                counted += [call_id, *texts]
                messages += 1
            elif body["type"] in _CALLS:
                name, given = _name(body["name"]) or "tool", body[_CALLS[body["type"]]]
                blocks.append(f"assistant (call {call_id}): {name}({given})")
                counted += [name, given]
                has_head = True
            elif body["type"] == "message":
                name, texts = _name(item.name), list(_texts(body["content"], notes=False))
                blocks.append(f"{body['role']}{f' ({name})' if name else ''}: " + "\n".join(texts))
                counted += texts
                has_head, speaker = True, speaker or name
        messages += has_head
        counted += [speaker, "+"] if speaker else []  # A token more, once a message.
    return Transcript("\n\n".join(blocks), counted, messages)


def _texts(content: Any, *, notes: bool) -> Iterator[str]:
    for part in [{"type": "input_text", "text": content}] if isinstance(content, str) else content:
        if part["type"] in _TEXT_TYPES:
            yield str(part.get("text", part.get("refusal")))
        elif notes and part["type"] == "input_image":
            yield _NOTE


def _name(name: str) -> str:
    return re.sub("[^a-zA-Z0-9_-]", "_", name)[:64]
