"""
How an operation is written in the OpenAPI document.
"""

from scripts.openapi.headers import IF_NONE_MATCH, RATE
from scripts.openapi.headers import headers as header_references
from scripts.openapi.shapes import Schema

ALWAYS = (400, 401, 413, 422, 429, 503)
"""What may become of any request with a key."""


def operation(
    name: str,
    summary: str,
    response: Schema,
    *,
    parameters: tuple[Schema, ...] = (),
    body: Schema | None = None,
    errors: tuple[int, ...] = (),
    headers: tuple[str, ...] = (),
    key: str = "key",
) -> Schema:
    """Return one operation; *errors* besides those that each may have. *key*: the security scheme, "" for none."""
    statuses = (*ALWAYS, *errors) if key else (503,)
    said = header_references(*(RATE if key == "key" else ()), *headers)
    made: Schema = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {**response, "headers": said}},
        "security": [{key: []}] if key else [],
    }
    if IF_NONE_MATCH in parameters:
        made["responses"]["304"] = {"description": "The caller has it", "headers": said}
    made["responses"] |= {str(status): {"$ref": f"#/components/responses/E{status}"} for status in sorted(statuses)}
    if parameters:
        made["parameters"] = list(parameters)
    if body is not None:
        is_required = bool(body.get("required") or body.get("anyOf"))
        made["requestBody"] = {"content": {"application/json": {"schema": body}}, "required": is_required}
    return made
