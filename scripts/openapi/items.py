"""
Items, their parts and tools as JSON Schema, from the shapes that the service itself checks them by.
"""

from typing import Any

from scripts.openapi.shapes import ID, Schema, optional
from shared.items.item_type import Parts
from shared.items.kinds import ROLE_KINDS, Kind
from shared.items.part_types import PART_TYPES
from shared.items.types import ITEM_TYPES
from shared.items.types_check import adapter, known_fields

CALLER_ROLES = [role for role, kind in ROLE_KINDS.items() if kind != Kind.ASSISTANT]
TEXT: Schema = {"type": "string"}
CREATED_AT: Schema = {
    "type": ["number", "null"],
    "minimum": 0,
    "description": "What answers say of it; of an item that is sent it changes nothing",
}
FUNCTION: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": TEXT,
        "description": optional(TEXT),
        "parameters": optional({"type": "object", "properties": {"properties": optional({"type": "object"})}}),
    },
}
STORED: Schema = {
    "id": ID,
    "type": TEXT,
    "created_at": {
        "type": ["integer", "null"],
        "description": "When it was appended, Unix seconds; null where an older release appended it. OpenAI's own "
        "clients get it by `include[]=created_at` only: what these read is sent on to models",
    },
}
TOOL: Schema = {
    "description": "As in the Responses or in the Chat Completions API; what is no function counts as its JSON",
    "anyOf": [
        {
            "type": "object",
            "required": ["type", "function"],
            "properties": {"type": {"const": "function"}, "function": FUNCTION},
        },
        FUNCTION
        | {
            "required": ["type", "name"],
            "properties": FUNCTION["properties"] | {"type": {"const": "function"}, "function": False},
        },
        {"type": "object", "properties": {"type": {"not": {"const": "function"}}}},
    ],
}


def schemas() -> Schema:
    """Return the named schemas of items."""
    made: Schema = {}
    for name in PART_TYPES:
        made[f"part_{name}"] = _shape(name, {"type": {"const": name}}, "type")
    for name, item_type in ITEM_TYPES.items():
        if name == "message":
            continue
        own: Schema = {"id": optional(ID), "type": {"const": name}, "created_at": CREATED_AT}
        required = ["type"]
        if item_type.parts.field:
            own[item_type.parts.field] = _parts(item_type.parts, item_type.parts.types)
            required.append(item_type.parts.field)
        made[f"item_{name}"] = _shape(name, own, *required)
    parts = ITEM_TYPES["message"].parts
    made["item_message"] = _message(CALLER_ROLES, parts.types)
    made["item_message_of_assistant"] = _message(["assistant"], parts.types_by_assistant)
    made["item"] = {
        "description": "What a conversation holds: the Responses API's input items. A message needs no type.",
        "anyOf": [_ref(name) for name in sorted(made) if name.startswith("item_")],
    }
    made["stored_item"] = {
        "description": "An item as it is stored, with all that was filled in, and when it was appended",
        "allOf": [_ref("item"), {"type": "object", "required": ["id", "type"], "properties": STORED}],
    }
    typed = [name for name in sorted(made) if name.startswith("item_") and "message" not in name]
    made["item_typed"] = {"anyOf": [_ref(name) for name in typed]}
    made["tool"] = TOOL
    made["function"] = FUNCTION
    return dict(sorted(made.items()))


def _message(roles: list[str], types: tuple[str, ...]) -> Schema:
    parts = ITEM_TYPES["message"].parts
    own: Schema = {"id": optional(ID), "type": optional({"const": "message"}), "name": optional(TEXT)}
    own["created_at"] = CREATED_AT
    schema = _shape("message", own, parts.field)
    schema["properties"] |= {"role": {"enum": roles}, parts.field: _parts(parts, types)}
    return schema


def _parts(parts: Parts, types: tuple[str, ...]) -> Schema:
    listed = {"type": "array", "items": {"anyOf": [_ref(f"part_{name}") for name in types]}}
    return listed if parts.text == "refused" else {"anyOf": [{"type": "string"}, listed]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _shape(name: str, own: Schema, *required: str) -> Schema:
    """Return the schema of an item or part, with members of *own*, which the shape does not know."""
    raw = adapter(name).json_schema()
    schema: Schema = _plain(raw, raw.get("$defs", {}))
    return schema | {
        "properties": {field: {} for field in sorted(known_fields(name))} | schema.get("properties", {}) | own,
        "required": sorted({*schema.get("required", []), *required}),
        "additionalProperties": False,
    }


def _plain(value: Any, definitions: Schema) -> Any:
    """Return a schema of pydantic's without titles, its definitions where they are used."""
    if isinstance(value, list):
        return [_plain(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _plain(definitions[value["$ref"].rpartition("/")[2]], definitions)
    return {
        name: {each: _plain(schema, definitions) for each, schema in part.items()}
        if name == "properties"
        else _plain(part, definitions)
        for name, part in value.items()
        if name not in ("title", "$defs")
    }
