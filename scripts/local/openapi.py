"""
The OpenAPI document of the API: python -m scripts.local.openapi > public/openapi.json

A test holds the file to this source, and the source to the routes; schemathesis holds the running service to the file.
"""

import json
import sys
from typing import Any

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
ITEM = {
    "type": "object",
    "description": "One of the Responses API's input items. A message needs no type, and its content may be a text.",
    "properties": {"type": {"type": "string"}, "id": ID},
}
ITEMS = {"type": "array", "items": ITEM, "minItems": 1, "maxItems": 100}
ENCODING = {"enum": ["o200k_base", "cl100k_base"]}
FORMAT = {"enum": ["items", "chat", "anthropic", "text"]}
BUDGET = {"type": "integer", "minimum": 1, "maximum": 100_000_000}
EXPIRY = {"type": "integer", "minimum": 0, "maximum": 315_360_000}
MANY = {"type": "integer", "minimum": 0, "maximum": 100_000_000}

ERRORS = {
    400: "Malformed, or an item id that is taken",
    401: "No API key, or one that is not valid",
    404: "Unknown, or another tenant's",
    409: "Settled before, with other numbers",
    412: "If-Match names another version",
    413: "Over a limit of size",
    422: "Well-formed but wrong; `param` names the field",
    429: "The tenant's rate or budget is used up",
    503: "Store away, out of time, or short of memory; Retry-After says when to come back",
    504: "only-if-cached, and nothing fresh enough is held",
}
ALWAYS = (400, 401, 413, 422, 429, 503)


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


def operation(
    name: str,
    summary: str,
    response: Schema,
    *,
    parameters: tuple[Schema, ...] = (),
    body: Schema | None = None,
    errors: tuple[int, ...] = (),
    is_public: bool = False,
) -> Schema:
    """Return one operation; *errors* besides those that every one may have."""
    statuses = (503,) if is_public else (*ALWAYS, *errors)
    made: Schema = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": response}
        | {str(status): {"$ref": f"#/components/responses/E{status}"} for status in sorted(statuses)},
    }
    if parameters:
        made["parameters"] = list(parameters)
    if body is not None:
        made["requestBody"] = {"content": {"application/json": {"schema": body}}, "required": "required" in body}
    if is_public:
        made["security"] = []
    return made


