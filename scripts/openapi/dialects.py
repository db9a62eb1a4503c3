"""
Messages of other APIs as JSON Schema: the plainer part of what is taken, see docs/dialects.md for all of it.
"""

from collections.abc import Mapping

from scripts.openapi.shapes import Schema, obj, optional
from shared.config import SETTINGS
from shared.conversations.token_counts import ITEMS_MAX
from shared.items.dialects.chat_servers import IN_CALL, IN_FUNCTION, IN_MESSAGE
from shared.items.gemini import IMAGES
from shared.items.given import FORMATS

TEXT: Schema = {"type": "string"}
ANY: Schema = {"type": "object"}


_BATCH = SETTINGS["batch_items_max"].default
_LISTED: dict[str, Schema] = {
    "messages": {"minItems": 1, "maxItems": _BATCH},
    "messages_or_none": {"maxItems": _BATCH},
    "messages_to_count": {"maxItems": ITEMS_MAX},
}
"""How many messages there may be, by the name that a body has for it."""


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _tagged(name: str, members: Schema, *needed: str) -> Schema:
    """Return an object of a `type`; all *members* have to be there, or those that are *needed*."""
    return obj({"type": {"const": name}} | members, ("type", *(needed or members)))


def _block(name: str, /, **members: Schema) -> Schema:
    return _tagged(name, members)


_JSON_TYPES: Mapping[type, Schema] = {str: TEXT, list: _list({}), dict: ANY}


def additions(known: Mapping[str, type]) -> Schema:
    """Return what servers add to what OpenAI's API has, each of which may be there."""
    return {name: optional(_JSON_TYPES[kind]) for name, kind in known.items()}


def _chat() -> Schema:
    text = _block("text", text=TEXT)
    image = _block("image_url", image_url=obj({"url": TEXT, "detail": {"enum": ["auto", "low", "high"]}}, ("url",)))
    audio = _block("input_audio", input_audio=obj({"data": TEXT, "format": TEXT}, ("data", "format")))
    file = _block("file", file=obj({"file_data": TEXT, "filename": TEXT}, ("file_data",)))
    named = obj({"name": TEXT, "arguments": TEXT, **additions(IN_FUNCTION)}, ("name", "arguments"))
    function = _tagged("function", {"id": TEXT, "function": named, **additions(IN_CALL)}, "id", "function")
    custom = _block("custom", id=TEXT, custom=obj({"name": TEXT, "input": TEXT}, ("name", "input")))

    def said(role: str, *parts: Schema) -> Schema:
        content = {"anyOf": [TEXT, _list({"anyOf": list(parts)})]}
        return obj({"role": {"const": role}, "content": content, "name": optional(TEXT)}, ("role", "content"))

    assistant = said("assistant", text, _block("refusal", refusal=TEXT))
    assistant["properties"] |= additions(IN_MESSAGE) | {
        "content": optional(assistant["properties"]["content"]),
        "refusal": optional(TEXT),
        "audio": optional(obj({"id": TEXT}, ("id",))),
        "tool_calls": optional(_list({"anyOf": [function, custom]})),
        "function_call": optional(obj({"name": TEXT, "arguments": TEXT}, ("name", "arguments"))),
    }
    tool = said("tool", text)
    tool["properties"]["tool_call_id"] = TEXT
    answered = obj({"role": {"const": "function"}, "name": TEXT, "content": TEXT}, ("role", "name", "content"))
    others = [said("system", text), said("developer", text), said("user", text, image, audio, file), answered]
    return {
        "anyOf": [*others, assistant | {"required": ["role"]}, tool | {"required": [*tool["required"], "tool_call_id"]}]
    }


