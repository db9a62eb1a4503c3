"""
Contexts as JSON Schema, a schema for each format: `format` tells which one an answer has.
"""

from collections.abc import Sequence

from scripts.openapi.shapes import BUDGET, COUNT, ENCODING, ID, USD, Schema
from shared.context.explained import REASONS, STATES
from shared.context.render import FORMATS
from shared.items.dialects.anthropic import BLOCKS, IN_RESULT
from shared.items.kinds import ROLE_KINDS, Kind

TEXT: Schema = {"type": "string"}
IDS: Schema = {"type": "array", "items": ID}


def closed(properties: Schema, *optional: str) -> Schema:
    """Return an object whose members are all there, but the *optional* ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _listed(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_none(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


RESERVATION = closed(
    {
        "id": TEXT,
        "object": {"const": "reservation"},
        "tokens": COUNT,
        "usd": USD,
        "expires_at": COUNT,
        "recorded": {"type": "boolean"},
    }
)
DOCUMENT = closed(
    {
        "path": TEXT,
        "item_id": ID,
        "status": {"enum": ["whole", "cut", "omitted", "missing", "unsupported", "unavailable"]},
        "etag": {"type": ["string", "null"]},
        "tokens": COUNT,
        "total_tokens": {"type": ["integer", "null"]},
        "stale": {"type": "boolean"},
    }
)
EXPLANATION = closed(
    {
        "units": _listed(
            closed(
                {
                    "item_ids": IDS,
                    "tokens": COUNT,
                    "state": {"enum": list(STATES)},
                    "reason": {"enum": list(REASONS)},
                    "left_out_tokens": COUNT,
                },
                "left_out_tokens",
            )
        )
    }
)
SHARED: Schema = {
    "object": {"const": "conversation.context"},
    "conversation_id": ID,
    "version": COUNT,
    "model": {"type": ["string", "null"]},
    "encoding": ENCODING,
    "exact": {"type": "boolean"},
    "counting": {"enum": ["exact", "rule", "estimate"]},
    "budget": BUDGET,
    "overhead_tokens": COUNT,
    "tokens": COUNT,
    "uncounted_tokens": COUNT,
    "summary": _or_none(closed({"through": ID, "tokens": COUNT})),
    "kept": closed({"items": COUNT, "first_id": _or_none(ID), "last_id": _or_none(ID)}),
    "omitted": closed(
        {"items": COUNT, "tokens": COUNT}
        | dict.fromkeys(("unsupported", "orphan_outputs", "unanswered_calls", "dangling_reasoning"), IDS)
    ),
    "documents": _listed(DOCUMENT),
    "pressure": closed(
        {
            "ratio": {"type": "number", "minimum": 0},
            "tokens": COUNT,
            "omitted_tokens": COUNT,
            "summarise_through": _or_none(ID),
        }
    ),
    "recalled": _listed(closed({"item_id": ID, "tokens": COUNT, "score": {"type": ["number", "null"]}})),
    "recalled_from": _or_none(ID),
    "shortened": _listed(closed({"item_id": ID, "tokens": COUNT, "left_out_tokens": COUNT})),
    "cache": closed({"breakpoints": _listed(COUNT), "key": ID, "tokens": COUNT}, "tokens"),
    "explanation": _ref("context_explanation"),
    "reservation": RESERVATION,
}
"""What contexts say in any format."""

CHAT_TEXT = closed({"type": {"const": "text"}, "text": TEXT})
CHAT_REFUSAL = closed({"type": {"const": "refusal"}, "refusal": TEXT})
CHAT_IMAGE = closed(
    {
        "type": {"const": "image_url"},
        "image_url": closed({"url": TEXT, "detail": {"enum": ["auto", "low", "high"]}}, "detail"),
    }
)
CHAT_FILE = closed(
    {
        "type": {"const": "file"},
        "file": {"type": "object", "properties": dict.fromkeys(("file_id", "file_data", "filename"), TEXT)},
    }
)
CHAT_CALL: Schema = {
    "oneOf": [
        closed({"id": TEXT, "type": {"const": kind}, kind: closed({"name": TEXT, arguments: TEXT})})
        for kind, arguments in (("function", "arguments"), ("custom", "input"))
    ]
}


def _content(*parts: Schema) -> Schema:
    return {"anyOf": [TEXT, _listed({"oneOf": [*parts]} if len(parts) > 1 else parts[0])]}


def _chat_message() -> Schema:
    system = [role for role, kind in ROLE_KINDS.items() if kind == Kind.SYSTEM]
    of_assistant = {
        "role": {"const": "assistant"},
        "content": _or_none(_content(CHAT_TEXT, CHAT_REFUSAL)),
        "name": TEXT,
        "tool_calls": _listed(CHAT_CALL),
    }
    of_tool = {"role": {"const": "tool"}, "tool_call_id": TEXT, "content": _content(CHAT_TEXT), "name": TEXT}
    of_user = {"role": {"const": "user"}, "content": _content(CHAT_TEXT, CHAT_IMAGE, CHAT_FILE), "name": TEXT}
    return {
        "oneOf": [
            *(
                closed({"role": {"const": role}, "content": _content(CHAT_TEXT), "name": TEXT}, "name")
                for role in system
            ),
            closed(of_user, "name"),
            closed(of_assistant, "name", "tool_calls"),
            closed(of_tool, "name"),
        ]
    }


CACHE_CONTROL = closed({"type": {"const": "ephemeral"}, "ttl": {"const": "1h"}}, "ttl")


def _block(members: Schema, *optional: str) -> Schema:
    """Return a block, which a mark may stand on."""
    return closed({**members, "cache_control": CACHE_CONTROL}, "cache_control", *optional)


BLOCK_TEXT = _block({"type": {"const": "text"}, "text": TEXT})
BLOCK_IMAGE = _block(
    {
        "type": {"const": "image"},
        "source": {
            "oneOf": [
                closed({"type": {"const": "url"}, "url": TEXT}),
                closed({"type": {"const": "base64"}, "media_type": TEXT, "data": TEXT}),
            ]
        },
    }
)
BLOCK_USE = _block({"type": {"const": "tool_use"}, "id": TEXT, "name": TEXT, "input": {"type": "object"}})


def _other_blocks(taken: Sequence[str], *known: str) -> Schema:
    """Return those blocks of *taken* that came in the provider's format, and are given back in it as they were."""
    others = [name for name in taken if name not in known]
    return {"type": "object", "properties": {"type": {"enum": others}}, "required": ["type"]}


