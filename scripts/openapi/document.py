"""
The OpenAPI document of the API: python -m scripts.openapi.document > public/openapi.json

A test holds the file to this source, and the source to the routes; schemathesis holds the running service to the file.
"""

import json
import sys

from scripts.openapi import contexts as openapi_contexts
from scripts.openapi import conversations, dialects
from scripts.openapi import headers as openapi_headers
from scripts.openapi import items as openapi_items
from scripts.openapi.links import add_links
from scripts.openapi.operation import operation
from scripts.openapi.routes import routes
from scripts.openapi.shapes import ERRORS, Schema
from shared.config import SETTINGS
from shared.request.roles import ROLES
from shared.routes import TENANT


def paths() -> Schema:
    """Return every path of the API."""
    made: Schema = {}
    for route in routes():
        made.setdefault(route.template, {})[route.method.lower()] = operation(route)
    return add_links(made)


PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "error", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "param": {"type": "string"},
        "did_you_mean": {"type": "string"},
        "request_id": {"type": "string", "description": "As the header X-Request-Id"},
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


def keys() -> dict[str, str]:
    """Return what each credential is."""
    secrets = sorted({route.key for route in routes()} - {TENANT, ""})
    said = f"Its role is one of {', '.join(ROLES)}: each may do all that the ones before it may"
    own = {TENANT: f"A tenant's: wt_<tenant>_<secret>. {said}"}
    return own | {key: f"The deployment's {SETTINGS[f'{key}_secret'].variables[0]}" for key in secrets}


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
        "paths": paths(),
        "components": {
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": text} for name, text in keys().items()
            },
            "schemas": {"Problem": PROBLEM}
            | conversations.schemas()
            | openapi_items.schemas()
            | dialects.schemas()
            | openapi_contexts.schemas(),
            "headers": openapi_headers.ANSWERS,
            "responses": {
                f"E{status}": {
                    "description": text,
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                    "headers": openapi_headers.headers(
                        *openapi_headers.RATE, *openapi_headers.ERROR_HEADERS.get(status, ())
                    ),
                }
                for status, text in ERRORS.items()
            },
        },
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    print()
