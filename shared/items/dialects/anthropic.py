"""
Anthropic messages, as requests have them and as replies bring them.

    system          a system message
    user            an output for each tool_result, which stand first, and a message of the rest
    assistant       in the order of its blocks: reasoning for each thinking block, a call for each tool_use, a message
                    for each run of other blocks

What the provider's own tools did stands among the text, as it came.
"""

from typing import Any, Final

from shared.errors import InvalidValue, kind_of, wrong_value
from shared.items.dialects.extras import Json, content_of, extras_of
from shared.items.dialects.reading import (
    Content,
    Draft,
    read_any_object,
    read_choice,
    read_fields,
    read_list,
    read_text,
    read_type,
    without_cache_marks,
    write_object,
)
from shared.items.parts import text_part

NAME: Final = "anthropic"

_REPLY = {"id", "type", "model", "stop_reason", "stop_sequence", "stop_details", "usage", "container"}
"""What a whole reply says besides role and content: of the call, and not of what was said."""

_OF_BOTH = ("text", "image", "document", "search_result", "container_upload")
_OF_ASSISTANT = (
    "thinking",
    "redacted_thinking",
    "tool_use",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
    "advisor_tool_result",
)
_THOUGHTS = ("thinking", "redacted_thinking")
_SERVER_CALLS = ("server_tool_use", "mcp_tool_use")
_SERVER_RESULTS = tuple(each for each in _OF_ASSISTANT if each.endswith("_tool_result"))
LEFT_OUT = (*_SERVER_CALLS, *_SERVER_RESULTS)
"""Blocks that may be left out: what the provider's own tools did."""

BLOCKS = {"user": (*_OF_BOTH, "tool_result"), "assistant": ("text", *_OF_ASSISTANT, "container_upload")}
IN_RESULT = ("text", "image", "document", "search_result", "tool_reference")
_IMAGE_SOURCES = ("base64", "url", "file")
_DOCUMENT_SOURCES = ("base64", "text", "content", "url", "file")


def read(messages: list[Any], path: str) -> list[Draft]:
    """Return what *messages* make. Raises InvalidValue, which names the first thing that is wrong."""
    drafts: list[Draft] = []
    for number, raw in enumerate(messages):
        at = f"{path}[{number}]"
        # Whole replies are put back as well as their content.
        known = {"role", "content"} | (_REPLY if isinstance(raw, dict) and raw.get("type") == "message" else set())
        fields = read_fields(raw, at, known)
        if fields.get("role") == "system":
            raise InvalidValue(f"{at}.role must not be 'system': send it as `system`.", param=f"{at}.role")
        role = read_choice(fields, "role", at, ("user", "assistant"))
        blocks = _blocks(fields.get("content"), f"{at}.content")
        drafts += (_user if role == "user" else _assistant)(blocks, f"{at}.content", number)
    return drafts


def read_system(raw: object, path: str) -> list[Draft]:
    """Return what the system prompt *raw*, a text or text blocks, makes. Raises InvalidValue."""
    content = Content()
    for index, block in enumerate(_blocks(raw, path)):
        at = f"{path}[{index}]"
        read_type(block, at, ("text",))
        _add(content, block, at, by_assistant=False)
    return [_message(content, "system", path, -1)] if content else []


def _blocks(raw: object, at: str) -> list[Any]:
    if raw is None:
        raise InvalidValue(f"{at} is required.", param=at)
    return [{"type": "text", "text": raw}] if type(raw) is str else read_list(raw, at, "a string or a list of blocks")


def _message(content: Content, role: str, at: str, number: int) -> Draft:
    item = {"type": "message", "role": role, "content": content.parts}
    extras = extras_of(NAME, content=content_of(content.elements), left_out=content.left_out)
    return Draft(item, extras, number, at)


def _user(blocks: list[Any], at: str, number: int) -> list[Draft]:
    drafts: list[Draft] = []
    content = Content()
    for index, block in enumerate(blocks):
        where = f"{at}[{index}]"
        block_type = read_type(block, where, BLOCKS["user"])
        if block_type != "tool_result":
            _add(content, block, where, by_assistant=False)
        elif content:
            raise InvalidValue(f"{where}: a tool_result must stand before all other blocks.", param=f"{where}.type")
        else:
            drafts.append(_result(block, where, number))
    if content or not drafts:
        drafts.append(_message(content, "user", at, number))
    return drafts


def _result(block: Json, at: str, number: int) -> Draft:
    fields = read_fields(block, at, {"type", "tool_use_id", "content", "is_error"})
    item: Json = {"type": "function_call_output", "call_id": read_text(fields, "tool_use_id", at), "output": ""}
    over: Json = {}
    if "is_error" in fields:
        if type(fields["is_error"]) is not bool:
            raise wrong_value(f"{at}.is_error", "true or false", kind_of(fields["is_error"]))
        over["is_error"] = fields["is_error"]
    raw, content = fields.get("content"), Content()
    if type(raw) is str:
        item["output"] = raw
    else:
        for index, part in enumerate(read_list(raw, f"{at}.content", "a string or a list of blocks")):
            where = f"{at}.content[{index}]"
            read_type(part, where, IN_RESULT)
            _add(content, part, where, by_assistant=False)
        if content:
            item["output"] = content.parts
    return Draft(item, extras_of(NAME, content=content_of(content.elements), fields=over), number, at)


