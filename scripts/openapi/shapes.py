"""
What the OpenAPI document is made of: the shapes of bodies and answers, and how operations are written.
"""

from typing import Any

from shared.context.render import FORMATS

Schema = dict[str, Any]

ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
COUNT = {"type": "integer", "minimum": 0}
TOKENS = {"type": "integer", "minimum": 0, "maximum": 1_000_000_000}
USD: Schema = {"type": "number", "minimum": 0}
METADATA: Schema = {
    "type": "object",
    "maxProperties": 16,
    "propertyNames": {"minLength": 1, "maxLength": 64},
    "additionalProperties": {"type": "string", "maxLength": 512},
}
ITEM: Schema = {"$ref": "#/components/schemas/item"}
ITEMS = {"type": "array", "items": ITEM, "minItems": 1, "maxItems": 100}
ENCODING = {"enum": ["o200k_base", "cl100k_base"]}
FORMAT = {"enum": list(FORMATS)}
KNOWN_MODEL: Schema = {
    "description": "A model whose name begins like one that is known, after a provider's prefix; else say `encoding`",
    "anyOf": [{"enum": ["gpt-4o", "gpt-4", "gpt-4o-mini", "o3", "claude-sonnet-4-5"]}, {"type": "string"}],
}
BUDGET = {"type": "integer", "minimum": 1, "maximum": 100_000_000}
NULL: Schema = {"type": "null"}
EXPIRY = {"type": "integer", "minimum": 0, "maximum": 315_360_000}
MANY = {"type": "integer", "minimum": 0, "maximum": 100_000_000}

ERRORS = {
    400: "Malformed, or an item id that is taken",
    401: "No API key, or one that is not valid",
    404: "Unknown, or another tenant's",
    409: "Settled before, with other numbers",
    415: "A document that is no text",
    412: "If-Match names another version",
    413: "Over a limit of size",
    422: "Well-formed but wrong; `param` names the field",
    429: "The tenant's rate or budget is used up",
    503: "Store away, out of time, or short of memory; Retry-After says when to come back",
    504: "only-if-cached, and nothing fresh enough is held",
}


def obj(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    """Return an object of *properties* and no others."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def optional(schema: Schema) -> Schema:
    """Return *schema* with null, which stands for absence in bodies."""
    return {"anyOf": [schema, {"type": "null"}]}


def answer(description: str, properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """Return a response whose members are all there, but the *optional* ones."""
    required = [name for name in properties if name not in optional]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def parameter(name: str, schema: Schema, place: str = "query") -> Schema:
    return {"name": name, "in": place, "schema": schema, "required": place == "path"}


CONVERSATION: Schema = {
    "id": ID,
    "object": {"const": "conversation"},
    "created_at": COUNT,
    "metadata": METADATA,
}
PAGE_OF = {
    "object": {"const": "list"},
    "data": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": ID}}},
    "first_id": {"type": ["string", "null"]},
    "last_id": {"type": ["string", "null"]},
    "has_more": {"type": "boolean"},
}
CONTEXT = {
    "object": {"const": "conversation.context"},
    "conversation_id": ID,
    "version": COUNT,
    "model": {"type": ["string", "null"]},
    "encoding": ENCODING,
    "exact": {"type": "boolean"},
    "counting": {"enum": ["exact", "rule", "estimate"]},
    "format": FORMAT,
    "budget": BUDGET,
    "overhead_tokens": COUNT,
    "tokens": COUNT,
    "uncounted_tokens": COUNT,
    "summary": {"type": ["object", "null"]},
    "kept": {"type": "object"},
    "omitted": {"type": "object"},
    "documents": {"type": "array", "items": {"type": "object"}},
}
SUMMARY = {
    "object": {"const": "conversation.summary"},
    "conversation_id": ID,
    "through": ID,
    "tokens": COUNT,
    "created_at": COUNT,
}
RESERVATION = {
    "id": {"type": "string"},
    "object": {"const": "reservation"},
    "tokens": COUNT,
    "usd": USD,
    "expires_at": COUNT,
    "recorded": {"type": "boolean"},
}
WINDOW: Schema = {
    "type": "object",
    "required": ["window", "resets_at", "tokens", "usd"],
    "properties": {"window": {"type": "string"}, "resets_at": COUNT}
    | {
        unit: {
            "type": "object",
            "required": ["limit", "settled", "reserved", "overrun"],
            "properties": {"limit": {"type": ["number", "null"]}, "settled": USD, "reserved": USD, "overrun": USD},
        }
        for unit in ("tokens", "usd")
    },
}
CONTEXT_FIELDS: Schema = {
    "model": KNOWN_MODEL,
    "encoding": ENCODING,
    "budget": BUDGET,
    "reserve_output": MANY,
    "overhead_tokens": MANY,
    "format": FORMAT,
    "stable_prefix": {"type": "boolean"},
    "document_budget": {"type": "integer", "minimum": 0, "maximum": 90},
}
CONVERSATION_ID = parameter("conversation_id", ID, "path")
ITEM_ID = parameter("item_id", ID, "path")
RESERVATION_ID = parameter(
    "reservation_id", {"type": "string", "pattern": "^rsv_[0-9a-f]{5,6}_[ro][0-9a-f]{32}$"}, "path"
)
LIMIT = parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100})
AFTER_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{0,64}$"}
AFTER = parameter("after", AFTER_ID)
MODEL_NAME = {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,100}$"}
SPENT: Schema = {"tokens": TOKENS, "usd": USD | {"maximum": 1_000_000}, "model": MODEL_NAME, "input_tokens": TOKENS}


def nullable(name: str, schema: Schema) -> Schema:
    return schema if name in ("format", "stable_prefix") else optional(schema)


def spent(output_field: str) -> Schema:
    """Return the body of a reservation or a settlement: tokens, or which of them were input."""
    known = {"usd": optional(SPENT["usd"]), "model": optional(SPENT["model"])}
    halves = ("input_tokens", output_field)
    whole = obj(known | {"tokens": TOKENS} | dict.fromkeys(halves, NULL), ("tokens",))
    return {"anyOf": [whole, obj(known | {"tokens": NULL} | dict.fromkeys(halves, TOKENS), halves)]}
