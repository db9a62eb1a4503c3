"""The OpenAPI document is that of the routes, and the service does what it says and nothing else."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from scripts.local.functions import find_functions, load_app
from scripts.local.openapi import document

ROOT = Path(__file__).parents[1]
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
# Without its keys: each case is sent with one, and what happens without is in test_api_auth.py.
schema = schemathesis.openapi.from_dict({**document(), "security": []})


def test_the_published_document_is_the_one_that_is_tested() -> None:
    assert json.loads((ROOT / "public" / "openapi.json").read_text()) == document()


def test_the_document_has_every_route_and_no_other() -> None:
    documented = {f"{method.upper()} {path}" for path, each in document()["paths"].items() for method in each}
    served = set()
    for path, name in find_functions(ROOT).values():
        app: Any = load_app(ROOT, path, name)
        for route in app.routes:
            served |= {f"{method} {route.path.replace(':path', '')}" for method in route.methods - {"HEAD"}}

    assert documented == served


def test_the_document_is_served(api: httpx.Client) -> None:
    answer = api.get("/v1/openapi.json")

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")


@pytest.fixture
def conversation(api: httpx.Client) -> str:
    body = {"items": [{"role": "user", "content": "hello"}]}
    return str(api.post("/v1/conversations", json=body).json()["id"])


@schema.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_service_does_what_the_document_says(case: Any, service_url: str, conversation: str, key: str) -> None:
    is_right = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_right and "conversation_id" in (case.path_parameters or {}):
        case.path_parameters["conversation_id"] = conversation
    case.call_and_validate(base_url=service_url, headers={"authorization": f"Bearer {key}"}, checks=CHECKS)
