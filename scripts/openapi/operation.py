"""
How a declared route is written in the OpenAPI document.
"""

from scripts.openapi import headers
from scripts.openapi.answers import ANSWERS
from scripts.openapi.fields import body_schema, parameter
from scripts.openapi.shapes import Schema
from shared.errors import (
    BodyLate,
    InsufficientRole,
    InvalidValue,
    KeyReused,
    Malformed,
    MemoryPressed,
    Misconfigured,
    NotCached,
    NotFound,
    OutOfTime,
    QuotaExceeded,
    ServiceError,
    StoreUnavailable,
    TooLarge,
    Unauthorized,
    VersionMoved,
)
from shared.routes import CREATE, FRESHNESS, TENANT, Route

FOR_ALL = (InvalidValue, Misconfigured, OutOfTime, StoreUnavailable)
FOR_KEYS = (Malformed, Unauthorized, TooLarge, QuotaExceeded, MemoryPressed)
"""What may become of any request, and of any with a credential."""

DOCUMENT = {"type": "string", "pattern": r"^(?!%PDF-)[^\u0000]*$"}
"""Of the bytes that are text in UTF-8, those that are a document."""

NOT_MODIFIED = "304"


def problems(route: Route) -> list[type[ServiceError]]:
    """Return what a request of *route* may be refused with, by status."""
    found: list[type[ServiceError]] = [*FOR_ALL, *route.refuses]
    if route.key:
        found += FOR_KEYS
    if route.role:
        found.append(InsufficientRole)
    if route.ids:
        found.append(NotFound)
    if route.body is not None:
        found.append(BodyLate)
    if "Idempotency-Key" in route.headers:
        found.append(KeyReused)
    if "If-Match" in route.headers:
        found.append(VersionMoved)
    if "Cache-Control" in route.headers:
        found.append(NotCached)
    return sorted(set(found), key=lambda each: (each.status, each.slug))


def answered_headers(route: Route) -> tuple[str, ...]:
    """Return what answers of *route* say, besides what each does."""
    rate = headers.RATE if route.key == TENANT else ()
    source = headers.SOURCE if set(FRESHNESS) <= set(route.headers) else ()
    written = headers.WRITTEN if set(CREATE) <= set(route.headers) else ()
    return (*rate, *source, *written, *route.answered)


def _roles(route: Route) -> str:
    """Return which role a key has to have, as a sentence."""
    if not route.role:
        return ""
    more = "".join(f"; with `{name}`, `{role}`" for name, role in route.role_with)
    return f". It takes a key of the role `{route.role}`, or of one that may do more{more}"


def operation(route: Route) -> Schema:
    """Return one operation."""
    said = headers.headers(*answered_headers(route))
    responses: Schema = {"200": {**ANSWERS[route.answer], "headers": said}}
    if route.method == "GET" and "If-None-Match" in route.headers:
        responses[NOT_MODIFIED] = {"description": "The caller has it", "headers": said}
    for status in sorted({each.status for each in problems(route)}):
        responses[str(status)] = {"$ref": f"#/components/responses/E{status}"}
    made: Schema = {
        "operationId": route.operation,
        "summary": route.title,
        "description": route.text + _roles(route),
        "responses": responses,
        # OpenAPI 3.1 has the names of roles here.
        "security": [{route.key: [route.role] if route.role else []}] if route.key else [],
    }
    parameters = [
        *(parameter(field, "path") for field in route.ids),
        *(parameter(field, "query") for field in route.query),
        *(headers.request(name, route.method) for name in route.headers),
    ]
    if parameters:
        made["parameters"] = parameters
    if route.body is not None and route.body.is_document:
        made["requestBody"] = {"content": {"text/plain": {"schema": DOCUMENT}}, "required": False}
    elif route.body is not None:
        schema = body_schema(route.body)
        is_required = bool(schema.get("required") or schema.get("anyOf"))
        made["requestBody"] = {"content": {route.body.media_type: {"schema": schema}}, "required": is_required}
    return made
