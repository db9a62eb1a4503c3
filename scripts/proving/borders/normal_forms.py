"""
The normal forms of docs/dialects.md: two requests that say the same have the same one.

    chat(messages)                  anthropic(messages, system)                 gemini(contents, system)

The ids of calls are replaced by the place of the call, as what is sent may have others, the same in call and answer.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

Json = Any

ABSENT: tuple[Json, ...] = (None, [])
CACHE_MARKS = ("cache_control", "prompt_cache_breakpoint")


def chat(messages: list[Json]) -> Json:
    ids = _Ids()
    first = next((at for at, message in enumerate(messages) if message["role"] == "user"), 0)
    return [
        _chat_message(_present(message), ids)
        for at, message in enumerate(messages)
        if at >= first or message["role"] in ("system", "developer")
    ]


def anthropic(messages: list[Json], system: Json = None) -> Json:
    ids = _Ids()
    made: list[Json] = []
    for message in messages:
        blocks = [_block(block, ids) for block in _blocks(message["content"])]
        blocks = _without_last_thoughts([block for block in blocks if block is not None], _is_anthropic_thought)
        if made and made[-1]["role"] == message["role"]:
            made[-1]["content"] += blocks
        elif blocks:
            made.append({"role": message["role"], "content": blocks})
    prompt = [block for each in _blocks(system or []) if (block := _block(each, ids)) is not None]
    return {"system": prompt, "messages": made}


def gemini(contents: list[Json], system: Json = None) -> Json:
    ids = _Ids()
    made = []
    for raw in contents:
        content = _camel(raw)
        role = {"function": "user"}.get(content.get("role", "user"), content.get("role", "user"))
        parts = [_gemini_part(part, ids) for part in content.get("parts") or []]
        if parts := _without_last_thoughts(parts, _is_gemini_thought):
            made.append({"role": role, "parts": parts})
    parts = [{"text": system}] if isinstance(system, str) else (_camel(system).get("parts") if system else [])
    return {"system": [_present(part) for part in parts], "contents": made}


class _Ids:
    """The ids of one request: a call's place in the place of each, and of what answers it."""

    def __init__(self) -> None:
        self._calls = 0
        self._open: defaultdict[str, list[int]] = defaultdict(list)

    def call(self, call_id: str) -> int:
        self._calls += 1
        self._open[call_id].append(self._calls)
        return self._calls

    def answer(self, call_id: str) -> int:
        """Calls that share an id are answered in order."""
        return self._open[call_id].pop(0) if self._open[call_id] else 0


def _without_last_thoughts(parts: list[Json], is_thought: Callable[[Json], bool]) -> list[Json]:
    """Return the *parts* of a message up to the last that is more than a thought: a context has none that dangles."""
    last = max((at for at, part in enumerate(parts) if not is_thought(part)), default=-1)
    return parts[: last + 1]


def _is_anthropic_thought(block: Json) -> bool:
    return block["type"] in ("thinking", "redacted_thinking")


def _is_gemini_thought(part: Json) -> bool:
    return bool(part.get("thought"))


def _present(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value not in ABSENT and name not in CACHE_MARKS}


def value_of(text: str) -> Json:
    """Arguments compare as JSON values; what is none, as it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _chat_message(message: Json, ids: _Ids) -> Json:
    made = {name: value for name, value in message.items() if name not in ("annotations", "function_call")}
    calls = [_chat_call(call, ids) for call in message.get("tool_calls", [])]
    if called := message.get("function_call"):
        function = {"name": called["name"], "arguments": value_of(called["arguments"])}
        calls.append({"id": ids.call(f"legacy {called['name']}"), "type": "function", "function": function})
    if calls:
        made["tool_calls"] = calls
    if message["role"] == "function":
        answered = ids.answer(f"legacy {message['name']}")
        made = {"role": "tool", "tool_call_id": answered, "content": message.get("content", "")}
    elif message["role"] == "tool":
        made["tool_call_id"] = ids.answer(message["tool_call_id"])
    if "audio" in made:
        made["audio"] = {"id": made["audio"]["id"]}
    if "content" not in made and not made.keys() & {"tool_calls", "refusal", "audio"}:
        made["content"] = ""
    if isinstance(made.get("content"), str):
        made["content"] = [{"type": "text", "text": made["content"]}]
    if "content" in made:
        made["content"] = [_present(part) for part in made["content"]]
    return made


def _chat_call(call: Json, ids: _Ids) -> Json:
    call_type = call["type"]
    called = dict(call[call_type])
    if call_type == "function":
        called["arguments"] = value_of(called["arguments"])
    return {"id": ids.call(call["id"]), "type": call_type, call_type: called}


def _blocks(content: Json) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _block(raw: Json, ids: _Ids) -> Json:
    """Blank texts are nothing: Anthropic refuses them."""
    block = _without_cache_marks(_present(raw))
    if block["type"] == "text" and not block["text"].strip():
        return None
    if block["type"].endswith("tool_use"):
        return block | {"id": ids.call(block["id"])}
    if block["type"] == "tool_result":
        parts = [each for part in _blocks(block.get("content", [])) if (each := _block(part, ids)) is not None]
        return _present({**block, "tool_use_id": ids.answer(block["tool_use_id"]), "content": parts})
    if block["type"].endswith("_tool_result"):
        return block | {"tool_use_id": ids.answer(block["tool_use_id"])}
    return block


def _without_cache_marks(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _without_cache_marks(each) for name, each in value.items() if name not in CACHE_MARKS}
    return [_without_cache_marks(each) for each in value] if isinstance(value, list) else value


def _camel(raw: Json) -> Json:
    """The members of one object, in camelCase."""
    return {re.sub("_([a-z])", lambda match: match[1].upper(), name): value for name, value in raw.items()}


def _gemini_part(raw: Json, ids: _Ids) -> Json:
    part = {name: value for name, value in _camel(raw).items() if value is not None}
    if part.get("thought") is False:
        del part["thought"]
    for name in ("inlineData", "fileData", "functionCall", "functionResponse"):
        if name in part:
            part[name] = _present(_camel(part[name])) | {
                own: part[name][own] for own in ("args", "response") if own in part[name]
            }
    if "inlineData" in part:
        part["inlineData"]["data"] = part["inlineData"]["data"].replace("-", "+").replace("_", "/")
    if called := part.get("functionCall"):
        at = ids.call(called.get("id") or f"by name {called['name']}")
        part["functionCall"] = {"args": {}, **called} | ({"id": at} if "id" in called else {})
    if answered := part.get("functionResponse"):
        at = ids.answer(answered.get("id") or f"by name {answered['name']}")
        part["functionResponse"] = answered | ({"id": at} if "id" in answered else {})
    return {"text": "", **part} if part.keys() == {"thoughtSignature"} else part
