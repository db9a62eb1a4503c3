"""
Chat Completions messages, as requests have them and as replies bring them.

    system, developer, user    a message
    assistant                  a message, where it says anything, and a call for each of `tool_calls`; the older
                               `function_call` is one as well. What servers add to replies stands beside the first of
                               them (chat_servers.py)
    tool, function             an output

A call's answer does not say which kind of call it answers: those of custom tools are told by the calls of the same
request, and answers whose call came earlier are paired when a context is made.
"""

from typing import Any, Final

from shared.errors import InvalidValue, missing_value, wrong_value
from shared.items.dialects.chat_servers import (
    DROPPED_OF_CALL,
    DROPPED_OF_FUNCTION,
    DROPPED_OF_MESSAGE,
    IN_CALL,
    IN_FUNCTION,
    IN_MESSAGE,
    read_additions,
)
from shared.items.dialects.extras import Json, content_of, extras_of
from shared.items.dialects.reading import (
    Content,
    Draft,
    read_any_object,
    read_choice,
    read_fields,
    read_list,
    read_object,
    read_text,
    read_type,
    tool_id,
    without_cache_marks,
)
from shared.items.fitting import is_base64
from shared.items.parts import text_part

NAME: Final = "chat"

_SAID = {"role", "content", "name"}
_FIELDS = {
    "system": _SAID,
    "developer": _SAID,
    "user": _SAID,
    "assistant": _SAID
    | {"refusal", "audio", "tool_calls", "function_call", "annotations"}
    | IN_MESSAGE.keys()
    | DROPPED_OF_MESSAGE,
    "tool": _SAID | {"tool_call_id"},
    "function": _SAID,
}
_TEXT = ("text",)
_OF_MISTRAL = ("thinking", "reference")
"""Parts of its replies, which are kept as they came."""
_AUDIO_FORMATS = ("wav", "mp3")
_PARTS = {"user": ("text", "image_url", "input_audio", "file"), "assistant": ("text", "refusal", *_OF_MISTRAL)}
_FILE = ("file_data", "file_id", "filename")
_AUDIO = {"id", "data", "expires_at", "transcript"}
_CITATION = {"type", "start_index", "end_index", "title", "url"}
_CALL_TYPES = ("function", "custom")
_ANNOTATIONS = ("url_citation", "file")


def read(messages: list[Any], path: str) -> list[Draft]:
    """Return what *messages* make. Raises InvalidValue, which names the first thing that is wrong."""
    custom_ids: set[str] = set()
    drafts: list[Draft] = []
    for number, raw in enumerate(messages):
        drafts += _message(raw, f"{path}[{number}]", number, custom_ids)
    return drafts


def read_system(raw: object, path: str) -> list[Draft]:
    """Raise InvalidValue: here the system prompt is a message."""
    raise InvalidValue(f"{path} is not for chat messages: send a message of role 'system'.", param=path)


def _message(raw: object, at: str, number: int, custom_ids: set[str]) -> list[Draft]:
    everything = frozenset().union(*_FIELDS.values())
    role = read_choice(read_fields(raw, at, everything), "role", at, tuple(_FIELDS))
    fields = read_fields(raw, at, _FIELDS[role])
    over = {"name": read_text(fields, "name", at)} if fields.get("name") else {}
    if role == "assistant":
        return _assistant(fields, over, at, number, custom_ids)
    if role == "function":  # Its content may be null.
        fields = {"content": "", **fields}
    content = _content(fields, role, at)
    if role == "tool":
        call_id = read_text(fields, "tool_call_id", at)
        return [_output(fields, content, call_id, over, at, number, is_custom=call_id in custom_ids)]
    if role == "function":
        return [_output(fields, content, tool_id(read_text(fields, "name", at)), {}, at, number, is_custom=False)]
    item = {"type": "message", "role": role, "content": content.parts}
    extras = extras_of(NAME, content=content_of(content.elements), left_out=content.left_out, fields=over)
    return [Draft(item, extras, number, at)]


def _output(
    fields: Json, content: Content, call_id: str, over: Json, at: str, number: int, *, is_custom: bool
) -> Draft:
    text = fields["content"]
    output = text if isinstance(text, str) else content.parts
    item_type = "custom_tool_call_output" if is_custom else "function_call_output"
    item = {"type": item_type, "call_id": call_id, "output": output}
    return Draft(item, extras_of(NAME, fields=over), number, at)


def _assistant(fields: Json, over: Json, at: str, number: int, custom_ids: set[str]) -> list[Draft]:
    calls = _calls(fields, at, number, custom_ids)
    content = _content(fields, "assistant", at) if fields.get("content") not in (None, []) else Content()
    over |= read_additions(fields, at, IN_MESSAGE)
    if annotations := read_list(fields.get("annotations"), f"{at}.annotations"):
        over |= _annotate(content, annotations, f"{at}.annotations")
    refusal = None
    if "refusal" in fields:
        refusal = len(content.parts)
        content.parts.append({"type": "refusal", "refusal": read_text(fields, "refusal", at)})
    if "audio" in fields:
        audio = read_object(fields, "audio", at, _AUDIO)
        over = {**over, "audio": {"id": read_text(audio, "id", f"{at}.audio")}}
    drafts = calls
    if content or content.parts or "audio" in fields or not calls:
        item = {"type": "message", "role": "assistant", "content": content.parts}
        elements = content_of(content.elements)
        drafts = [Draft(item, extras_of(NAME, content=elements, refusal=refusal), number, at), *calls]
    first = drafts[0]
    members = {name: value for name, value in first.extras.items() if name != "format"}
    return [first._replace(extras=extras_of(NAME, **members, fields=over)), *drafts[1:]]