def _assistant(blocks: list[Any], at: str, number: int) -> list[Draft]:
    drafts: list[Draft] = []
    content, since = Content(), at
    alone = _alone(blocks)
    for index, block in enumerate(blocks):
        where = f"{at}[{index}]"
        block_type = read_type(block, where, BLOCKS["assistant"])
        single = _SINGLE.get(block_type)
        if single is None:
            since = since if content else where
            if index in alone:
                content.add_foreign(without_cache_marks(block), is_left_out=True)
            else:
                _add(content, block, where, by_assistant=True)
            continue
        if content:
            drafts.append(_message(content, "assistant", since, number))
            content = Content()
        drafts.append(Draft(*single(block, where), number, where))
    if content or not drafts:
        drafts.append(_message(content, "assistant", since, number))
    return drafts


def _alone(blocks: list[Any]) -> set[int]:
    """
    Return which of the *blocks* of a message are left out: all, but for its thoughts, where there is nothing but calls
    of the provider's own without results, and results without calls. Beside others a context decides
    (shared/context/formats/server_calls.py).
    """
    calls: dict[Any, int] = {}
    alone: set[int] = set()
    for index, block in enumerate(blocks):
        block_type = block.get("type") if isinstance(block, dict) else None
        if block_type in _THOUGHTS:
            continue
        if block_type in _SERVER_CALLS:
            calls[str(block.get("id"))] = index
        elif block_type in _SERVER_RESULTS and str(block.get("tool_use_id")) not in calls:
            pass
        else:
            return set()
        alone.add(index)
    return alone


def _thinking(block: Json, at: str) -> tuple[Json, Json]:
    fields = read_fields(block, at, {"type", "thinking", "signature"})
    text, signature = read_text(fields, "thinking", at), read_text(fields, "signature", at)
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "summary": summary}, {"format": NAME, "fields": {"signature": signature}}


def _redacted_thinking(block: Json, at: str) -> tuple[Json, Json]:
    fields = read_fields(block, at, {"type", "data"})
    read_text(fields, "data", at)
    return {"type": "reasoning", "summary": []}, {"format": NAME, "block": fields}


def _tool_use(block: Json, at: str) -> tuple[Json, Json]:
    fields = read_fields(block, at, {"type", "id", "name", "input", "caller"})
    arguments = write_object(read_any_object(fields, "input", at), f"{at}.input")
    item = {
        "type": "function_call",
        "call_id": read_text(fields, "id", at),
        "name": read_text(fields, "name", at),
        "arguments": arguments,
    }
    over = {"caller": read_any_object(fields, "caller", at)} if "caller" in fields else {}
    return item, extras_of(NAME, fields=over)


_SINGLE = {"thinking": _thinking, "redacted_thinking": _redacted_thinking, "tool_use": _tool_use}
"""Blocks that make an item of their own."""


def _add(content: Content, block: Json, at: str, *, by_assistant: bool) -> None:
    match block["type"]:
        case "text":
            fields = read_fields(block, at, {"type", "text", "citations"})
            over = {"citations": fields["citations"]} if read_list(fields.get("citations"), f"{at}.citations") else None
            content.add(text_part(read_text(fields, "text", at), by_assistant=by_assistant), over)
        case "image":
            _add_image(content, read_fields(block, at, {"type", "source"}), at)
        case "document":
            _add_document(content, read_fields(block, at, {"type", "source", "title", "context", "citations"}), at)
        case _:
            content.add_foreign(without_cache_marks(block))


def _add_image(content: Content, fields: Json, at: str) -> None:
    source, where = read_any_object(fields, "source", at), f"{at}.source"
    match read_choice(source, "type", where, _IMAGE_SOURCES):
        case "url":
            content.add({"type": "input_image", "image_url": _url(source, where)})
        case "base64":
            content.add({"type": "input_image", "image_url": _data_url(source, where)})
        case _:  # Files of Anthropic's, which no other provider can read.
            content.add_foreign(_with_file(fields, source, where))


def _add_document(content: Content, fields: Json, at: str) -> None:
    source, where = read_any_object(fields, "source", at), f"{at}.source"
    over = {name: value for name, value in fields.items() if name not in ("type", "source")}
    match read_choice(source, "type", where, _DOCUMENT_SOURCES):
        case "url":
            content.add({"type": "input_file", "file_url": _url(source, where)}, over)
        case "base64":
            content.add({"type": "input_file", "file_data": _data_url(source, where)}, over)
        case "file":
            content.add_foreign(_with_file(fields, source, where))
        case "text":
            _checked_source(source, where, "media_type", "data")
            content.add_foreign(without_cache_marks(fields))
        case _:
            read_fields(source, where, {"type", "content"})
            content.add_foreign(without_cache_marks(fields))


def _with_file(fields: Json, source: Json, at: str) -> Json:
    _checked_source(source, at, "file_id")
    return without_cache_marks(fields)


def _checked_source(source: Json, at: str, *names: str) -> Json:
    fields = read_fields(source, at, {"type", *names})
    for name in names:
        read_text(fields, name, at)
    return fields


def _url(source: Json, at: str) -> str:
    return str(_checked_source(source, at, "url")["url"])


def _data_url(source: Json, at: str) -> str:
    fields = _checked_source(source, at, "media_type", "data")
    return f"data:{fields['media_type']};base64,{fields['data']}"