BLOCK_RESULT = _block(
    {
        "type": {"const": "tool_result"},
        "tool_use_id": TEXT,
        "content": _listed({"oneOf": [BLOCK_TEXT, BLOCK_IMAGE, _other_blocks(IN_RESULT, "text", "image")]}),
        "is_error": {"type": "boolean"},
    },
    "is_error",
)


def _anthropic_message() -> Schema:
    return {
        "oneOf": [
            closed(
                {
                    "role": {"const": role},
                    "content": _listed({"oneOf": [*blocks.values(), _other_blocks(BLOCKS[role], *blocks)]}),
                }
            )
            for role, blocks in (
                ("user", {"text": BLOCK_TEXT, "image": BLOCK_IMAGE, "tool_result": BLOCK_RESULT}),
                ("assistant", {"text": BLOCK_TEXT, "tool_use": BLOCK_USE}),
            )
        ]
    }


PART: Schema = {
    "type": "object",
    "properties": {
        "text": TEXT,
        "inlineData": closed({"mimeType": TEXT, "data": TEXT}),
        "fileData": closed({"mimeType": TEXT, "fileUri": TEXT}, "mimeType"),
        "functionCall": closed({"id": TEXT, "name": TEXT, "args": {"type": "object"}}, "id"),
        "functionResponse": closed({"id": TEXT, "name": TEXT, "response": {"type": "object"}}, "id"),
        "thought": {"type": "boolean"},
        "thoughtSignature": TEXT,
    },
}
CONTENT = closed({"role": {"enum": ["user", "model"]}, "parts": _listed(PART)})
MEMBERS: dict[str, Schema] = {
    "items": {"input": _listed(_ref("stored_item"))},
    "chat": {"messages": _listed(_ref("context_chat_message"))},
    "anthropic": {"system": _listed(BLOCK_TEXT), "messages": _listed(_ref("context_anthropic_message"))},
    "gemini": {"system_instruction": closed({"parts": _listed(PART)}), "contents": _listed(CONTENT)},
    "text": {"text": TEXT},
}
"""What a context holds, by its format."""

OPTIONAL = ("cache", "shortened", "recalled", "recalled_from", "explanation", "reservation", "system_instruction")


def schemas() -> Schema:
    """Return the named schemas of contexts."""
    made: Schema = {
        f"context_{name}": closed({"format": {"const": name}, **SHARED, **MEMBERS[name]}, *OPTIONAL) for name in FORMATS
    }
    return made | {
        "context_chat_message": _chat_message(),
        "context_anthropic_message": _anthropic_message(),
        "context_explanation": EXPLANATION,
    }


def context_or_error() -> Schema:
    """Return what stands beside items that were appended: a context, or why there is none."""
    error = {"allOf": [{"$ref": "#/components/schemas/Problem/properties/error"}], "required": ["status"]}
    error["properties"] = {"status": COUNT, "needed_tokens": COUNT}
    return {"anyOf": [context(), closed({"error": error})]}


def context() -> Schema:
    """Return what a context is, in whatever format."""
    names = {name: f"#/components/schemas/context_{name}" for name in FORMATS}
    return {
        "oneOf": [{"$ref": path} for path in names.values()],
        "discriminator": {"propertyName": "format", "mapping": names},
    }