def _anthropic() -> Schema:
    text = _block("text", text=TEXT)
    inline = _block("base64", media_type=TEXT, data=TEXT)
    image = _block("image", source={"anyOf": [inline, _block("url", url={"const": "https://example.com/a.png"})]})
    document = _tagged("document", {"source": inline, "title": optional(TEXT), "context": optional(TEXT)}, "source")
    result = _tagged(
        "tool_result",
        {
            "tool_use_id": TEXT,
            "content": {"anyOf": [TEXT, _list({"anyOf": [text, image, document]})]},
            "is_error": optional({"type": "boolean"}),
        },
        "tool_use_id",
    )
    thought = [_block("thinking", thinking=TEXT, signature=TEXT), _block("redacted_thinking", data=TEXT)]
    call = _block("tool_use", id=TEXT, name=TEXT, input=ANY)
    served = [_block("server_tool_use", id=TEXT, name=TEXT, input=ANY)]
    served.append(_block("web_search_tool_result", tool_use_id=TEXT, content={}))

    def said(role: str, *blocks: Schema) -> Schema:
        content = {"anyOf": [TEXT, _list({"anyOf": list(blocks)})]}
        return obj({"role": {"const": role}, "content": content}, ("role", "content"))

    answers = obj({"role": {"const": "user"}, "content": _list(result)}, ("role", "content"))
    return {"anyOf": [said("user", text, image, document), answers, said("assistant", text, *thought, call, *served)]}


_BASE64: Schema = {"type": "string", "pattern": "^([A-Za-z0-9+/_-]{4})*[A-Za-z0-9+/_-]{2,4}={0,2}$"}
"""At least a byte, in either alphabet (shared/items/fitting.py)."""

_URI: Schema = {"type": "string", "pattern": "^(https?|gs)://[!-~]+$"}
_MEDIA_TYPE: Schema = {
    "anyOf": [
        {"enum": sorted(IMAGES)},
        {"type": "string", "pattern": "^(application|audio|text|video)/[A-Za-z0-9_.+-]+$"},
    ]
}


def _gemini() -> Schema:
    signature = {"thoughtSignature": optional(_BASE64)}
    text = obj({"text": TEXT, "thought": optional({"type": "boolean"}), **signature}, ("text",))
    blob = obj({"inlineData": obj({"mimeType": _MEDIA_TYPE, "data": _BASE64}, ("mimeType", "data"))}, ("inlineData",))
    file = obj({"fileData": obj({"mimeType": optional(_MEDIA_TYPE), "fileUri": _URI}, ("fileUri",))}, ("fileData",))
    called = obj({"id": optional(TEXT), "name": TEXT, "args": optional(ANY)}, ("name",))
    call = obj({"functionCall": called, **signature}, ("functionCall",))
    answered = obj({"id": optional(TEXT), "name": TEXT, "response": ANY}, ("name", "response"))
    answer = obj({"functionResponse": answered, **signature}, ("functionResponse",))

    def said(role: Schema, *parts: Schema) -> Schema:
        return obj({"role": role, "parts": _list({"anyOf": list(parts)})}, ("role", "parts"))

    return {
        "anyOf": [
            said({"enum": ["user", "function"]}, text, blob, file, answer),
            said({"const": "model"}, text, blob, file, call),
        ]
    }


def schemas() -> Schema:
    """Return the named schemas of messages."""
    return {"message_of_anthropic": _anthropic(), "message_of_chat": _chat(), "message_of_gemini": _gemini()}


def shapes() -> dict[str, Schema]:
    """Return what members of bodies name."""
    text = _block("text", text=TEXT)
    instruction = obj({"role": optional(TEXT), "parts": _list(obj({"text": TEXT}, ("text",)))}, ("parts",))
    made: dict[str, Schema] = {
        "anthropic_system": {"anyOf": [TEXT, _list(text)]},
        "gemini_system": {"anyOf": [TEXT, instruction]},
        "chat_system": {"type": "null"},
    }
    for name in FORMATS:
        made[f"format_{name}"] = {"const": name}
        made |= {
            f"{name}_{listed}": _list({"$ref": f"#/components/schemas/message_of_{name}"}) | bounds
            for listed, bounds in _LISTED.items()
        }
    return made
