"""
Null is absent: an item that a client wrote down with all its nulls is refused by a model's API for many of them.

What is the caller's own, arguments, schemas, tools, keeps them.
"""

from collections.abc import Collection, Mapping
from typing import Any

REQUIRED_NULLS: Mapping[str, frozenset[str]] = {
    "image_generation_call": frozenset({"result"}),
    "code_interpreter_call": frozenset({"code", "outputs"}),
}
"""Fields that the Responses API requires, by type of item, be they null."""

_REQUIRED_WITHIN = frozenset({"keys"})
_OPEN_FIELDS = frozenset(
    {"tools", "arguments", "error", "attributes", "env", "result", "output", "svg_usage", "schema"}
)


def without_nulls(raw: dict[str, Any], kept: Collection[str], parts_field: str) -> dict[str, Any]:
    """Return a copy of *raw* without nulls within it, the list of parts aside; *kept* are members that may be null."""
    top = {field: value for field, value in raw.items() if value is not None or field in kept}
    _strip([(top, field) for field in top if field != parts_field and field not in _OPEN_FIELDS], _OPEN_FIELDS)
    return top


def nested_without_nulls[T](value: T, open_fields: Collection[str]) -> T:
    """Return *value* without null members, the same object where there are none; what *open_fields* hold stays."""
    left: list[Any] = [value]
    while left:
        member = left.pop()
        if isinstance(member, dict):
            if None in member.values():
                top = [value]
                _strip([(top, 0)], open_fields, required=())
                return top[0]
            left += [inner for field, inner in member.items() if field not in open_fields]
        elif isinstance(member, list):
            left += member
    return value


def _strip(
    left: list[tuple[Any, Any]], open_fields: Collection[str], required: Collection[str] = _REQUIRED_WITHIN
) -> None:
    """Replace each of *left*, a holder and where in it, by a copy without nulls but for members that are *required*."""
    while left:  # JSON may nest deeper than Python calls.
        holder, at = left.pop()
        member = holder[at]
        if isinstance(member, dict):
            holder[at] = member = {
                field: value for field, value in member.items() if value is not None or field in required
            }
            left += [(member, field) for field in member if field not in open_fields]
        elif isinstance(member, list):
            holder[at] = member = list(member)
            left += [(member, index) for index in range(len(member))]
