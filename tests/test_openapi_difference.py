"""What is said to differ between two OpenAPI documents does, and what says the same does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.openapi.difference import differences
from scripts.openapi.document import document

pytestmark = pytest.mark.unmeasured

SHAPES: dict[str, dict[str, Any]] = {
    "id": {"type": "string"},
    "list": {"type": "array", "items": {"$ref": "#/components/schemas/list"}},
}


def made(*parameters: dict[str, Any], required: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
    operation = {"parameters": list(parameters), "schema": {"required": list(required)}}
    return {"paths": {"/x": {"get": operation}}, "components": {"schemas": SHAPES}}


def parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def test_order_and_references_say_nothing() -> None:
    by_reference = parameter("id", {"$ref": "#/components/schemas/id"})
    other = parameter("n", {"type": "integer"})

    assert differences(made(by_reference, other), made(other, parameter("id", SHAPES["id"]), required=("b", "a"))) == []


@pytest.mark.parametrize(
    ("new", "line"),
    [
        (made(), '- /paths//x/get/parameters/query n: {"in": "query", "name": "n", "schema": {"type": "integer"}}'),
        (
            made(parameter("n", {"type": "string"})),
            '! /paths//x/get/parameters/query n/schema/type: "integer" -> "string"',
        ),
        (
            made(parameter("n", {"type": "integer"}), required=("a",)),
            '! /paths//x/get/schema/required: ["a", "b"] -> ["a"]',
        ),
        (
            made(parameter("n", {"type": "integer", "minimum": 1})),
            "+ /paths//x/get/parameters/query n/schema/minimum: 1",
        ),
    ],
)
def test_what_differs_is_named(new: dict[str, Any], line: str) -> None:
    assert differences(made(parameter("n", {"type": "integer"})), new) == [line]


def test_a_change_deep_in_the_whole_document_is_found(tmp_path: Path) -> None:
    changed = json.loads(json.dumps(document()))
    changed["components"]["responses"]["E404"]["description"] = "gone"

    assert differences(document(), document()) == []
    assert all("404" in line and '"gone"' in line for line in differences(document(), changed))
    assert len(differences(document(), changed)) > 10
