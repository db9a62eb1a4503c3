"""
The OpenAPI document of the API: python -m scripts.local.openapi > public/openapi.json

A test holds the file to this source, and the source to the routes; schemathesis holds the running service to the file.
"""

import json
import sys

from scripts.local.openapi_shapes import (
    AFTER,
    AFTER_ID,
    CONTEXT,
    CONTEXT_FIELDS,
    CONVERSATION,
    CONVERSATION_ID,
    COUNT,
    ENCODING,
    ERRORS,
    EXPIRY,
    ID,
    ITEM_ID,
    ITEMS,
    LIMIT,
    METADATA,
    PAGE_OF,
    RESERVATION,
    RESERVATION_ID,
    SUMMARY,
    USD,
    WINDOW,
    Schema,
    answer,
    nullable,
    obj,
    operation,
    optional,
    parameter,
    spent,
)

OUTCOME: Schema = {"outcome": {"type": "string"}}
SWEPT: Schema = {"object": {"const": "sweep"}} | OUTCOME
SWEPT |= dict.fromkeys(("scopes", "listed", "same", "changed", "removed"), COUNT)
SWEPT_CONVERSATIONS = ("tenants", "looked_at", "compacted", "entries", "forgotten", "failed")
SWEPT |= {"conversations": obj(OUTCOME | dict.fromkeys(SWEPT_CONVERSATIONS, COUNT))}
WARMED: Schema = {"object": {"const": "warm"}} | OUTCOME
WARMED |= dict.fromkeys(("documents", "from_source", "failed"), COUNT) | {"instance": {"type": ["integer", "null"]}}


def crons(name: str, title: str, members: Schema) -> Schema:
    """Return the two methods of a cron's route."""
    did = answer("What it did", members)
    return {
        "get": operation(name, f"{title}; the key is the cron's secret", did),
        "post": operation(f"{name}_by_post", f"{title}; the key is the cron's secret", did),
    }


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
        "/v1/documents/{path}": {
            "get": operation(
                "document",
                "A document of the tenant's folder, or of shared/",
                {"description": "Its text", "content": {"text/*": {"schema": {"type": "string"}}}},
                parameters=(parameter("path", {"type": "string", "minLength": 1}, "path"), *query[:2]),
                errors=(404, 415),
            )
        },
        "/v1/changes": {
            "post": operation(
                "changes",
                "Documents have changed; the key is the secret of this route",
                answer("What was reported", {"object": {"const": "changes"}, "reported": COUNT, "kept": COUNT}),
                body={"type": "object"},
            )
        },
        "/api/cron/sweep": crons(
            "sweep", "Compare what is kept of documents with their source, compact conversations", SWEPT
        ),
        "/api/cron/warm": crons("warm", "Load the hottest documents, then warm an instance", WARMED),
        "/api/conversations": {
            "post": operation(
                "warm_instance", "Warm this instance; the key is the cron's secret", answer("What it did", WARMED)
            )
        },
        "/v1/usage": {"get": operation("usage", "What is used and reserved", answer("This day and month", usage))},
        "/api/metrics": {
            "get": operation(
                "metrics",
                "What all instances counted, for Prometheus; the key is the secret of this route",
                {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
            )
        },
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
