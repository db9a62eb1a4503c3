"""
The paths of budgets, of documents, and of what serves the deployment, in the OpenAPI document.
"""

from scripts.openapi.headers import IDEMPOTENCY_KEY, IF_NONE_MATCH, SOURCE
from scripts.openapi.operation import operation
from scripts.openapi.shapes import (
    CONTEXT_FIELDS,
    COUNT,
    RESERVATION,
    RESERVATION_ID,
    USD,
    WINDOW,
    Schema,
    answer,
    obj,
    parameter,
    spent,
)
from shared.documents.changes import CHANGES, S3

OUTCOME: Schema = {"outcome": {"type": "string"}}
SWEPT: Schema = {"object": {"const": "sweep"}} | OUTCOME
SWEPT |= dict.fromkeys(("scopes", "listed", "same", "changed", "removed"), COUNT)
SWEPT_CONVERSATIONS = ("tenants", "looked_at", "compacted", "entries", "forgotten", "failed")
SWEPT |= {"conversations": obj(OUTCOME | dict.fromkeys(SWEPT_CONVERSATIONS, COUNT))}
WARMED: Schema = {"object": {"const": "warm"}} | OUTCOME
WARMED |= dict.fromkeys(("documents", "from_source", "failed"), COUNT) | {"instance": {"type": ["integer", "null"]}}


def crons(name: str, title: str, members: Schema) -> Schema:
    """Return the two methods of a cron's route."""
    return {
        "get": operation(name, title, answer("What it did", members), key="cron"),
        "post": operation(f"{name}_by_post", title, answer("What it did", members), key="cron"),
    }


def budgets() -> Schema:
    """Return the paths of reservations and usage."""
    settled: Schema = {"id": {"type": "string"}, "object": {"const": "reservation"}, "status": {"const": "settled"}}
    settled |= {"tokens": COUNT, "usd": USD, "overrun": {"type": "object"}}
    released: Schema = {"id": {"type": "string"}, "object": {"const": "reservation"}}
    released |= {"status": {"enum": ["released", "expired", "settled"]}}
    usage: Schema = {"object": {"const": "usage"}, "day": WINDOW, "month": WINDOW, "models": {"type": "object"}}
    return {
        "/v1/reservations": {
            "post": operation(
                "reserve",
                "Set tokens and money aside",
                answer("The reservation", RESERVATION),
                parameters=(IDEMPOTENCY_KEY,),
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
    }


def documents() -> Schema:
    """Return the paths of documents, their changes, and of what keeps them warm."""
    path = parameter("path", {"type": "string", "minLength": 1}, "path")
    coding = tuple(parameter(name, CONTEXT_FIELDS[name]) for name in ("model", "encoding"))
    text = {"description": "Its text", "content": {"text/*": {"schema": {"type": "string"}}}}
    told = ("Warmthread-Encoding", "Warmthread-Tokens", "X-Content-Type-Options", "Content-Length")
    change = obj({"path": {"type": "string", "description": "As in the object store"}}, ("path",))
    change |= {"additionalProperties": True}
    ours = obj({"changes": {"type": "array", "items": change, "maxItems": 1_000}}, ("changes",))
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
    reported = answer("What was reported", {"object": {"const": "changes"}, "reported": COUNT, "kept": COUNT})
    return {
        "/v1/documents/{path}": {
            "get": operation(
                "document",
                "A document of the tenant's folder, or of shared/",
                text,
                parameters=(path, *coding, IF_NONE_MATCH),
                errors=(404, 415),
                headers=(*SOURCE, *told),
            )
        },
        "/v1/changes": {
            "post": operation(
                "changes", "Documents have changed", reported, body={"anyOf": [ours, changed, other]}, key="changes"
            )
        },
        "/api/cron/sweep": crons(
            "sweep", "Compare what is kept of documents with their source, compact conversations", SWEPT
        ),
        "/api/cron/warm": crons("warm", "Load the hottest documents, then warm an instance", WARMED),
        "/api/conversations": {
            "post": operation("warm_instance", "Warm this instance", answer("What it did", WARMED), key="cron")
        },
        "/api/metrics": {
            "get": operation(
                "metrics",
                "What all instances counted, for Prometheus",
                {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
                key="metrics",
            )
        },
        "/api/health": {
            "get": operation(
                "health",
                "Whether the store answers",
                answer("It does", {"status": {"const": "ok"}, "deployment": {"type": "string"}}),
                key="",
            )
        },
    }
