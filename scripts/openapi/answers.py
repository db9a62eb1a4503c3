"""
What routes answer, by the names that their declarations use.
"""

from scripts.openapi.shapes import BUDGET, COUNT, ENCODING, FORMAT, ID, METADATA, USD, Schema, obj


def _answer(description: str, properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """Return a response whose members are all there, but the *optional* ones."""
    required = [name for name in properties if name not in optional]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str, media_type: str) -> Schema:
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


PAGE: Schema = {
    "object": {"const": "list"},
    "data": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": ID}}},
    "first_id": {"type": ["string", "null"]},
    "last_id": {"type": ["string", "null"]},
    "has_more": {"type": "boolean"},
}
CONTEXT: Schema = {
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
    "reservation": {"type": "object"},
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
OUTCOME: Schema = {"outcome": {"type": "string"}}
SWEPT: Schema = {
    "object": {"const": "sweep"},
    **OUTCOME,
    **dict.fromkeys(("scopes", "listed", "same", "changed", "removed"), COUNT),
    "conversations": obj(
        OUTCOME | dict.fromkeys(("tenants", "looked_at", "compacted", "entries", "forgotten", "failed"), COUNT)
    ),
}
WARMED: Schema = {
    "object": {"const": "warm"},
    **OUTCOME,
    **dict.fromkeys(("documents", "from_source", "failed"), COUNT),
    "instance": {"type": ["integer", "null"]},
}
AMOUNT: Schema = {"tokens": COUNT, "usd": USD}
RESERVED: Schema = {"id": {"type": "string"}, "object": {"const": "reservation"}, **AMOUNT}

ANSWERS: dict[str, Schema] = {
    "conversation": _answer(
        "The conversation",
        {"id": ID, "object": {"const": "conversation"}, "created_at": COUNT, "metadata": METADATA},
    ),
    "deleted": _answer(
        "It is gone", {"id": ID, "object": {"const": "conversation.deleted"}, "deleted": {"const": True}}
    ),
    "page": _answer("A page", PAGE),
    "item": _answer("The item", {"id": ID, "type": {"type": "string"}}),
    "summary": _answer(
        "The summary",
        {
            "object": {"const": "conversation.summary"},
            "conversation_id": ID,
            "through": ID,
            "tokens": COUNT,
            "created_at": COUNT,
        },
    ),
    "context": _answer("The context", CONTEXT, optional=("reservation",)),
    "count": _answer(
        "The count",
        {
            "object": {"const": "tokens.count"},
            "tokens": COUNT,
            "encoding": ENCODING,
            "exact": {"type": "boolean"},
        },
    ),
    "reservation": _answer(
        "The reservation",
        RESERVED | {"status": {"const": "live"}, "expires_at": COUNT, "recorded": {"type": "boolean"}},
    ),
    "settlement": _answer(
        "What was written down",
        RESERVED | {"status": {"const": "settled"}, "overrun": obj(AMOUNT, ("tokens", "usd"))},
    ),
    "release": _answer("What it is now", RESERVED | {"status": {"enum": ["released", "expired", "settled"]}}),
    "usage": _answer(
        "This day and month",
        {"object": {"const": "usage"}, "day": WINDOW, "month": WINDOW, "models": {"type": "object"}},
    ),
    "document": _text("Its text", "text/*"),
    "changes": _answer("What was reported", {"object": {"const": "changes"}, "reported": COUNT, "kept": COUNT}),
    "sweep": _answer("What it did", SWEPT),
    "warm": _answer("What it did", WARMED),
    "metrics": _text("The metrics", "text/plain"),
    "health": _answer("It does", {"status": {"const": "ok"}, "deployment": {"type": "string"}}),
}