CONVERSATION: Schema = {
    "id": ID,
    "object": {"const": "conversation"},
    "created_at": COUNT,
    "metadata": METADATA,
}
PAGE_OF = {
    "object": {"const": "list"},
    "data": {"type": "array", "items": {"type": "object"}},
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
    "model": {"type": "string", "maxLength": 200},
    "encoding": ENCODING,
    "budget": BUDGET,
    "reserve_output": MANY,
    "overhead_tokens": MANY,
    "format": FORMAT,
    "stable_prefix": {"type": "boolean"},
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
    """Return the body of a reservation or a settlement."""
    return obj({name: optional(schema) for name, schema in (SPENT | {output_field: TOKENS}).items()})


def paths() -> Schema:
    """Return every path of the API."""
    info, page = answer("The conversation", CONVERSATION), answer("A page", PAGE_OF)
    item = {"description": "The item", "content": {"application/json": {"schema": {"type": "object"}}}}
    deleted = answer("It is gone", {"id": ID, "object": {"const": "conversation.deleted"}, "deleted": {"const": True}})
    context = answer("The context", CONTEXT | {"reservation": {"type": "object"}}, optional=("reservation",))
    unread, writes = (404, 504), (404, 412)
    settled: Schema = {"id": {"type": "string"}, "object": {"const": "reservation"}, "status": {"const": "settled"}}
    settled |= {"tokens": COUNT, "usd": USD, "overrun": {"type": "object"}}
    released: Schema = {"id": {"type": "string"}, "object": {"const": "reservation"}}
    released |= {"status": {"enum": ["released", "expired", "settled"]}}
    usage: Schema = {"object": {"const": "usage"}, "day": WINDOW, "month": WINDOW, "models": {"type": "object"}}
    counted = {"object": {"const": "tokens.count"}, "tokens": COUNT, "encoding": ENCODING, "exact": {"type": "boolean"}}
    create = obj(
        {
            "items": optional(ITEMS | {"minItems": 0}),
            "metadata": optional(METADATA),
            "expires_after_s": optional(EXPIRY),
        }
    )
    append = obj({"items": ITEMS, "reservation": {"type": "string"}, "usage": {"type": "object"}}, required=("items",))
    count = obj(
        {
            "model": {"type": ["string", "null"]},
            "encoding": optional(ENCODING),
            "input": {"type": ["string", "array", "null"]},
            "messages": {"type": "array"},
            "tools": {"type": ["array", "null"]},
        }
    )
    query = tuple(parameter(name, schema) for name, schema in CONTEXT_FIELDS.items())
    one, two = (CONVERSATION_ID,), (CONVERSATION_ID, ITEM_ID)
    fork = obj({"after": optional(AFTER_ID), "metadata": optional(METADATA)})
    order = parameter("order", {"enum": ["asc", "desc"]})
    return {
        "/v1/conversations": {
            "get": operation(
                "list", "Conversations, newest activity first", page, parameters=(LIMIT, AFTER), errors=(404,)
            ),
            "post": operation("create", "A new conversation", info, body=create),
        },
        "/v1/conversations/{conversation_id}": {
            "get": operation("retrieve", "The conversation", info, parameters=one, errors=unread),
            "post": operation(
                "update",
                "New metadata",
                info,
                parameters=one,
                body=obj({"metadata": optional(METADATA)}, ("metadata",)),
                errors=writes,
            ),
            "delete": operation("delete", "Gone, with its items", deleted, parameters=one, errors=writes),
        },
        "/v1/conversations/{conversation_id}/items": {
            "get": operation("items", "A page of items", page, parameters=(*one, LIMIT, AFTER, order), errors=unread),
            "post": operation("append", "Append a batch", page, parameters=one, body=append, errors=writes),
        },
        "/v1/conversations/{conversation_id}/items/{item_id}": {
            "get": operation("item", "One item", item, parameters=two, errors=unread),
            "delete": operation("delete_item", "Blank an item", info, parameters=two, errors=writes),
        },
        "/v1/conversations/{conversation_id}/context": {
            "get": operation("context", "What matters, in a budget", context, parameters=(*one, *query), errors=unread),
            "post": operation(
                "context_for_call",
                "The same; with reserve its tokens are set aside",
                context,
                parameters=one,
                body=obj(
                    {name: nullable(name, schema) for name, schema in CONTEXT_FIELDS.items()}
                    | {"reserve": {"type": "boolean"}}
                ),
                errors=unread,
            ),
        },
        "/v1/conversations/{conversation_id}/fork": {
            "post": operation("fork", "A copy up to an item", info, parameters=one, body=fork, errors=writes)
        },
        "/v1/conversations/{conversation_id}/summary": {
            "post": operation(
                "summarise",
                "A text in the place of items",
                answer("The summary", SUMMARY),
                parameters=one,
                body=obj(
                    {"through": ID, "text": {"type": "string", "minLength": 1, "maxLength": 100_000}},
                    ("through", "text"),
                ),
                errors=writes,
            )
        },
        "/v1/conversations/{conversation_id}/compact": {
            "post": operation("compact", "Take out what was deleted", info, parameters=one, body=obj({}), errors=writes)
        },
        "/v1/tokens/count": {"post": operation("count", "Count tokens", answer("The count", counted), body=count)},
        "/v1/reservations": {
            "post": operation(
                "reserve",
                "Set tokens and money aside",
                answer("The reservation", RESERVATION),
                body=spent("max_output_tokens"),
            )
        },
        "/v1/reservations/{reservation_id}/settle": {
            "post": operation(
                "settle",
                "Write down what was used",
                answer("What was written down", settled),
                parameters=(RESERVATION_ID,),
                body=spent("output_tokens"),
                errors=(404, 409),
            )
        },
        "/v1/reservations/{reservation_id}": {
            "delete": operation(
                "release",
                "Give it back",
                answer("What it is now", released),
                parameters=(RESERVATION_ID,),
                errors=(404,),
            )
        },
        "/v1/usage": {"get": operation("usage", "What is used and reserved", answer("This day and month", usage))},
        "/api/health": {
            "get": operation(
                "health",
                "Whether the store answers",
                answer("It does", {"status": {"const": "ok"}, "deployment": {"type": "string"}}),
                is_public=True,
            )
        },
    }


PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "param": {"type": "string"},
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        },
    },
}


def document() -> Schema:
    """Return the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Warmthread",
            "version": "1",
            "description": "Conversation memory for LLM agents. Errors are problem documents (RFC 9457).",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths(),
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "wt_<tenant>_<secret>"}},
            "schemas": {"Problem": PROBLEM},
            "responses": {
                f"E{status}": {
                    "description": text,
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
                for status, text in ERRORS.items()
            },
        },
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    print()
