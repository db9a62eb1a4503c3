"""
A message as LangChain stores it, `{"type": "ai", "data": {…}}`, as a message of Chat Completions or of Anthropic.

    human, system, ai, tool, function, chat      and the chunks of a stream that stand for them

An answer of Claude whose content is its blocks stays in Anthropic's form, so that thinking keeps its signature. Calls
are those of `tool_calls`, else those that the provider's answer has in `additional_kwargs`. What has no place is named
in `left_out`; what cannot be read is `wrong`, and never dropped in silence.
"""

import json
from collections.abc import Mapping
from typing import Any

from scripts.importing.source import Json, Record

_ROLES = {"human": "user", "system": "system", "tool": "tool", "function": "function", "ai": "assistant"}
_CHUNKS = {
    "HumanMessageChunk": "human",
    "SystemMessageChunk": "system",
    "AIMessageChunk": "ai",
    "ToolMessageChunk": "tool",
    "FunctionMessageChunk": "function",
    "ChatMessageChunk": "chat",
}
_OF_ANTHROPIC = frozenset(
    {"thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result", "mcp_tool_use"}
)
_OF_REQUESTS = frozenset({"function_call", "refusal", "audio", "reasoning_content", "reasoning_details"})
"""Members of `additional_kwargs` that a chat message has by the same name."""

_SAID_ELSEWHERE = frozenset({"tool_calls", "parsed", "__openai_function_call_ids__", "__openai_role__"})
_CALLS_IN_BLOCKS = frozenset({"tool_use", "function_call", "tool_call", "input_json_delta"})
"""Blocks that repeat what `tool_calls` says."""

_THOUGHTS = frozenset({"reasoning", "thinking", "redacted_thinking"})


def message_record(stored: Json, at: str, key: str = "") -> Record:
    """Return the record of a *stored* message."""
    data = stored.get("data")
    kind = stored.get("type")
    if not isinstance(kind, str) or not isinstance(data, dict):
        return Record(at, key, wrong="it is no message of LangChain: it has no type and data")
    kind = _CHUNKS.get(kind, kind)
    role = _ROLES.get(kind) or (data.get("role") if kind == "chat" else None)
    if not isinstance(role, str):
        return Record(at, key, wrong=f"messages of the type {kind!r} have no place here", field="type")
    content = data.get("content")
    if isinstance(content, list):
        content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
        odd = [number for number, part in enumerate(content) if not isinstance(part, dict)]
        if odd:
            return Record(at, key, wrong="it is no part of a message", field=f"content[{odd[0]}]")
    if role == "assistant":
        return _answer(data, content, at, key)
    message: Json = {"role": role, "content": _parts(content)}
    if data.get("name") and role != "tool":
        message["name"] = data["name"]
    left_out = []
    if role == "tool":
        message["tool_call_id"] = data.get("tool_call_id")
        left_out = [name for name in ("artifact",) if data.get(name)]
        left_out += ["status: error"] if data.get("status") == "error" else []
    return Record(at, key, "chat", (message,), (*left_out, *_left_of(data.get("additional_kwargs"))))


def _answer(data: Json, content: Any, at: str, key: str) -> Record:
    """Return the record of what a model said."""
    extra = data.get("additional_kwargs") or {}
    blocks = content if isinstance(content, list) else []
    if _is_anthropic(blocks):
        return Record(at, key, "anthropic", ({"role": "assistant", "content": list(map(_block, blocks))},))
    calls = [_call(call) for call in data.get("tool_calls") or []]
    calls += [_broken(call) for call in data.get("invalid_tool_calls") or []]
    calls = calls or list(extra.get("tool_calls") or [])
    left_out = _left_of(extra, but=_OF_REQUESTS)
    if isinstance(content, list):
        left_out += sorted({"reasoning" for part in content if part.get("type") in _THOUGHTS})
        content = [part for part in content if part.get("type") not in (*_THOUGHTS, *_CALLS_IN_BLOCKS)]
    message: Json = {"role": "assistant", "content": _parts(content)}
    message |= {name: extra[name] for name in sorted(_OF_REQUESTS) if extra.get(name)}
    if calls:
        message |= {"tool_calls": calls}
        message.pop("function_call", None)
    if data.get("name"):
        message["name"] = data["name"]
    if calls and not message["content"]:
        message["content"] = None
    return Record(at, key, "chat", (message,), tuple(left_out))


def _is_anthropic(blocks: list[Json]) -> bool:
    kinds = {block.get("type") for block in blocks}
    has_own_thoughts = any("signature" in block or "data" in block for block in blocks)
    return bool(kinds & _OF_ANTHROPIC) and (has_own_thoughts or bool(kinds & (_OF_ANTHROPIC - _THOUGHTS)))


def _block(block: Json) -> Json:
    """Return a block without what streams and the framework add to it: only calls have ids of their own."""
    added = {"index", "partial_json"} | (set() if str(block.get("type")).endswith("tool_use") else {"id"})
    return {name: value for name, value in block.items() if name not in added}


def _call(call: Mapping[str, Any]) -> Json:
    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False)
    return {"id": call.get("id"), "type": "function", "function": {"name": call.get("name"), "arguments": arguments}}


def _broken(call: Mapping[str, Any]) -> Json:
    """A call whose arguments are no JSON: they stay the text that they were."""
    function = {"name": call.get("name") or "", "arguments": call.get("args") or ""}
    return {"id": call.get("id"), "type": "function", "function": function}


def _left_of(extra: object, but: frozenset[str] = frozenset()) -> list[str]:
    """Return what of `additional_kwargs` says something and is not taken."""
    if not isinstance(extra, dict):
        return []
    return sorted(name for name, value in extra.items() if value and name not in but | _SAID_ELSEWHERE)


def _parts(content: Any) -> Any:
    return [_part(part) for part in content] if isinstance(content, list) else content


def _part(part: Json) -> Json:
    """Return a part in the form of Chat Completions, where it is of LangChain's own or of Anthropic's pictures."""
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part.get("text")}
    if kind == "image_url" and isinstance(part.get("image_url"), str):
        return {"type": "image_url", "image_url": {"url": part["image_url"]}}
    if kind == "image":
        source = part.get("source") if isinstance(part.get("source"), dict) else part
        assert isinstance(source, dict)
        data = source.get("base64") or source.get("data")
        media_type = source.get("mime_type") or source.get("media_type")
        url = f"data:{media_type};base64,{data}" if data and media_type else source.get("url")
        return {"type": "image_url", "image_url": {"url": url}} if url else part
    return part
