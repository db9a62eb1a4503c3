"""
Check one item or part against its shape: `first_error`.

Pydantic validates and nothing else: what it makes of a value is thrown away, so no field of the caller's is
coerced, reordered or lost. Importing this module imports pydantic, and the validator of a shape is built when
it is first needed; both are far too slow for the start of an instance that may only ever see plain messages.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from pydantic import TypeAdapter, ValidationError

from shared.items import types_tools  # noqa: F401  # Its shapes are in SHAPES when it is imported.
from shared.items.part_types import PART_TYPES
from shared.items.types import ITEM_TYPES
from shared.items.types_shapes import SHAPES

_NAMED = {name: entry.shape for table in (ITEM_TYPES, PART_TYPES) for name, entry in table.items()}
if wrong := SHAPES.keys() ^ set(_NAMED.values()):
    raise ImportError(f"Shapes without a type that names them, or the other way round: {sorted(wrong)}.")


_EXPECTED = {
    "string_type": "a string",
    "string_unicode": "valid Unicode",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
}


class ShapeError(NamedTuple):
    """Keys and indexes down to the wrong value, and what should be there ("" when the field is missing)."""

    where: tuple[str | int, ...]
    expected: str


def first_error(name: str, value: Mapping[str, Any]) -> ShapeError | None:
    """
    Check *value* against the shape of the item or part type *name*; None when it is right.

    Shapes hold no unions but "or null", so the first error is the helpful one.
    """
    try:
        adapter(name).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _shape_error(first["type"], first["loc"], first.get("ctx", {}))
    return None


@cache
def known_fields(name: str) -> frozenset[str]:
    """Return the fields of the item or part type *name*, those that all of its kind have included."""
    fields = {"type", *get_type_hints(SHAPES[_NAMED[name]])}
    if (item_type := ITEM_TYPES.get(name)) is not None:
        fields |= {
            "id",
            "created_by",
            "status",
            item_type.parts.field,
            *(item_type.plain.fields if item_type.plain else ()),
        }
    return frozenset(fields - {""})


@cache
def adapter(name: str) -> TypeAdapter[Any]:
    """Return the validator of the item or part type *name*."""
    return TypeAdapter(SHAPES[_NAMED[name]])


def _shape_error(error_type: str, where: tuple[str | int, ...], context: Mapping[str, Any]) -> ShapeError:
    if error_type == "missing":
        return ShapeError(where, "")
    if error_type == "literal_error":
        return ShapeError(where, context["expected"])
    if error_type == "string_value":
        return ShapeError((*where, context["key"]), "a string")
    return ShapeError(where, _EXPECTED[error_type])
