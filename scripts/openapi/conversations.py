"""
What is answered of a conversation, as JSON Schema: in lists what a row of the index holds, else all of it.
"""

from scripts.openapi.shapes import COUNT, ID, METADATA, Schema
from shared.request.owners import CHARS_MAX

OWNER: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": CHARS_MAX}
TIME: Schema = {"type": "integer", "minimum": 0, "description": "Unix seconds"}
LISTED: Schema = {
    "id": ID,
    "object": {"const": "conversation"},
    "created_at": TIME,
    "metadata": METADATA,
    "user": OWNER | {"description": "The end user whose it is, as the tenant calls them"},
    "agent": OWNER | {"description": "The agent whose it is, as the tenant calls it"},
    "last_active_at": TIME | {"description": "Its newest write, or a read that renewed its expiry; Unix seconds"},
    "expires_at": {
        "type": ["integer", "null"],
        "minimum": 0,
        "description": "When it is gone unless it is used until then, Unix seconds; null: it does not expire",
    },
}
SIZE: Schema = {
    "items": COUNT | {"description": "Those that are there: deleted ones do not count"},
    "tokens": COUNT | {"description": "Of these items in o200k_base, as they were counted when they were appended"},
    "bytes": COUNT | {"description": "What all of it takes in the store, and counts of the tenant's share"},
    "version": COUNT | {"description": "How many entries were ever written to it; it only grows"},
    "forked_from": {"type": ["string", "null"], "description": "The conversation that it was forked from"},
}


def _object(description: str, properties: Schema) -> Schema:
    return {"description": description, "type": "object", "properties": properties, "required": list(properties)}


def schemas() -> Schema:
    """Return the named schemas of conversations."""
    return {
        "conversation": _object("A conversation, without its items", LISTED | SIZE),
        "listed_conversation": _object("A conversation as lists have it", LISTED),
    }
