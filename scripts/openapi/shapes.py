"""
What the OpenAPI document is made of: the simplest shapes, and declared fields as JSON Schema.
"""

from typing import Any

from shared.context.wanted import PARAMETERS
from shared.items.normalize import METADATA_KEY_CHARS_MAX, METADATA_PAIRS_MAX, METADATA_VALUE_CHARS_MAX
from shared.request.owners import PATTERN as OWNER_PATTERN
from shared.request.parameters import BOOLEAN, CHOICE, IDENTIFIER, IGNORED, INTEGER, NAME, NUMBER, OWNER, Field

Schema = dict[str, Any]

ID = {"type": "string", "pattern": f"^{NAME}$"}
COUNT = {"type": "integer", "minimum": 0}
USD: Schema = {"type": "number", "minimum": 0}
NULL: Schema = {"type": "null"}
METADATA: Schema = {
    "type": "object",
    "maxProperties": METADATA_PAIRS_MAX,
    "propertyNames": {"minLength": 1, "maxLength": METADATA_KEY_CHARS_MAX},
    "additionalProperties": {"type": "string", "maxLength": METADATA_VALUE_CHARS_MAX},
}

ERRORS = {
    400: "Malformed, or not allowed: `param` names the field",
    401: "No API key, or one that is not valid",
    403: "The API key's role does not allow it: `required_role` would",
    404: "Unknown, or another tenant's",
    408: "The body did not come in time",
    409: "Settled before, with other numbers, or made before and over; an id that is taken; to be begun anew",
    415: "A document that is no text, or is sent as none",
    412: "If-Match names another version, or If-None-Match: * a document that exists",
    413: "Over a limit of size",
    422: "Well-formed, and cannot be done: a context that does not fit, a text that has no count, a key used before",
    429: "The tenant's rate or budget is used up",
    503: "Store away or full, out of time, or short of memory; Retry-After says when to come back",
    504: "only-if-cached, and nothing fresh enough is held",
}


def obj(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    """Return an object of *properties* and no others."""
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def optional(schema: Schema) -> Schema:
    """Return *schema* with null, which stands for absence in bodies."""
    return {"anyOf": [schema, {"type": "null"}]}


def scalar(field: Field) -> Schema:
    """Return what a value of the kind of *field* is."""
    match field.kind:
        case kind if kind in (INTEGER, NUMBER):
            return {"type": kind, "minimum": field.low, "maximum": field.high}
        case kind if kind == IDENTIFIER:
            # Where none need be given, the empty one is none.
            return {"type": "string", "pattern": f"^{NAME if field.is_required else NAME.replace('{1,', '{0,')}$"}
        case kind if kind == CHOICE:
            return {"enum": list(field.choices)}
        case kind if kind == OWNER:
            bounds = {"minLength": field.low, "maxLength": field.high}
            return {"type": "string", **bounds, "pattern": OWNER_PATTERN}
        case kind if kind == BOOLEAN:
            return {"type": "boolean"}
        case kind if kind == IGNORED:
            return {"type": "array", "items": {"type": "string"}}
    made: Schema = {"type": "string"}
    if field.high:
        made |= {"minLength": field.low, "maxLength": field.high}
    return made | ({"pattern": f"^{field.pattern}$"} if field.pattern else {})


BUDGET, ENCODING = (scalar(field) for name in ("budget", "encoding") for field in PARAMETERS if field.name == name)
"""In contexts, as they were asked for."""
