"""
The paths of conversations, their items and contexts, and of counting, in the OpenAPI document.
"""

from scripts.openapi.headers import IF_NONE_MATCH, READ, RESERVE, SOURCE, WRITE
from scripts.openapi.operation import operation
from scripts.openapi.shapes import (
    AFTER,
    AFTER_ID,
    CONTEXT,
    CONTEXT_FIELDS,
    CONVERSATION,
    CONVERSATION_ID,
    COUNT,
    ENCODING,
    EXPIRY,
    ID,
    ITEM_ID,
    ITEMS,
    KNOWN_MODEL,
    LIMIT,
    METADATA,
    NULL,
    PAGE_OF,
    RESERVATION_ID,
    SUMMARY,
    TOKENS,
    Schema,
    answer,
    nullable,
    obj,
    optional,
    parameter,
)

INCLUDE = parameter("include[]", {"type": "array", "items": {"type": "string"}})
METADATA_FILTER = parameter("metadata", METADATA | {"description": "Those that have all of it: metadata[key]=value"})
METADATA_FILTER |= {"style": "deepObject", "explode": True}

REPLAYED = ("Idempotency-Replayed",)
WRITTEN = ("ETag", *REPLAYED)
UNREAD, UNWRITTEN = (404, 504), (404, 412)
"""What may go wrong with reads and writes, besides what may always."""

ONE, TWO = (CONVERSATION_ID,), (CONVERSATION_ID, ITEM_ID)
INFO, PAGE = answer("The conversation", CONVERSATION), answer("A page", PAGE_OF)


def write(name: str, summary: str, response: Schema, *parameters: Schema, body: Schema | None = None) -> Schema:
    """Return an operation that changes a conversation."""
    return operation(
        name, summary, response, parameters=(*parameters, *WRITE), body=body, errors=UNWRITTEN, headers=WRITTEN
    )


def read(name: str, summary: str, response: Schema, *parameters: Schema) -> Schema:
    """Return an operation that an instance may answer from memory."""
    asked = (*parameters, *READ, IF_NONE_MATCH)
    return operation(name, summary, response, parameters=asked, errors=UNREAD, headers=SOURCE)


def count_body() -> Schema:
    """Return the four ways to ask for a count: by model or by encoding, of an input or of chat messages."""
    chat = {"type": "array", "items": {"$ref": "#/components/schemas/chat_message"}}
    typed = {"type": "array", "items": {"$ref": "#/components/schemas/item_typed"}}
    tools = {"tools": optional({"type": "array", "items": {"$ref": "#/components/schemas/tool"}})}
    names = ({"model": KNOWN_MODEL, "encoding": NULL}, {"model": NULL, "encoding": ENCODING})
    inputs = ({"input": {"anyOf": [{"type": "string"}, typed, chat]}}, {"messages": chat})
    return {
        "anyOf": [
            obj(name | given | tools, (which, *given))
            for name, which in zip(names, ("model", "encoding"), strict=True)
            for given in inputs
        ]
    }


def append_body() -> Schema:
    """Return a batch of items, with or without what settles a reservation."""
    responses, chat = ("input_tokens", "output_tokens"), ("prompt_tokens", "completion_tokens")
    reported = [
        {"type": "object", "properties": dict.fromkeys(names, TOKENS), "required": list(names)}
        for names in (responses, chat)
    ]
    settled = {"items": ITEMS, "reservation": RESERVATION_ID["schema"], "usage": {"anyOf": reported}}
    plain = {"items": ITEMS, "reservation": NULL, "usage": NULL}
    return {"anyOf": [obj(plain, ("items",)), obj(settled, ("items", "reservation", "usage"))]}


def conversations() -> Schema:
    """Return the paths of conversations and their items."""
    item = answer("The item", {"id": ID, "type": {"type": "string"}})
    deleted = answer("It is gone", {"id": ID, "object": {"const": "conversation.deleted"}, "deleted": {"const": True}})
    create = obj({"items": optional(ITEMS | {"minItems": 0}), "metadata": optional(METADATA)})
    create["properties"]["expires_after_s"] = optional(EXPIRY)
    fork = obj({"after": optional(AFTER_ID), "metadata": optional(METADATA)})
    text = {"type": "string", "minLength": 1, "maxLength": 100_000}
    order = parameter("order", {"enum": ["asc", "desc"]})
    update = obj({"metadata": optional(METADATA)}, ("metadata",))
    prefix = "/v1/conversations/{conversation_id}"
    return {
        "/v1/conversations": {
            "get": operation(
                "list",
                "Conversations, newest activity first",
                PAGE,
                parameters=(LIMIT, AFTER, METADATA_FILTER),
                errors=(404,),
            ),
            "post": operation("create", "A new conversation", INFO, parameters=RESERVE, body=create, headers=WRITTEN),
        },
        prefix: {
            "get": read("retrieve", "The conversation", INFO, *ONE),
            "post": write("update", "New metadata", INFO, *ONE, body=update),
            "delete": write("delete", "Gone, with its items", deleted, *ONE),
        },
        f"{prefix}/items": {
            "get": read("items", "A page of items", PAGE, *ONE, LIMIT, AFTER, order, INCLUDE),
            "post": write("append", "Append a batch", PAGE, *ONE, INCLUDE, body=append_body()),
        },
        f"{prefix}/items/{{item_id}}": {
            "get": read("item", "One item", item, *TWO, INCLUDE),
            "delete": write("delete_item", "Blank an item", INFO, *TWO),
        },
        f"{prefix}/fork": {"post": write("fork", "A copy up to an item", INFO, *ONE, body=fork)},
        f"{prefix}/summary": {
            "post": write(
                "summarise",
                "A text in the place of the items up to one that ends a unit",
                answer("The summary", SUMMARY),
                *ONE,
                body=obj({"through": ID, "text": text}, ("through", "text")),
            )
        },
        f"{prefix}/compact": {
            "post": operation(
                "compact",
                "Take out what was deleted",
                INFO,
                parameters=ONE,
                body=obj({}),
                errors=(404,),
                headers=("ETag",),
            )
        },
    }


def contexts() -> Schema:
    """Return the path of contexts. Of model and encoding one is given; without a known window, a budget."""
    context = CONTEXT | {"reservation": {"type": "object"}}
    query = tuple(parameter(name, schema) for name, schema in CONTEXT_FIELDS.items())
    body = obj({name: nullable(name, schema) for name, schema in CONTEXT_FIELDS.items()})
    body["properties"]["reserve"] = {"type": "boolean"}
    found = answer("The context", context, optional=("reservation",))
    return {
        "/v1/conversations/{conversation_id}/context": {
            "get": read("context", "What matters, in a budget", found, *ONE, *query),
            "post": operation(
                "context_for_call",
                "The same; with reserve its tokens are set aside",
                found,
                parameters=(*ONE, *READ),
                body=body,
                errors=UNREAD,
                headers=SOURCE,
            ),
        },
        "/v1/tokens/count": {
            "post": operation(
                "count",
                "Count tokens",
                answer(
                    "The count",
                    {
                        "object": {"const": "tokens.count"},
                        "tokens": COUNT,
                        "encoding": ENCODING,
                        "exact": {"type": "boolean"},
                    },
                ),
                body=count_body(),
            )
        },
    }
