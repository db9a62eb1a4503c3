"""
What routes answer, by the names that their declarations use.
"""

from scripts.openapi.contexts import context, context_or_error
from scripts.openapi.erasures import USER_ERASURE
from scripts.openapi.shapes import COUNT, ENCODING, ID, USD, Schema, obj, optional


def _answer(description: str, properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """Return a response whose members are all there, but the *optional* ones."""
    return _answer_of(description, _all_of(properties, *optional))


def _all_of(properties: Schema, *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _answer_of(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str, media_type: str) -> Schema:
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


def _page(element: str) -> Schema:
    return {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{element}"}},
        "first_id": {"type": ["string", "null"]},
        "last_id": {"type": ["string", "null"], "description": "Of the page's last element; null when it is empty"},
        "has_more": {"type": "boolean"},
    }


NEXT_AFTER: Schema = {
    "type": ["string", "null"],
    "description": "What to go on after when there are more: a filter may have looked on behind the last element",
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
    **dict.fromkeys(("scopes", "failed", "listed", "same", "changed", "removed"), COUNT),
    "conversations": obj(
        OUTCOME
        | dict.fromkeys(
            ("tenants", "looked_at", "compacted", "entries", "indexed", "forgotten", "failed", "tenants_failed"), COUNT
        )
    ),
}
WARMED: Schema = {
    "object": {"const": "warm"},
    **OUTCOME,
    **dict.fromkeys(("documents", "from_source", "failed"), COUNT),
    "instance": {"type": ["integer", "null"]},
}
SUMMARY: Schema = {
    "object": {"const": "conversation.summary"},
    "conversation_id": ID,
    "through": ID,
    "tokens": COUNT,
    "created_at": COUNT,
}
PATH: Schema = {"type": "string", "description": "In the tenant's folder, or `shared/…`"}
WRITTEN: Schema = {"object": {"const": "document"}, "path": PATH, "etag": {"type": "string"}, "bytes": COUNT}
STORED: Schema = obj(
    {
        "bytes": optional({**COUNT, "description": "What the tenant's conversations take, about; null of a user"}),
        "limit_bytes": optional({**COUNT, "description": "What they may take; null of a user"}),
        "conversations": {**COUNT, "description": "About: one that has just expired still counts"},
    },
    ("bytes", "limit_bytes", "conversations"),
)
OF_WHOM: Schema = {"type": "string", "description": "Whose it is, where that was asked for"}
AMOUNT: Schema = {"tokens": COUNT, "usd": USD}
RESERVED: Schema = {"id": {"type": "string"}, "object": {"const": "reservation"}, **AMOUNT}

ANSWERS: dict[str, Schema] = {
    "conversation": _answer_of("The conversation", {"$ref": "#/components/schemas/conversation"}),
    "export": _text(
        "A page: a line of JSON for each thing; the last one names the next page, or ends the export",
        "application/x-ndjson",
    ),
    "import": _answer(
        "How far it is; the conversation, when it is there",
        {
            "object": {"const": "conversation.import"},
            "id": ID,
            "status": {"enum": ["partial", "complete"]},
            "items": COUNT,
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "conversation": {"$ref": "#/components/schemas/conversation"},
        },
        optional=("conversation",),
    ),
    "deleted": _answer(
        "It is gone", {"id": ID, "object": {"const": "conversation.deleted"}, "deleted": {"const": True}}
    ),
    "conversations": _answer("A page", _page("listed_conversation") | {"next_after": NEXT_AFTER}),
    "page": _answer("A page", _page("stored_item")),
    "appended": _answer(
        "The items; the context right after them, where it was asked for",
        _page("stored_item") | {"context": context_or_error()},
        optional=("context",),
    ),
    "item": _answer_of("The item", {"$ref": "#/components/schemas/stored_item"}),
    "summary": _answer("The summary", SUMMARY),
    "summary_with_text": _answer("The summary and its text", SUMMARY | {"text": {"type": "string"}}),
    "context": _answer_of("The context, in the format that was asked for", context()),
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
        "This day and month, and what is stored",
        {
            "object": {"const": "usage"},
            "user": OF_WHOM,
            "agent": OF_WHOM,
            "day": WINDOW,
            "month": WINDOW,
            "models": {"type": "object"},
            "stored": STORED,
        },
        optional=("user", "agent"),
    ),
    "user_erasure": _answer("How far it is; at its end the receipt", USER_ERASURE),
    "document": _text("Its text", "text/*"),
    "put_document": _answer("It is stored", WRITTEN | {"tokens": COUNT, "encoding": ENCODING}),
    "deleted_document": _answer(
        "It is gone", {"object": {"const": "document.deleted"}, "path": PATH, "deleted": {"const": True}}
    ),
    "documents": _answer(
        "A page",
        {
            "object": {"const": "list"},
            "data": {"type": "array", "items": _all_of(WRITTEN | {"modified_at": COUNT})},
            "has_more": {"type": "boolean"},
            "next_after": {"type": ["string", "null"], "description": "What to go on after when there are more"},
        },
    ),
    "changes": _answer("What was reported", {"object": {"const": "changes"}, "reported": COUNT, "kept": COUNT}),
    "sweep": _answer("What it did", SWEPT),
    "warm": _answer("What it did", WARMED),
    "metrics": _text("The metrics", "text/plain"),
    "health": _answer(
        "It does",
        {
            "status": {"const": "ok"},
            "deployment": {"type": "string"},
            "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
            "store": obj({"eviction": {"enum": ["on", "off", "unknown"]}}),
            "warnings": {"type": "array", "items": {"type": "string"}},
        },
    ),
}
