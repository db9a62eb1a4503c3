"""
The shapes that declared fields and bodies name, because their kind does not say all.
"""

from scripts.openapi import dialects
from scripts.openapi.shapes import METADATA, Schema, obj, optional, scalar
from shared.config import SETTINGS
from shared.conversations.model_calls import USAGE
from shared.documents.changes import CHANGES, S3
from shared.tokens.requests import FORMATS

KNOWN_MODEL: Schema = {
    "description": "A model whose name begins like one that is known, after a provider's prefix; else say `encoding`",
    "anyOf": [{"enum": ["gpt-4o", "gpt-4", "gpt-4o-mini", "o3", "claude-sonnet-4-5"]}, {"type": "string"}],
}


def _array(name: str, **bounds: int) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}, **bounds}


def _usage() -> Schema:
    """Return what a model call used, as one of OpenAI's two APIs reports it."""
    reported = []
    for fields in zip(*USAGE, strict=True):
        members = {field.name: scalar(field) for field in fields}
        reported.append({"type": "object", "properties": members, "required": list(members)})
    return {"anyOf": reported}


def _format(*within: str) -> Schema:
    """Return what an answer has to be; a schema stands *within* a member of it in one of OpenAI's two APIs."""
    told: Schema = {"name": optional({"type": "string"}), "description": optional({"type": "string"})}
    told = {"properties": told | {"schema": {"type": "object"}}, "required": ["schema"]}
    for name in within:
        told = {"properties": {name: {"type": "object", **told}}, "required": [name]}
    plain = {"type": "object", "properties": {"type": {"enum": [*FORMATS[:2]]}}, "required": ["type"]}
    schema = {
        "type": "object",
        "properties": {"type": {"const": FORMATS[2]}, **told["properties"]},
        "required": ["type", *told["required"]],
    }
    return {"anyOf": [plain, schema]}


def _notice() -> Schema:
    """Return what may be said of changed documents: in our words, or as events of the bucket."""
    change = obj({"path": {"type": "string", "description": "As in the object store"}}, ("path",))
    change |= {"additionalProperties": True}
    ours = obj(
        {"changes": {"type": "array", "items": change, "maxItems": SETTINGS["changes_max"].default}}, ("changes",)
    )
    named = {
        outer: {"type": "object", "properties": {inner: {"type": "string"}}, "required": [inner]}
        for outer, inner in (("bucket", "name"), ("object", "key"))
    }
    changed = {
        "type": "object",
        "description": "An S3 event, as EventBridge delivers it",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"const": S3},
            "detail-type": {"enum": sorted(CHANGES)},
            "detail": {"type": "object", "properties": named, "required": [*named]},
        },
    }
    other = {
        "type": "object",
        "description": "Another event of the bucket, which changes nothing",
        "required": ["source", "detail-type"],
        "properties": {"source": {"const": S3}, "detail-type": {"type": "string", "not": {"enum": sorted(CHANGES)}}},
    }
    return {"anyOf": [ours, changed, other]}


NAMED: dict[str, Schema] = {
    **dialects.shapes(),
    "known_model": KNOWN_MODEL,
    "metadata": METADATA,
    # In a query all is text, and what no conversation can have finds none.
    "metadata_filter": {"type": "object", "propertyNames": {"pattern": r"^[^\]]"}},
    "items": _array("item", minItems=1, maxItems=SETTINGS["batch_items_max"].default),
    "items_or_none": _array("item", minItems=0, maxItems=SETTINGS["batch_items_max"].default),
    "count_input": {"anyOf": [{"type": "string"}, _array("item_typed"), _array("message_of_chat")]},
    "tools": _array("tool"),
    "functions": _array("function"),
    "response_format": _format("json_schema"),
    "text_format": {"type": "object", "properties": {"format": optional(_format())}},
    "usage": _usage(),
    "reservation_id": {"type": "string", "pattern": "^rsv_[0-9a-f]{5,6}_[ro][0-9a-f]{32}$"},
    "path": {"type": "string", "minLength": 1},
    "notice": _notice(),
    "export_page": {"type": "string", "description": "A page of an export: lines of JSON"},
}
