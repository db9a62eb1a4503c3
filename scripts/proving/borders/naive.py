"""
Logs as they are sent without any care: what of a validator they break says which of its rules they come near at all. A
rule that no log breaks in this way was not put to the test.

Shapes are kept, since what has the wrong shape is held to nothing else: null is absent, parts are of their role. A
conversation in one dialect is sent there as it came.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from scripts.proving.borders.conversation import Conversation
from scripts.proving.providers import anthropic, chat, gemini, responses
from scripts.proving.providers.by_format import FAULTS
from scripts.proving.providers.rules import Rules
from scripts.proving.providers.shapes import KINDS
from shared.items.item import Item

type Json = dict[str, Any]

RULES: Mapping[str, Rules] = {
    "items": responses.RULES,
    "chat": chat.RULES,
    "anthropic": anthropic.RULES,
    "gemini": gemini.RULES,
}
_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_OF_OWN = frozenset({"arguments", "env", "parameters", "tools"})


def rules_reached(conversation: Conversation, log: Sequence[Item]) -> set[tuple[str, str]]:
    """Return the rules, each with its format, that *log* breaks where it is sent as it is; those of shape aside."""
    bodies = [orjson.loads(item.body) for item in log]
    found: set[tuple[str, str]] = set()
    for name, make in _SENT.items():
        request = _own(conversation, name) or make(bodies)
        found |= {(name, fault.rule) for fault in FAULTS[name](request)}
    return {each for each in found if each[1] not in KINDS}


def unreached(reached: Mapping[tuple[str, str], int], context_format: str) -> list[str]:
    """Return the rules of a format that none of those *reached* is."""
    rules = RULES[context_format].named
    return sorted(name for name in rules if name not in KINDS and (context_format, name) not in reached)


def _own(conversation: Conversation, name: str) -> Json:
    """Return the messages of a *conversation* that is in that dialect as a request of it, {} for another one."""
    if not conversation.batches or any(batch.get("format") != name for batch in conversation.batches):
        return {}
    messages = [message for batch in conversation.batches for message in batch["messages"]]
    present = [{key: value for key, value in message.items() if value is not None} for message in messages]
    return {"contents" if name == "gemini" else "messages": present}


def _parts(body: Json) -> list[Json]:
    parts = body["output"] if body["type"] in _OUTPUTS else body["content"]
    return [{"type": "input_text", "text": parts}] if isinstance(parts, str) else parts


def _said(part: Json) -> str | None:
    text: str | None = part.get("refusal") if part["type"] == "refusal" else part.get("text")
    return text


def _items(bodies: Sequence[Json]) -> Json:
    return {"input": [_present({**body, **_item_parts(body)}) for body in bodies]}


def _item_parts(body: Json) -> Json:
    if body["type"] != "message" and not isinstance(body.get("output"), list):
        return {}
    made = []
    by_assistant = body.get("role") == "assistant"
    for part in _parts(body) if body["type"] in ("message", *_OUTPUTS) else body["output"]:
        said = _said(part)
        if said is None:
            made += [] if by_assistant or part["type"] == "computer_screenshot" else [part]
        elif by_assistant:
            is_text = part["type"] != "refusal"
            own = {"type": "output_text", "text": said, "annotations": []}
            made.append(own if is_text else {"type": "refusal", "refusal": said})
        else:
            made.append({"type": "input_text", "text": said})
    return {"content" if body["type"] == "message" else "output": made}


def _present(value: Any, name: str = "") -> Any:
    if isinstance(value, dict) and name not in _OF_OWN:
        return {key: _present(each, key) for key, each in value.items() if each is not None}
    return [_present(each) for each in value] if isinstance(value, list) and name not in _OF_OWN else value


def _chat(bodies: Sequence[Json]) -> Json:
    messages: list[Json] = []
    for body in bodies:
        kind = body["type"]
        if kind == "message":
            role = body["role"]
            parts = [part for each in _parts(body) if (part := _chat_part(each, role)) is not None]
            messages.append({"role": role, "content": parts})
        elif kind in _OUTPUTS:
            text = "\n".join(filter(None, map(_said, _parts(body))))
            messages.append({"role": "tool", "tool_call_id": body.get("call_id") or "", "content": text})
        elif kind in _CALLS:
            called = {"name": body["name"], _CALLS[kind]: body[_CALLS[kind]]}
            call_type = "function" if kind == "function_call" else "custom"
            call = {"id": body["call_id"], "type": call_type, call_type: called}
            if messages and messages[-1]["role"] == "assistant":
                messages[-1].setdefault("tool_calls", []).append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "reasoning":
            messages.append({"role": "assistant", "content": None})
    return {"messages": messages}


def _chat_part(part: Json, role: str) -> Json | None:
    if role == "user" and part["type"] in ("input_image", "computer_screenshot") and part.get("image_url") is not None:
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    if role == "user" and part["type"] == "input_file":
        names = ("file_id", "file_data", "filename")
        return {"type": "file", "file": {name: part[name] for name in names if part.get(name) is not None}}
    if role == "assistant" and part["type"] == "refusal":
        return {"type": "refusal", "refusal": part["refusal"]}
    return None if (said := _said(part)) is None else {"type": "text", "text": said}


def _data(url: str) -> tuple[str, str]:
    media_type, _, data = url.removeprefix("data:").partition(";base64,")
    return media_type, data


def _anthropic(bodies: Sequence[Json]) -> Json:
    system: list[Json] = []
    messages: list[Json] = []
    for body in bodies:
        kind = body["type"]
        if kind == "message":
            blocks = [block for part in _parts(body) if (block := _block(part, body["role"])) is not None]
            if body["role"] in ("system", "developer"):
                system += blocks
            else:
                messages.append({"role": body["role"], "content": blocks})
        elif kind in _OUTPUTS:
            blocks = [block for part in _parts(body) if (block := _block(part, "user")) is not None]
            result = {"type": "tool_result", "tool_use_id": body.get("call_id") or "", "content": blocks}
            messages.append({"role": "user", "content": [result]})
        elif kind in _CALLS:
            given = {"given": body[_CALLS[kind]]}
            use = {"type": "tool_use", "id": body["call_id"], "name": body["name"], "input": given}
            messages.append({"role": "assistant", "content": [use]})
        elif kind == "reasoning":
            thought = {"type": "thinking", "thinking": "hm", "signature": body.get("encrypted_content") or ""}
            messages.append({"role": "assistant", "content": [thought]})
    return {"system": system, "messages": messages}


def _block(part: Json, role: str) -> Json | None:
    if (said := _said(part)) is not None:
        return {"type": "text", "text": said}
    source = part.get("image_url") or part.get("file_data") or part.get("file_url")
    if role != "user" or source is None:
        return None
    media_type, data = _data(source)
    is_data = source.startswith("data:")
    made = {"type": "base64", "media_type": media_type, "data": data} if is_data else {"type": "url", "url": source}
    return {"type": "document" if part["type"] == "input_file" else "image", "source": made}


def _gemini(bodies: Sequence[Json]) -> Json:
    system: list[Json] = []
    contents: list[Json] = []
    names = {body["call_id"]: body["name"] for body in bodies if body["type"] in _CALLS}
    for (role, is_apart), group in groupby(bodies, _gemini_role):
        for parts in _gemini_parts(group, names, is_apart=is_apart):
            if role == "system":
                system += [part for part in parts if "text" in part]
            elif role:
                contents.append({"role": role, "parts": parts})
    return {"contents": contents, **({"system_instruction": {"parts": system}} if system else {})}


def _gemini_role(body: Json) -> tuple[str, bool]:
    """Return whose content an item is in, and whether it has one of its own."""
    if body["type"] == "message":
        return {"user": "user", "assistant": "model"}.get(body["role"], "system"), True
    return "model" if body["type"] in _CALLS else "user" if body["type"] in _OUTPUTS else "", False


def _gemini_parts(bodies: Iterator[Json], names: Mapping[str, str], *, is_apart: bool) -> Iterator[list[Json]]:
    joined: list[Json] = []
    for body in bodies:
        if is_apart:
            yield [part for each in _parts(body) if (part := _gemini_part(each)) is not None]
        elif body["type"] in _CALLS:
            args = {"given": body[_CALLS[body["type"]]]}
            joined.append({"functionCall": {"id": body["call_id"], "name": body["name"], "args": args}})
        elif body["type"] in _OUTPUTS:
            call_id = body.get("call_id") or ""
            response: Json = {"id": call_id, "name": names.get(call_id, "f"), "response": {}}
            joined.append({"functionResponse": response})
    if joined:
        yield joined


def _gemini_part(part: Json) -> Json | None:
    if (said := _said(part)) is not None:
        return {"text": said}
    source = part.get("image_url") or part.get("file_data") or part.get("file_url")
    if source is None:
        return {}
    media_type, data = _data(source)
    is_data = source.startswith("data:")
    return {"inlineData": {"mimeType": media_type, "data": data}} if is_data else {"fileData": {"fileUri": source}}


_SENT: Mapping[str, Callable[[Sequence[Json]], Json]] = {
    "items": _items,
    "chat": _chat,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