def _content(fields: Json, role: str, at: str) -> Content:
    at = f"{at}.content"
    by_assistant = role == "assistant"
    content = Content()
    raw = fields.get("content")
    if raw is None:
        raise missing_value(at)
    if type(raw) is str:
        content.add(text_part(raw, by_assistant=by_assistant))
        return content
    for index, part in enumerate(read_list(raw, at, "a string or a list of parts")):
        _add_part(content, part, f"{at}[{index}]", _PARTS.get(role, _TEXT), by_assistant=by_assistant)
    return content


def _add_part(content: Content, raw: object, at: str, allowed: tuple[str, ...], *, by_assistant: bool) -> None:
    part_type = read_type(raw, at, allowed)
    if part_type in _OF_MISTRAL:
        content.add_foreign(without_cache_marks(read_any_object({"part": raw}, "part", at)))
        return
    fields = read_fields(raw, at, {"type", part_type})
    match part_type:
        case "text":
            content.add(text_part(read_text(fields, "text", at), by_assistant=by_assistant))
        case "refusal":
            content.add({"type": "refusal", "refusal": read_text(fields, "refusal", at)})
        case "image_url":
            image = read_object(fields, "image_url", at, {"url", "detail"})
            part = {"type": "input_image", "image_url": read_text(image, "url", f"{at}.image_url")}
            over = None
            if "detail" in image:
                part["detail"] = read_choice(image, "detail", f"{at}.image_url", ("auto", "low", "high"))
                # It is what an image without one has, so only this tells the two apart.
                over = {"image_url": {"detail": "auto"}} if part["detail"] == "auto" else None
            content.add(part, over)
        case "input_audio":
            audio = read_object(fields, "input_audio", at, {"data", "format"})
            data, audio_format = (read_text(audio, name, f"{at}.input_audio") for name in ("data", "format"))
            is_left_out = audio_format not in _AUDIO_FORMATS or not is_base64(data)
            content.add_foreign({"type": "input_audio", "input_audio": audio}, is_left_out=is_left_out)
        case _:
            file = read_object(fields, "file", at, _FILE)
            part = {"type": "input_file"} | {name: read_text(file, name, f"{at}.file") for name in file}
            if not part.keys() & {"file_data", "file_id"}:
                raise missing_value(f"{at}.file.file_data")
            content.add(part)


def _annotate(content: Content, annotations: list[Any], at: str) -> Json:
    """
    Put the citations of a reply where items have them: OpenAI's requests have none. Return the members that others'
    stay, OpenRouter's with the text of a page or a file that was read.
    """
    for index, raw in enumerate(annotations):
        read_type(raw, f"{at}[{index}]", _ANNOTATIONS)
    if any(raw["type"] == "file" or _is_of_another(raw.get("url_citation")) for raw in annotations):
        return {"annotations": annotations}
    made = []
    for index, raw in enumerate(annotations):
        where = f"{at}[{index}]"
        fields = read_fields(raw, where, {"type", "url_citation"})
        read_choice(fields, "type", where, ("url_citation",))
        citation = read_object(fields, "url_citation", where, _CITATION)
        for name, value in citation.items():
            if type(value) is not (int if name.endswith("_index") else str):
                raise wrong_value(f"{where}.url_citation.{name}", "an index or a text", type(value).__name__)
        made.append({**citation, "type": "url_citation"})
    texts = [part for part in content.parts if part["type"] == "output_text"]
    if not texts:
        raise InvalidValue(f"{at} must be null where content has no text.", param=at)
    texts[-1]["annotations"] = made
    return {}


def _is_of_another(citation: object) -> bool:
    return isinstance(citation, dict) and "content" in citation


def _typed(raw: object) -> object:
    """Return a call with its type, which Mistral leaves out."""
    return {**raw, "type": "function"} if isinstance(raw, dict) and raw.get("type") is None else raw


def _calls(fields: Json, at: str, number: int, custom_ids: set[str]) -> list[Draft]:
    drafts: list[Draft] = []
    for index, raw in enumerate(read_list(fields.get("tool_calls"), f"{at}.tool_calls")):
        where = f"{at}.tool_calls[{index}]"
        call_type = read_type(_typed(raw), where, _CALL_TYPES)
        call = read_fields(raw, where, {"id", "type", call_type} | IN_CALL.keys() | DROPPED_OF_CALL)
        call_id, argument = read_text(call, "id", where), "input" if call_type == "custom" else "arguments"
        known = {"name", argument} | IN_FUNCTION.keys() | DROPPED_OF_FUNCTION
        called = read_object(call, call_type, where, known)
        within = f"{where}.{call_type}"
        item = {
            "type": "custom_tool_call" if call_type == "custom" else "function_call",
            "call_id": call_id,
            "name": read_text(called, "name", within),
            argument: read_text(called, argument, within),
        }
        (custom_ids.add if call_type == "custom" else custom_ids.discard)(call_id)
        over = read_additions(call, where, IN_CALL)
        if within_function := read_additions(called, within, IN_FUNCTION):
            over[call_type] = within_function
        drafts.append(Draft(item, extras_of(NAME, call=over), number, where))
    if "function_call" in fields:
        where = f"{at}.function_call"
        called = read_object(fields, "function_call", at, {"name", "arguments"})
        name, text = read_text(called, "name", where), read_text(called, "arguments", where)
        item = {"type": "function_call", "call_id": tool_id(name), "name": name, "arguments": text}
        drafts.append(Draft(item, {}, number, where))
    return drafts
